// A node says by ZeroMQ that it has a new block, and the settlement loop looks at once instead of at its next turn. Nothing
// is believed of it: what was announced is asked of the node, and what was never announced is found by polling.

using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Bitcoin;

/// <summary>Listens to one node until it is disposed of, and connects again whenever it has to.</summary>
public sealed class BlockAnnouncements : IAsyncDisposable
{
    private const string Topic = "hashblock";
    /// <summary>However much is announced, the loop is woken so often at most.</summary>
    public static readonly TimeSpan WakePause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan ConnectPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ConnectPauseMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan GreetingTimeout = TimeSpan.FromSeconds(10);

    private readonly Uri _endpoint;
    private readonly Action _wake;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    // One place: a block is announced, and the loop was not woken for it yet.
    private readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _running;
    private string? _trouble;

    /// <param name="endpoint">As in the node's <c>-zmqpubhashblock</c>: <c>tcp://host:port</c>.</param>
    /// <param name="wake">Called after an announcement, and after each connection, since one may have been missed.</param>
    /// <param name="log">Says whether announcements come.</param>
    public BlockAnnouncements(Uri endpoint, Action wake, ILogger log)
    {
        (_endpoint, _wake, _log) = (endpoint, wake, log);
        _running = Task.WhenAll(Task.Run(ListenAsync), Task.Run(WakeAsync));
    }

    private async Task ListenAsync()
    {
        var pause = ConnectPause;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var client = new TcpClient();
                // A peer that is gone without a word is noticed in the end.
                client.Client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                var subscriber = await ConnectAsync(client);
                _trouble = null;
                _log.AnnouncementsCome(_endpoint);
                for (_news.Writer.TryWrite(true); ;)
                {
                    if (await subscriber.ReadTopicAsync(_stop.Token) == Topic) _news.Writer.TryWrite(true);
                    pause = ConnectPause;
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is SocketException or IOException or InvalidDataException or OperationCanceledException)
            {
                if (_trouble != e.Message) _log.AnnouncementsStop(_endpoint, e.Message);
                _trouble = e.Message;
            }
            await PauseAsync(pause);
            pause = pause * 2 < ConnectPauseMax ? pause * 2 : ConnectPauseMax;
        }
    }

    private async Task<ZmtpSubscriber> ConnectAsync(TcpClient client)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        deadline.CancelAfter(GreetingTimeout);
        try
        {
            await client.ConnectAsync(_endpoint.Host, _endpoint.Port, deadline.Token);
            var subscriber = new ZmtpSubscriber(client.GetStream());
            await subscriber.SubscribeAsync(Topic, deadline.Token);
            return subscriber;
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            throw new InvalidDataException($"it does not greet within {GreetingTimeout.TotalSeconds:0} s");
        }
    }

    private async Task WakeAsync()
    {
        try
        {
            await foreach (var _ in _news.Reader.ReadAllAsync(_stop.Token))
            {
                _wake();
                await Task.Delay(WakePause, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    private async Task PauseAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop ends by itself.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }
}
