// Follows the journals that other processes write. One statement reads where all of them end; then each copy that is behind reads
// the frames that it lacks, proves them as a recovery does, and replays them. The same look answers the other question: is a
// copy as new as whatever was acknowledged before somebody asked? It is at the end of a look that began after that.

using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

/// <summary>Somebody's copy of a partition, which follows its journal.</summary>
internal interface IJournalFollower
{
    int Partition { get; }

    /// <summary>The sequence after the last that it has. Asked by any thread.</summary>
    long NextSequence { get; }

    /// <summary>Comes to where the journal ended when it was looked at. Called by one thread at a time.</summary>
    void CatchUp(in JournalHead head);
}

/// <summary>Follows any number of partitions for one process, on a thread of its own.</summary>
public sealed class JournalTail : IDisposable
{
    private const string Heads = $"SELECT {JournalHead.Columns} FROM bitcache.partitions";

    /// <summary>How often is looked when nobody asks.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    /// <summary>How long after a look that failed.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);

    private readonly JournalDatabase _database;
    private readonly ILogger _logger;
    private readonly Action<Exception> _fatal;
    private readonly Thread _thread;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Lock _lock = new();
    // Under the lock.
    private IJournalFollower[] _followers = [];
    private TaskCompletionSource? _next;
    private bool _isStopped;
    private bool _isDisposed;
    // Whether word has come, since the last look began, that there is more.
    private int _hasWord;
    // Owned by the thread.
    private bool _hasFailed;
    private long _looks;
    private TimeSpan _lookTook;

    /// <param name="fatal">Told when a copy cannot follow: a journal is damaged, or an entry does not follow from those before it.</param>
    public JournalTail(JournalDatabase database, ILogger logger, Action<Exception> fatal)
    {
        (_database, _logger, _fatal) = (database, logger, fatal);
        _thread = new Thread(Run) { Name = "journal tail", IsBackground = true };
        _thread.Start();
    }

    /// <summary>How often the journals' ends were read.</summary>
    public long Looks => Volatile.Read(ref _looks);

    /// <summary>Done when every copy holds all that was durable when this was called. All who ask before the next look share it.</summary>
    /// <exception cref="JournalUnavailableException">The database could not be asked.</exception>
    /// <exception cref="ObjectDisposedException">It follows nothing any more.</exception>
    public Task FreshAsync()
    {
        lock (_lock)
        {
            if (_isStopped) return Task.FromException(new ObjectDisposedException(nameof(JournalTail)));
            _next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _wake.Set();
            return _next.Task;
        }
    }

    /// <summary>Word from whoever writes a partition that it is durable up to a sequence: its copy here need not wait for the next
    /// look. Costs little, and where it is lost the next look is soon. May be called by any thread.</summary>
    public void Wake(int partition, long sequence)
    {
        if (Volatile.Read(ref _hasWord) != 0) return;
        lock (_lock)
        {
            if (_isStopped || !Array.Exists(_followers, one => one.Partition == partition && one.NextSequence <= sequence)) return;
            if (Interlocked.Exchange(ref _hasWord, 1) == 0) _wake.Set();
        }
    }

    internal void Add(IJournalFollower follower)
    {
        lock (_lock) _followers = [.. _followers, follower];
    }

    /// <summary>No look that begins from here on comes to it; one that is under way may.</summary>
    internal void Remove(IJournalFollower follower)
    {
        lock (_lock) _followers = Array.FindAll(_followers, one => one != follower);
    }

    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        Stop();
        _wake.Set();
        _thread.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            WaitForReason();
            TaskCompletionSource? asked;
            IJournalFollower[] followers;
            lock (_lock)
            {
                if (_isStopped) return;
                (asked, _next, followers) = (_next, null, _followers);
            }
            if (asked is null && followers.Length == 0) continue;
            try
            {
                var begun = Stopwatch.GetTimestamp();
                Look(followers);
                _lookTook = Stopwatch.GetElapsedTime(begun);
                asked?.SetResult();
                if (_hasFailed) _logger.TailGoesOn(_database.Name);
                _hasFailed = false;
            }
            catch (Exception e) when (e is NpgsqlException or JournalUnavailableException)
            {
                asked?.SetException(e as JournalUnavailableException ?? new JournalUnavailableException(_database.Name, e));
                if (!_hasFailed) _logger.TailWaits(_database.Name, e.Message);
                _hasFailed = true;
            }
#pragma warning disable CA1031 // A copy that is not what the journal says must not answer anybody.
            catch (Exception e)
            {
                Stop();
                asked?.SetException(new ObjectDisposedException(nameof(JournalTail)));
                _fatal(e);
                return;
            }
#pragma warning restore CA1031
        }
    }

    /// <summary>Word alone may have the thread look for half of its time: where much is written, one look finds what many words said.</summary>
    private void WaitForReason()
    {
        var isWoken = _wake.WaitOne(_hasFailed ? RetryAfter : Pace);
        if (isWoken && Volatile.Read(ref _hasWord) != 0 && Volatile.Read(ref _next) is null) _wake.WaitOne(_lookTook < Pace ? _lookTook : Pace);
        Volatile.Write(ref _hasWord, 0);
    }

    /// <summary>Nobody is told that he is at the end any more.</summary>
    private void Stop()
    {
        lock (_lock)
        {
            _isStopped = true;
            _next?.TrySetException(new ObjectDisposedException(nameof(JournalTail)));
        }
    }

    private void Look(IJournalFollower[] followers)
    {
        Volatile.Write(ref _looks, _looks + 1);
        var heads = ReadHeads();
        foreach (var follower in followers)
        {
            // A journal that nobody has opened yet has no head.
            if (heads.TryGetValue(follower.Partition, out var head)) follower.CatchUp(head);
        }
    }

    private Dictionary<int, JournalHead> ReadHeads()
    {
        using var connection = _database.Connect();
        using var command = new NpgsqlCommand(Heads, connection);
        using var rows = command.ExecuteReader();
        var heads = new Dictionary<int, JournalHead>();
        while (rows.Read())
        {
            var head = JournalHead.Read(rows);
            heads.Add(head.Partition, head);
        }
        return heads;
    }
}
