using System.Net;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Audit;

/// <summary>An export behind a web server, or a Bitcache server itself. What is asked for is asked one after the other: the audit
/// waits for it.</summary>
internal sealed class WebFolder : IAuditFolder, IDisposable
{
    private const int PieceBytes = 1 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly HttpClient _http;
    private readonly byte[] _piece = new byte[PieceBytes];
    private readonly CancellationToken _cancel;

    public WebFolder(Uri root, CancellationToken cancel)
    {
        _http = new HttpClient(new SocketsHttpHandler { UseCookies = false })
        {
            BaseAddress = root.AbsoluteUri.EndsWith('/') ? root : new Uri(root.AbsoluteUri + "/"),
            Timeout = Patience,
        };
        _cancel = cancel;
    }

    public byte[]? Read(string path, int bytesMax)
    {
        using var file = new MemoryStream();
        var isThere = Read(path, piece =>
        {
            if (file.Length + piece.Length > bytesMax) throw new CommandFailedException($"{_http.BaseAddress}{path} has more than {bytesMax} bytes: it is no part of an export");
            file.Write(piece);
        });
        return isThere ? file.ToArray() : null;
    }

    public bool Read(string path, ByteSink pieces)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            using var answer = _http.Send(request, HttpCompletionOption.ResponseHeadersRead, _cancel);
            if (answer.StatusCode == HttpStatusCode.NotFound) return false;
            if (answer.StatusCode != HttpStatusCode.OK) throw new CommandFailedException($"{_http.BaseAddress}{path}: the server answers {(int)answer.StatusCode}");
            using var body = answer.Content.ReadAsStream(_cancel);
            while (body.Read(_piece) is var count and > 0)
            {
                _cancel.ThrowIfCancellationRequested();
                pieces(_piece.AsSpan(0, count));
            }
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !_cancel.IsCancellationRequested))
        {
            throw new CommandFailedException($"{_http.BaseAddress}{path} cannot be had: {e.Message}");
        }
    }

    public void Dispose() => _http.Dispose();
}
