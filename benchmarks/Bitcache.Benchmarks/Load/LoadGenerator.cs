// One thread that keeps many connections busy: each has at most one request under way. Closed loop, where an answer
// is followed at once by the next request, shows what a server can do; paced, where requests fall due at an even
// rate whether or not the server keeps up, shows how long they wait.

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Bitcache.Benchmarks.Load;

/// <param name="Payments">All that were asked for, and acknowledged.</param>
/// <param name="Elapsed">Until the last answer.</param>
internal sealed record LoadResult(long Payments, TimeSpan Elapsed, Latencies Latencies)
{
    public double Rate => Payments / Elapsed.TotalSeconds;
}

internal sealed class LoadGenerator : IDisposable
{
    /// <summary>How often a wait looks whether it was cancelled.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromMilliseconds(100);
    /// <summary>A server that gives no answer for so long has lost it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Of each run so much goes by before answers are timed: it begins with all its connections being made.</summary>
    private const int PartToBegin = 5;

    private readonly Dialogue _dialogue;
    private readonly Epoll _epoll = new();
    private readonly Connection[] _connections;
    private readonly Stack<Connection> _idle = [];

    public LoadGenerator(EndPoint server, int connections, Dialogue dialogue)
    {
        _dialogue = dialogue;
        _connections = [.. Enumerable.Range(0, connections).Select(token => new Connection(server, token, dialogue))];
        foreach (var connection in _connections)
        {
            _epoll.Watch(connection.Socket, connection.Token);
            _idle.Push(connection);
        }
    }

    /// <summary>Sends for so long; returns when everything is answered.</summary>
    /// <param name="requestsPerSecond">The pace; null for as fast as answers come.</param>
    /// <exception cref="BenchFailedException">A payment was refused, or an answer did not come.</exception>
    public async Task<LoadResult> RunAsync(TimeSpan duration, double? requestsPerSecond, CancellationToken cancel) =>
        await Task.Factory.StartNew(() => Run(duration, requestsPerSecond, cancel), cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public void Dispose()
    {
        foreach (var connection in _connections) connection.Socket.Dispose();
        _epoll.Dispose();
    }

    private LoadResult Run(TimeSpan duration, double? requestsPerSecond, CancellationToken cancel)
    {
        var latencies = new Latencies();
        var payments = 0L;
        var interval = requestsPerSecond is { } rate ? Stopwatch.Frequency / rate : 0;
        var start = Stopwatch.GetTimestamp();
        var end = start + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var counted = start + ((end - start) / PartToBegin);
        var (sent, lastAnswer) = (0L, start);
        while (true)
        {
            var now = Stopwatch.GetTimestamp();
            var due = Due();
            while (now < end && due <= now && _idle.TryPop(out var free))
            {
                Send(free, interval == 0 ? now : due);
                sent++;
                due = Due();
            }
            if (now >= end && _idle.Count == _connections.Length) break;
            if (Stopwatch.GetElapsedTime(lastAnswer, now) > Patience && _idle.Count < _connections.Length)
                throw new BenchFailedException($"no answer for {Patience.TotalSeconds} seconds");
            cancel.ThrowIfCancellationRequested();
            // With no connection free only an answer lets us go on.
            var wake = now < end ? _idle.Count == 0 ? end : Math.Min(due, end) : long.MaxValue;
            var ready = _epoll.Wait(wake <= now ? TimeSpan.Zero : Shorter(wake - now));
            for (var i = 0; i < ready; i++)
            {
                var connection = _connections[_epoll.Token(i)];
                if (!Continue(connection)) continue;
                lastAnswer = Stopwatch.GetTimestamp();
                if (connection.DueAt >= counted) latencies.Add(lastAnswer - connection.DueAt);
                payments += _dialogue.PaymentsPerRequest;
                _idle.Push(connection);
            }
        }
        return new LoadResult(payments, Stopwatch.GetElapsedTime(start, lastAnswer), latencies);

        long Due() => start + (long)(sent * interval);
    }

    private static TimeSpan Shorter(long ticks)
    {
        var time = Stopwatch.GetElapsedTime(0, ticks);
        return time < WaitMax ? time : WaitMax;
    }

    private void Send(Connection connection, long dueAt)
    {
        connection.DueAt = dueAt;
        connection.ToSend = connection.Request.AsMemory(0, _dialogue.WriteRequest(connection.Request));
        connection.Received = 0;
        Flush(connection);
    }

    /// <summary>Sends what the kernel takes, and asks to hear when it takes the rest.</summary>
    private void Flush(Connection connection)
    {
        var taken = connection.Socket.Send(connection.ToSend.Span, SocketFlags.None, out var error);
        if (error is not SocketError.Success and not SocketError.WouldBlock) throw new BenchFailedException($"a connection failed: {error}");
        connection.ToSend = connection.ToSend[taken..];
        if (connection.WaitsToSend == !connection.ToSend.IsEmpty) return;
        connection.WaitsToSend = !connection.ToSend.IsEmpty;
        _epoll.WatchWrites(connection.Socket, connection.Token, connection.WaitsToSend);
    }

    /// <summary>Goes on with a connection that is ready; true when its answer is whole.</summary>
    private bool Continue(Connection connection)
    {
        if (connection.WaitsToSend) Flush(connection);
        var free = connection.Answer.AsSpan(connection.Received);
        if (free.IsEmpty) throw new BenchFailedException($"an answer is longer than {connection.Answer.Length} bytes");
        var received = connection.Socket.Receive(free, SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock) return false;
        if (error != SocketError.Success) throw new BenchFailedException($"a connection failed: {error}");
        if (received == 0) throw new BenchFailedException("the server closed a connection");
        connection.Received += received;
        return _dialogue.IsWholeAnswer(connection.Answer.AsSpan(0, connection.Received));
    }

    private sealed class Connection
    {
        public Connection(EndPoint server, int token, Dialogue dialogue)
        {
            Token = token;
            Request = new byte[dialogue.RequestBytesMax];
            Answer = new byte[dialogue.AnswerBytesMax];
            Socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            Socket.Connect(server);
            Socket.Blocking = false;
        }

        public Socket Socket { get; }
        public int Token { get; }
        public byte[] Request { get; }
        public byte[] Answer { get; }
        public Memory<byte> ToSend { get; set; }
        public bool WaitsToSend { get; set; }
        public int Received { get; set; }
        public long DueAt { get; set; }
    }
}
