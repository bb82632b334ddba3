using System.Net;
using System.Net.Sockets;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>What the proxy does with the server's answers.</summary>
public enum ProxyMode
{
    Forward,
    /// <summary>The server has executed and answered; the client waits for ever.</summary>
    Swallow,
    /// <summary>The server has executed and answered; the client's connection is reset.</summary>
    Reset,
}

/// <summary>Stands between a client and a server on loopback and loses answers on demand, never requests.</summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _connections = [];
    private readonly int _serverPort;
    private readonly Task _accepting;
    private readonly TaskCompletionSource _answerLost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _requests;
    private int _lost = int.MinValue;

    public TcpProxy(int serverPort)
    {
        _serverPort = serverPort;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Endpoint => new($"http://{_listener.LocalEndpoint}/");
    public ProxyMode Mode { get; set; }

    /// <summary>HTTP requests that came from clients.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Loses the answer to one request by resetting its connection; requests count from 0.</summary>
    public void LoseAnswer(int request) => Volatile.Write(ref _lost, request);

    /// <summary>Completes when an answer of the server has been lost.</summary>
    public Task AnswerLost => _answerLost.Task;

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
        using var clientSide = client;
        using var serverSide = new TcpClient();
        try
        {
            await serverSide.ConnectAsync(IPAddress.Loopback, _serverPort, _stop.Token);
            await Task.WhenAny(UpAsync(client, serverSide), DownAsync(serverSide, client));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // Disposed, or the server is not there.
        }
    }

    private async Task UpAsync(TcpClient client, TcpClient server)
    {
        var buffer = new byte[64 << 10];
        while (await client.GetStream().ReadAsync(buffer, _stop.Token) is > 0 and var read)
        {
            Interlocked.Add(ref _requests, buffer.AsSpan(0, read).Count("POST /"u8));
            await server.GetStream().WriteAsync(buffer.AsMemory(0, read), _stop.Token);
        }
    }

    private async Task DownAsync(TcpClient server, TcpClient client)
    {
        var buffer = new byte[64 << 10];
        while (await server.GetStream().ReadAsync(buffer, _stop.Token) is > 0 and var read)
        {
            var reset = Mode == ProxyMode.Reset || Requests - 1 == Volatile.Read(ref _lost);
            if (Mode == ProxyMode.Forward && !reset)
            {
                await client.GetStream().WriteAsync(buffer.AsMemory(0, read), _stop.Token);
                continue;
            }
            _answerLost.TrySetResult();
            if (reset)
            {
                client.LingerState = new LingerOption(true, 0);
                return;
            }
        }
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
