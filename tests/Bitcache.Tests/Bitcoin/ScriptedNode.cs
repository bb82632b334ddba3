using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Bitcache.Tests.Bitcoin;

/// <summary>An HTTP server on loopback that gives the answers a test wants, whatever it is asked.</summary>
internal sealed class ScriptedNode : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _connections = [];
    private readonly Task _accepting;

    public ScriptedNode()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Endpoint => new($"http://{_listener.LocalEndpoint}/");
    public int Status { get; set; } = 200;

    /// <summary>Makes the body from the method and the id of the request.</summary>
    public Func<string, long, byte[]> Body { get; set; } = (_, _) => [];

    /// <summary>The <c>Authorization</c> headers that came, in order.</summary>
    public List<string> Authorizations { get; } = [];

    /// <summary>Answers with 401 until this header comes, if it is set.</summary>
    public string? RequiredAuthorization { get; set; }

    /// <summary>A result in the envelope that the node puts around it.</summary>
    public void Answer(string result) => Answer(_ => result);

    /// <summary>The same, with a result for each method.</summary>
    public void Answer(Func<string, string> result) =>
        (Status, Body) = (200, (method, id) => Encoding.UTF8.GetBytes($$"""{"result":{{result(method)}},"error":null,"id":{{id}}}"""));

    public void Fail(int status, int code, string message) =>
        (Status, Body) = (status, (_, id) => Encoding.UTF8.GetBytes($$$"""{"result":null,"error":{"code":{{{code}}},"message":"{{{message}}}"},"id":{{{id}}}}"""));

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var connection = client;
        var stream = client.GetStream();
        try
        {
            while (await ReadRequestAsync(stream) is { } request)
            {
                var authorization = Header(request, "Authorization: ") ?? "";
                Authorizations.Add(authorization);
                var refused = RequiredAuthorization is { } required && authorization != required;
                var body = refused ? [] : Body(MethodOf(request), IdOf(request));
                var head = string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {(refused ? 401 : Status)} X\r\nContent-Length: {body.Length}\r\n\r\n");
                await stream.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(head), .. body], _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Disposed, or the client has heard enough.
        }
    }

    private async Task<string?> ReadRequestAsync(NetworkStream stream)
    {
        var request = new StringBuilder();
        var buffer = new byte[4096];
        while (true)
        {
            var read = await stream.ReadAsync(buffer, _stop.Token);
            if (read == 0) return null;
            request.Append(Encoding.UTF8.GetString(buffer, 0, read));
            var text = request.ToString();
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0) continue;
            var length = int.Parse(Header(text, "Content-Length: ")!, CultureInfo.InvariantCulture);
            if (text.Length >= end + 4 + length) return text;
        }
    }

    private static string? Header(string request, string name)
    {
        var start = request.IndexOf(name, StringComparison.OrdinalIgnoreCase);
        return start < 0 ? null : request[(start + name.Length)..request.IndexOf('\r', start)];
    }

    private static long IdOf(string request)
    {
        var start = request.IndexOf("\"id\":", StringComparison.Ordinal) + 5;
        return long.Parse(request[start..request.IndexOf(',', start)], CultureInfo.InvariantCulture);
    }

    private static string MethodOf(string request)
    {
        var start = request.IndexOf("\"method\":\"", StringComparison.Ordinal) + 10;
        return request[start..request.IndexOf('"', start)];
    }

    public async ValueTask DisposeAsync()
    {
        // A listener that is disposed of while a connection is just being accepted fails the next accept in another way.
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }
}
