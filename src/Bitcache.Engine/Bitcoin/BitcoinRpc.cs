// JSON-RPC to a Bitcoin node over HTTP: one request, one answer, no retries. What a failure means for the
// caller is decided here, once, for all calls.

using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;

namespace Bitcache.Engine.Bitcoin;

/// <summary>How to reach a node. <paramref name="Timeout"/> bounds each call; what exceeds it is unknown, not failed.</summary>
public sealed record BitcoinRpcOptions(Uri Endpoint, RpcCredentials Credentials, TimeSpan Timeout);

/// <summary>A connection to a node; safe for use by many callers.</summary>
public sealed class BitcoinRpc : IDisposable
{
    // Below the node's rpcservertimeout (30 s): we drop an idle connection before the node does, so that a
    // request is not written into one that is being closed.
    private static readonly TimeSpan IdleConnectionMax = TimeSpan.FromSeconds(15);

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = Limits.NodeAnswerDepthMax };

    private readonly BitcoinRpcOptions _options;
    private readonly HttpMessageHandler _handler;
    private readonly HttpClient _http;
    private volatile AuthenticationHeaderValue? _credentials;
    private long _lastId;

    public BitcoinRpc(BitcoinRpcOptions options)
        : this(options, new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            PooledConnectionIdleTimeout = IdleConnectionMax,
        })
    {
    }

    /// <summary>The same over something else than sockets.</summary>
    internal BitcoinRpc(BitcoinRpcOptions options, HttpMessageHandler handler)
    {
        (_options, _handler) = (options, handler);
        _http = new HttpClient(_handler, disposeHandler: false)
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Calls the node, or one of its wallets, and reads the result. Throws <see cref="NodeException"/> for
    /// everything but a result that <paramref name="read"/> accepts.</summary>
    /// <param name="answerBytesMax">A longer answer is not read.</param>
    public async Task<T> CallAsync<T>(
        string? wallet, string method, JsonArray parameters, Func<JsonElement, T> read, CancellationToken cancel,
        int answerBytesMax = Limits.NodeAnswerBytesMax)
    {
        var id = Interlocked.Increment(ref _lastId);
        var body = JsonSerializer.SerializeToUtf8Bytes(new JsonObject
        {
            ["jsonrpc"] = "1.0",
            ["id"] = id,
            ["method"] = method,
            ["params"] = parameters,
        });
        var uri = wallet is null ? _options.Endpoint : new Uri(_options.Endpoint, "/wallet/" + Uri.EscapeDataString(wallet));
        var (status, answer) = await SendAsync(uri, method, body, answerBytesMax, cancel);
        try
        {
            return read(Result(answer, id));
        }
        catch (Exception e) when (e is JsonException or InvalidDataException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new NodeException(NodeFailure.Unknown, $"{method}: the node's answer (HTTP {(int)status}) cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The same for a call whose result tells nothing.</summary>
    public Task CallAsync(string? wallet, string method, JsonArray parameters, CancellationToken cancel) =>
        CallAsync(wallet, method, parameters, static _ => true, cancel);

    /// <summary>Sends the request; once more after 401 with credentials read anew, since the node checks them before
    /// it looks at the request.</summary>
    private async Task<(HttpStatusCode Status, byte[] Answer)> SendAsync(
        Uri uri, string method, byte[] body, int answerBytesMax, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(_options.Timeout);
        try
        {
            var known = _credentials;
            var (status, answer) = await PostAsync(uri, body, answerBytesMax, known ?? (_credentials = _options.Credentials.Read()), deadline.Token);
            if (status == HttpStatusCode.Unauthorized && known is not null)
                (status, answer) = await PostAsync(uri, body, answerBytesMax, _credentials = _options.Credentials.Read(), deadline.Token);
            return status switch
            {
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => throw new NodeException(
                    NodeFailure.Unauthorized, $"{method}: the node refuses our credentials (HTTP {(int)status})"),
                HttpStatusCode.ServiceUnavailable => throw new NodeException(
                    NodeFailure.Busy, $"{method}: the node's work queue is full; it has not executed the call"),
                _ => (status, answer),
            };
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new NodeException(NodeFailure.Unknown, string.Create(
                CultureInfo.InvariantCulture, $"{method}: no answer within {_options.Timeout.TotalSeconds} s; it may be executed yet"));
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            throw new NodeException(NodeFailure.Unreachable, $"{method}: no connection to {_options.Endpoint}: {e.Message}", e);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw new NodeException(NodeFailure.Unknown, $"{method}: the answer has more than {answerBytesMax} bytes", e) { IsAnswerTooLong = true };
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new NodeException(NodeFailure.Unknown, $"{method}: the answer was lost; it may have been executed: {e.Message}", e);
        }
    }

    private async Task<(HttpStatusCode Status, byte[] Answer)> PostAsync(
        Uri uri, byte[] body, int answerBytesMax, AuthenticationHeaderValue credentials, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, uri) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Authorization = credentials;
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        await response.Content.LoadIntoBufferAsync(answerBytesMax, cancel);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(cancel));
    }

    /// <summary>Takes the result out of its envelope; the node's own error is thrown as such. Strict: a duplicate
    /// member or the answer to another request is no answer.</summary>
    internal static JsonElement Result(ReadOnlySpan<byte> answer, long id)
    {
        var envelope = JsonElement.Parse(answer, Strict);
        if (envelope.Get("id").ToLong() != id) throw new InvalidDataException("it answers another request");
        if (envelope.Find("error") is { } error)
            throw new NodeException((RpcError)error.Get("code").ToInt(), error.Get("message").ToText());
        return envelope.Get("result");
    }

    public void Dispose()
    {
        _http.Dispose();
        _handler.Dispose();
    }
}
