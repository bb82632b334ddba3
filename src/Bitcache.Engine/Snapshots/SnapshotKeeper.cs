// Takes snapshots of one partition while it goes on:
//
//   owner thread: is one due? hold the state -> sync thread: what it holds is durable -> this thread: write, verify, name
//
// The owner's part is one pass over the pages' numbers; from then on it copies a page of rows before the first change to it.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Snapshots;

/// <summary>When snapshots are taken, and the thread that writes them.</summary>
public sealed class SnapshotKeeper : IDisposable
{
    private readonly SnapshotFolder _folder;
    private readonly SnapshotSettings _settings;
    private readonly ILogger _logger;
    private readonly AutoResetEvent _wake = new(false);
    private readonly CancellationTokenSource _stop = new();
    private readonly Stopwatch _watch = new();
    private Thread? _thread;
    private long _paced;
    private int _taken;
    // Owned by the owner thread: the state that is held, and what was written to the journal since the last one.
    private LedgerCapture? _held;
    private long _lastSequence;
    private long _bytes;
    // Handed from thread to thread, and back when it is done. There is one at a time.
    private volatile Job? _job;
    private volatile bool _isRequested;

    private sealed class Job(LedgerCapture capture, Hash256 chainHash)
    {
        private volatile bool _isDone;

        public LedgerCapture Capture => capture;
        public Hash256 ChainHash => chainHash;

        /// <summary>Whether nobody reads what was captured any more: it may be released.</summary>
        public bool IsDone => _isDone;

        public void End() => _isDone = true;
    }

    internal SnapshotKeeper(SnapshotFolder folder, SnapshotSettings settings, long startedAt, ILogger logger)
    {
        settings.Check();
        (_folder, _settings, _lastSequence, _logger) = (folder, settings, startedAt, logger);
    }

    /// <summary>Snapshots that were taken since the start.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Whether one is being written.</summary>
    public bool IsWriting => _job is { IsDone: false };

    /// <summary>Has one taken at the end of the next batch, although none is due.</summary>
    public void Request() => _isRequested = true;

    /// <summary>Takes one now, for whoever has the ledger and its journal to himself.</summary>
    public void TakeNow(Ledger ledger, IJournal journal)
    {
        Request();
        if (EndBatch(ledger, 0) is not { } capture) return;
        Write(capture, journal.ChainHash);
        TakeTurn();
    }

    /// <summary>Starts the thread.</summary>
    /// <param name="fatal">Told when the process must end.</param>
    public void Start(FatalHandler fatal)
    {
        _thread = new Thread(() => Run(fatal)) { Name = "snapshots" };
        _thread.Start();
    }

    /// <summary>Ends the thread; a snapshot that is being written is given up.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _wake.Set();
        _thread?.Join();
        _wake.Dispose();
        _stop.Dispose();
    }

    /// <summary>Gives back the state that is held, once the thread has ended: whoever has the ledger next may hold it, too.</summary>
    internal void LetGo(Ledger ledger)
    {
        if (_held is not null) ledger.Release(_held);
        (_held, _job) = (null, null);
    }

    /// <summary>On the owner thread, at the end of a batch: holds the ledger's state if a snapshot is due.</summary>
    /// <param name="bytes">Of the batch.</param>
    /// <returns>What is to be given to <see cref="Write"/> once the batch is durable; null as a rule.</returns>
    internal LedgerCapture? EndBatch(Ledger ledger, int bytes)
    {
        _bytes += bytes;
        if (_held is not null && _job is { IsDone: true } done && done.Capture == _held)
        {
            ledger.Release(_held);
            (_held, _job) = (null, null);
        }
        // A snapshot between the cut of an epoch and its statement would leave the epoch without one if the process ended.
        if (_held is not null || ledger.HasBalances || !IsDue(ledger.NextSequence - _lastSequence)) return null;
        (_lastSequence, _bytes, _isRequested) = (ledger.NextSequence, 0, false);
        return _held = ledger.Capture();
    }

    /// <summary>On the sync thread: everything that was captured is durable.</summary>
    /// <param name="chainHash">Of the journal's frame that holds the last of it.</param>
    internal void Write(LedgerCapture capture, Hash256 chainHash)
    {
        _job = new Job(capture, chainHash);
        _wake.Set();
    }

    /// <summary>Writes the snapshot that is due; false if none is.</summary>
    internal bool TakeTurn()
    {
        if (_job is not { IsDone: false } job) return false;
        try
        {
            _watch.Restart();
            _paced = 0;
            var name = _folder.Save(job.Capture, job.ChainHash, _settings.Kept, Pace);
            Volatile.Write(ref _taken, _taken + 1);
            _logger.SnapshotTaken(_folder.PathOf(name), name.NextSequence, name.Bytes, _watch.ElapsedMilliseconds);
        }
        catch (IOException e) when (e is NoSpaceException or SnapshotDamagedException)
        {
            _logger.SnapshotNotTaken(job.Capture.NextSequence, e.Message);
        }
        job.End();
        return true;
    }

    private bool IsDue(long entries) =>
        entries > 0 && (entries >= _settings.Entries || _bytes >= _settings.JournalBytes || _isRequested);

    private void Run(FatalHandler fatal)
    {
        Libc.GiveWay();
        try
        {
            while (_wake.WaitOne() && !_stop.IsCancellationRequested) TakeTurn();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // A disk that fails here is not to be trusted elsewhere.
        catch (Exception e)
        {
            fatal("a snapshot could not be written because the disk failed; restart to recover from what is durable", e);
        }
#pragma warning restore CA1031
    }

    private void Pace(int bytes)
    {
        _paced += bytes;
        if (_settings.BytesPerSecond == 0) return;
        var ahead = TimeSpan.FromSeconds((double)_paced / _settings.BytesPerSecond) - _watch.Elapsed;
        if (ahead > TimeSpan.Zero) _stop.Token.WaitHandle.WaitOne(ahead);
        _stop.Token.ThrowIfCancellationRequested();
    }
}
