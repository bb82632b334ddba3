// HTTP to a Bitcache server: one request and its answer, sent again under the same id for as long as its outcome is
// open. That is safe by the server's rule for ids, and it is the only way to learn what became of a lost answer.

using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Client;

/// <summary>A good answer, and its body as the server wrote it.</summary>
public readonly record struct Reply<T>(T Value, string Json);

/// <summary>A connection that many callers may use at once.</summary>
public sealed class ApiConnection : IDisposable
{
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;

    /// <param name="key">The API key; null for what anybody may ask.</param>
    /// <param name="patience">How long a request is sent again before its outcome is called unknown.</param>
    /// <param name="transport">What carries the requests; null for the network.</param>
    public ApiConnection(Uri server, string? key, TimeSpan patience, TimeProvider time, HttpMessageHandler? transport = null)
    {
        (Server, _patience, _time) = (server, patience, time);
        _http = new HttpClient(transport ?? new SocketsHttpHandler { UseCookies = false }) { BaseAddress = server, Timeout = AttemptTimeout };
        if (key is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public Uri Server { get; }

    public Task<byte[]> GetBytesAsync(string path, CancellationToken cancel) => SendAsync(HttpMethod.Get, path, null, cancel);

    /// <summary>A file as it arrives, however long it is; null if there is none. A server that makes it first may take a while.</summary>
    public async Task<Stream?> FindStreamAsync(string path, CancellationToken cancel)
    {
        for (var begun = _time.GetTimestamp(); ;)
        {
            try
            {
                var response = await _http.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, cancel);
                if (response.IsSuccessStatusCode) return await response.Content.ReadAsStreamAsync(cancel);
                using (response)
                {
                    return response.StatusCode == HttpStatusCode.NotFound
                        ? null
                        : throw new ApiProblemException(ReadProblem(response, await response.Content.ReadAsStringAsync(cancel)));
                }
            }
            catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
            {
                if (_time.GetElapsedTime(begun) > _patience) throw new AnswerLostException($"no answer within {AttemptTimeout.TotalSeconds:0} s", e);
            }
            catch (HttpRequestException e)
            {
                throw new ServerUnreachableException(Server, e);
            }
        }
    }

    public async Task<string> GetTextAsync(string path, CancellationToken cancel) =>
        Encoding.UTF8.GetString(await GetBytesAsync(path, cancel));

    public async Task<Reply<T>> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel) =>
        Read(await SendAsync(HttpMethod.Get, path, null, cancel), type);

    /// <summary>Posts a request that names an id, or whose repetition changes nothing.</summary>
    public async Task<Reply<T>> PostAsync<TRequest, T>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<T> type, CancellationToken cancel) =>
        Read(await SendAsync(HttpMethod.Post, path, JsonSerializer.SerializeToUtf8Bytes(request, requestType), cancel), type);

    public async Task<Reply<T>> PostAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel) =>
        Read(await SendAsync(HttpMethod.Post, path, [], cancel), type);

    public void Dispose() => _http.Dispose();

    private async Task<byte[]> SendAsync(HttpMethod method, string path, byte[]? body, CancellationToken cancel)
    {
        var begun = _time.GetTimestamp();
        var pause = FirstPause;
        for (var attempt = 1; ; attempt++)
        {
            var last = await TryAsync(method, path, body, cancel);
            if (last.Answer is { } answer) return answer;
            // Before anything has been sent there is nothing to wait for.
            if (last.Failure is ServerUnreachableException && attempt == 1) throw last.Failure;
            var wait = pause > last.RetryAfter ? pause : last.RetryAfter;
            if (_time.GetElapsedTime(begun) + wait > _patience) throw last.Failure!;
            await Task.Delay(wait, _time, cancel);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>One attempt: an answer, or a failure after which the same request may be sent again. What is refused
    /// for good is thrown.</summary>
    private async Task<Attempt> TryAsync(HttpMethod method, string path, byte[]? body, CancellationToken cancel)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path);
            if (body is { Length: > 0 })
            {
                request.Content = new ByteArrayContent(body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            }
            using var response = await _http.SendAsync(request, cancel);
            var bytes = await response.Content.ReadAsByteArrayAsync(cancel);
            if (response.IsSuccessStatusCode) return new Attempt(bytes, null, default);
            var problem = new ApiProblemException(ReadProblem(response, Encoding.UTF8.GetString(bytes)));
            // The server gives Retry-After exactly where the same request may be sent again.
            if (response.Headers.RetryAfter?.Delta is not { } delay) throw problem;
            return new Attempt(null, problem, delay);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            return new Attempt(null, new ServerUnreachableException(Server, e), default);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            return new Attempt(null, new AnswerLostException($"no answer within {AttemptTimeout.TotalSeconds:0} s", e), default);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new Attempt(null, new AnswerLostException($"the connection was lost: {e.Message}", e), default);
        }
    }

    private static ProblemBody ReadProblem(HttpResponseMessage response, string text)
    {
        try
        {
            if (JsonSerializer.Deserialize(text, ClientJson.Default.ProblemBody) is { Code: not null } problem) return problem;
        }
        catch (JsonException)
        {
            // Not Bitcache, or something between it and us, answered.
        }
        var status = response.StatusCode;
        return new ProblemBody("about:blank", $"HTTP {(int)status} {status}", (int)status, "not_bitcache",
            Detail: $"the answer is none of a Bitcache server: {(text.Length <= 200 ? text : text[..200] + "…")}");
    }

    private static Reply<T> Read<T>(byte[] json, JsonTypeInfo<T> type)
    {
        try
        {
            var text = Encoding.UTF8.GetString(json);
            return new Reply<T>(JsonSerializer.Deserialize(text, type) ?? throw new JsonException("null"), text);
        }
        catch (JsonException e)
        {
            throw new AnswerLostException($"the server's answer cannot be read: {e.Message}", e);
        }
    }

    private readonly record struct Attempt(byte[]? Answer, Exception? Failure, TimeSpan RetryAfter);
}
