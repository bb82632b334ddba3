using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Audit;

/// <summary>An export behind a web server, or a Bitcache server itself. Each thread that reads waits for what it asks for. The server is believed nothing: not that it ends, and not how much it says it will send.</summary>
internal sealed class WebFolder : IAuditFolder, IDisposable
{
    private const int PieceBytes = 1 << 20;
    private const int AttemptsMax = 5;
    /// <summary>So much a second is patience won.</summary>
    private const int BytesPerSecondMin = 64 << 10;
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(30);

    private readonly HttpClient _http;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancel;

    /// <param name="key">Of the scope audit; null for what everybody may have.</param>
    /// <param name="patience">How long a file may take, its first byte included, if it is short.</param>
    public WebFolder(Uri root, string? key, TimeSpan patience, TimeProvider time, CancellationToken cancel)
    {
        // Whoever gets a key must not send us elsewhere with it.
        _http = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = key is null })
        {
            BaseAddress = root.AbsoluteUri.EndsWith('/') ? root : new Uri(root.AbsoluteUri + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (key is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        (_patience, _time, _cancel) = (patience, time, cancel);
    }

    public byte[]? Read(string path, int bytesMax)
    {
        using var file = new MemoryStream();
        return Read(path, bytesMax, piece =>
        {
            file.Write(piece);
            return true;
        })
            ? file.ToArray() : null;
    }

    public bool Read(string path, long bytesMax, PieceTaker pieces)
    {
        var space = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            return ReadAsync(path, bytesMax, pieces, space).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (!_cancel.IsCancellationRequested)
        {
            throw new CommandFailedException($"{_http.BaseAddress}{path} cannot be had: the server is too slow, or does not end");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new CommandFailedException($"{_http.BaseAddress}{path} cannot be had: {e.Message}");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(space);
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<bool> ReadAsync(string path, long bytesMax, PieceTaker pieces, byte[] space)
    {
        for (var attempt = 1; ; attempt++)
        {
            var begun = _time.GetTimestamp();
            using var late = new CancellationTokenSource(_patience, _time);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, _cancel);
            using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, end.Token);
            if (answer.StatusCode == HttpStatusCode.NotFound) return false;
            if (answer.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests && attempt < AttemptsMax)
            {
                var wait = answer.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1);
                await Task.Delay(wait < WaitMax ? wait : WaitMax, _time, _cancel);
                continue;
            }
            if (answer.StatusCode != HttpStatusCode.OK) throw new CommandFailedException($"{_http.BaseAddress}{path}: the server answers {(int)answer.StatusCode}{(answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden ? ": a key of the scope audit is needed (--key-file)" : "")}");
            if (answer.Content.Headers.ContentLength > bytesMax) throw AuditOutput.TooLong(_http.BaseAddress + path, bytesMax);
            await using var body = await answer.Content.ReadAsStreamAsync(end.Token);
            for (long sum = 0; await body.ReadAsync(space, end.Token) is var count and > 0;)
            {
                sum += count;
                if (sum > bytesMax) throw AuditOutput.TooLong(_http.BaseAddress + path, bytesMax);
                if (!pieces(space.AsSpan(0, count))) return true;
                // Also who sends a byte now and then comes to an end.
                var left = _patience + TimeSpan.FromSeconds((double)sum / BytesPerSecondMin) - _time.GetElapsedTime(begun);
                late.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            }
            return true;
        }
    }
}
