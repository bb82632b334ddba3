// The single writer of one ledger. The owner thread takes commands and questions from the queue, applies them to
// the ledger in memory and fills a batch; the sync thread appends the batch to the journal and only then answers
// everything in it. While one batch is being synced the next is being filled: group commit.
//
//   callers -> queue -> owner thread: apply, fill batch -> sync thread: append, fdatasync, answer
//
// After a failed write or sync, or a broken rule, nobody is answered and the process stops: memory may be ahead of
// the journal, and only a new start from the journal can tell what is true.

using System.Collections.Concurrent;
using System.Threading.Channels;
using Bitcache.Core;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Partitions;

/// <summary>Ends the process when it must not go on. Does not return in production.</summary>
/// <param name="why">A sentence for the operator.</param>
/// <param name="cause">What was caught.</param>
public delegate void FatalHandler(string why, Exception cause);

public sealed class Partition : IAsyncDisposable
{
    private const int BatchesMax = 2;
    private static readonly TimeSpan IdleBeforeSeal = TimeSpan.FromMilliseconds(50);
    /// <summary>The floor of the id window moves in steps, so that raising it is a rare entry.</summary>
    private const long FloorStepMilliseconds = 3_600_000;

    private readonly Ledger _ledger;
    private readonly IJournal _journal;
    private readonly BatchClock _clock;
    private readonly ILogger _log;
    private readonly FatalHandler _fatal;
    private readonly Func<UInt128> _drawSalt;
    private readonly int _batchBytes;
    private readonly Channel<WorkItem?> _queue;
    private readonly BlockingCollection<Batch> _free = [];
    private readonly BlockingCollection<Batch> _filled = [];
    private Thread? _ownerThread;
    private Thread? _syncThread;
    // Owned by the owner thread: the batch that is being filled.
    private Batch? _filling;
    private long _batchMilliseconds;
    // Owned by the sync thread, in the system's milliseconds.
    private long _lastAppend;
    private int _batchesInSync;
    private volatile bool _storageFull;
    private volatile bool _stopping;
    private readonly CancellationTokenSource _stopped = new();
    private Exception? _stoppedBy;

    /// <param name="ledger">Recovered from the journal; owned by the partition from here on.</param>
    /// <param name="journal">Open, and positioned behind the ledger's last entry.</param>
    /// <param name="drawSalt">Where salts come from; the system's generator unless a simulation gives its own.</param>
    /// <param name="batchBytes">The size of a batch; the journal must have room for two of them.</param>
    public Partition(
        Ledger ledger, IJournal journal, BatchClock clock, ILogger log, FatalHandler fatal,
        Func<UInt128>? drawSalt = null, int batchBytes = Limits.BatchBytesMax)
    {
        _batchBytes = batchBytes;
        (_ledger, _journal, _clock, _log, _fatal, _drawSalt) = (ledger, journal, clock, log, fatal, drawSalt ?? ClientIds.Draw128);
        _queue = Channel.CreateBounded<WorkItem?>(new BoundedChannelOptions(Limits.QueueItemsMax) { SingleReader = true });
        for (var i = 0; i < BatchesMax; i++) _free.Add(new Batch(batchBytes));
        _storageFull = !Reserve();
    }

    /// <summary>Starts both threads. A simulation takes their turns itself instead.</summary>
    public void Start()
    {
        _ownerThread = new Thread(OwnerLoop) { Name = $"partition {_ledger.Partition} owner" };
        _syncThread = new Thread(SyncLoop) { Name = $"partition {_ledger.Partition} sync" };
        _ownerThread.Start();
        _syncThread.Start();
    }

    public long DurableSequence => _journal.DurableSequence;
    public bool IsStorageFull => _storageFull;
    public int QueuedItems => _queue.Reader.Count;
    public bool IsClockTrusted => _clock.IsTrusted;

    /// <summary>The time of the newest batch, whether or not it holds entries.</summary>
    public UnixTime BatchTime => new(Volatile.Read(ref _batchMilliseconds));

    /// <summary>Applies a command, makes it durable, and answers. A retry under a known id gets the first answer.</summary>
    /// <exception cref="PartitionUnavailableException">Not applied; a retry is safe.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps applied; a retry with the same id tells.</exception>
    public async Task<Answer> SubmitAsync(Command command, uint tenant = Ledger.OperatorTenant)
    {
        var item = new CommandItem(command, tenant, _drawSalt());
        Enqueue(item);
        var applied = await item.Done;
        if (applied.Outcome == Outcome.Known) return Recall((ClientCommand)command, applied);
        var entry = applied.Record is null ? null : Entry.Read(applied.Record);
        return new Answer(applied.Outcome, entry, applied.Owner, applied.Payee);
    }

    /// <summary>Asks the ledger something on its own thread. The answer is given when what it saw is durable.</summary>
    public Task<T> QueryAsync<T>(Func<Ledger, T> question)
    {
        var item = new QueryItem<T>(question);
        Enqueue(item);
        return item.Done;
    }

    /// <summary>Reads a durable entry from the journal, on the caller's thread.</summary>
    public Entry ReadEntry(long sequence) => Entry.Read(ReadRecord(sequence));

    /// <summary>Reads a durable entry's record.</summary>
    /// <exception cref="JournalCorruptException">It is damaged: the process must stop.</exception>
    public byte[] ReadRecord(long sequence)
    {
        byte[]? record = null;
        ReadRecords(sequence, 1, r => record = r.ToArray());
        return record!;
    }

    /// <summary>Reads durable records in order, on the caller's thread; see <see cref="IJournal.ReadRecords"/>.</summary>
    public void ReadRecords(long from, long count, RecordReader reader)
    {
        try
        {
            _journal.ReadRecords(from, count, reader);
        }
        catch (JournalCorruptException e)
        {
            Stop("what was durable is damaged", e, null);
            throw;
        }
    }

    /// <summary>An operator's word that the clock is right.</summary>
    public async Task ConfirmClockAsync()
    {
        await QueryAsync(_ => { _clock.Confirm(); return true; });
        await SubmitAsync(new ConfirmClock());
    }

    /// <summary>Takes no more commands, finishes those it has, seals the journal.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        _queue.Writer.TryComplete();
        await Task.Run(() =>
        {
            _ownerThread?.Join();
            _syncThread?.Join();
        });
        _journal.Dispose();
        _free.Dispose();
        _filled.Dispose();
        _stopped.Dispose();
    }

    /// <summary>The first answer of a known id, from the entry it left, with today's balances.</summary>
    private Answer Recall(ClientCommand command, in Applied applied)
    {
        var entry = ReadEntry(applied.Sequence);
        var same = entry.Command is ClientCommand first && first.GetType() == command.GetType() && command.HasSameTerms(first);
        return same
            ? new Answer(entry.Outcome, entry, applied.Owner, applied.Payee, IsRetry: true)
            : new Answer(Outcome.IdReused, null, null, null);
    }

    private void Enqueue(WorkItem item)
    {
        ThrowIfStopped();
        if (_queue.Writer.TryWrite(item)) return;
        ThrowIfStopped();
        throw new PartitionUnavailableException(_stopping ? Unavailable.Stopping : Unavailable.Busy);
    }

    private void OwnerLoop()
    {
        try
        {
            while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult()) TakeOwnerTurn();
            if (_filling is not null) HandOver();
        }
#pragma warning disable CA1031 // Whatever is thrown here, the ledger in memory can no longer be trusted.
        catch (Exception e)
        {
            Stop("a rule of the ledger was broken; restart to recover from the journal", e, _filling);
        }
#pragma warning restore CA1031
        finally
        {
            _filled.CompleteAdding();
        }
    }

    /// <summary>Applies what is in the queue, and hands over what the disk is free for.</summary>
    internal void TakeOwnerTurn()
    {
        while (_queue.Reader.TryRead(out var item))
        {
            // An empty item is the sync thread's word that it is idle.
            if (item is not null) Run(item, _filling ??= BeginBatch());
            if (_filling is { IsFull: true }) HandOver();
        }
        // With the disk busy it is better to gather more than to queue a small batch.
        if (_filling is not null && Volatile.Read(ref _batchesInSync) == 0) HandOver();
        ThrowIfStopped();
    }

    private Batch BeginBatch()
    {
        var batch = _free.Take(_stopped.Token);
        batch.Begin(_clock.Next(), _clock.IsTrusted, _journal.DurableSequence);
        Volatile.Write(ref _batchMilliseconds, batch.Time.Milliseconds);
        if (!_storageFull && FloorToRaise(batch) is { } floor)
            new CommandItem(new RaiseFloor(floor), Ledger.OperatorTenant, _drawSalt()).Run(_ledger, batch);
        return batch;
    }

    private void Run(WorkItem item, Batch batch)
    {
        // Seen here at the latest when the batch before the last that fits was appended. A retry writes nothing: it is
        // still told what came of the first time.
        if (_storageFull && item is CommandItem { Command: var command } && !IsKnown(command))
        {
            item.Fail(new PartitionUnavailableException(Unavailable.StorageFull));
            return;
        }
        batch.Items.Add(item);
        item.Run(_ledger, batch);
    }

    private bool IsKnown(Command command) => command is ClientCommand named && _ledger.FindId(named.Owner, named.Id) is not null;

    private void HandOver()
    {
        _ledger.CheckConservation();
        Interlocked.Increment(ref _batchesInSync);
        _filled.Add(_filling!);
        _filling = null;
    }

    /// <summary>Where the floor of the id window should stand, or null to leave it.</summary>
    private UnixTime? FloorToRaise(Batch batch)
    {
        if (!batch.ClockTrusted || _ledger.Genesis is null) return null;
        var due = new UnixTime(batch.Time.Milliseconds - Limits.WindowMillisecondsMin);
        if (_ledger.WindowIds >= Limits.WindowIdsMax)
        {
            // Memory is finite: give up half of what is left of the window, and say so.
            var middle = _ledger.Floor.Milliseconds + ((batch.Time.Milliseconds - _ledger.Floor.Milliseconds) / 2);
            _log.WindowFull(_ledger.WindowIds, new UnixTime(middle));
            return new UnixTime(middle);
        }
        return due.Milliseconds - _ledger.Floor.Milliseconds >= FloorStepMilliseconds ? due : null;
    }

    private void SyncLoop()
    {
        while (!_filled.IsCompleted && TakeSyncTurn(IdleBeforeSeal))
        {
        }
        if (!_stopped.IsCancellationRequested) Guarded(null, _journal.Seal);
    }

    /// <summary>Makes the next batch durable and answers it; with none for a while, seals the journal. False after
    /// a failure: nothing is ever written after it.</summary>
    internal bool TakeSyncTurn(TimeSpan patience)
    {
        return _filled.TryTake(out var batch, patience)
            ? Guarded(batch, () => Sync(batch))
            : Guarded(null, RestJournal);
    }

    /// <summary>With nothing to append for a while: seals, and looks whether there is room again.</summary>
    private void RestJournal()
    {
        _journal.Seal();
        if (_storageFull) _storageFull = !Reserve();
        _lastAppend = Environment.TickCount64;
    }

    private void Sync(Batch batch)
    {
        if (batch.Entries > 0)
        {
            _journal.Append(batch.Payload, batch.FirstSequence, batch.Entries);
            _storageFull = !Reserve();
            _lastAppend = Environment.TickCount64;
        }
        else if (Environment.TickCount64 - _lastAppend >= (long)IdleBeforeSeal.TotalMilliseconds)
        {
            // Questions alone keep this thread busy, but not the journal.
            RestJournal();
        }
        foreach (var item in batch.Items) item.Complete();
        batch.Items.Clear();
        _free.Add(batch);
        if (Interlocked.Decrement(ref _batchesInSync) == 0) _queue.Writer.TryWrite(null);
    }

    private bool Guarded(Batch? batch, Action step)
    {
        try
        {
            step();
            return true;
        }
#pragma warning disable CA1031 // Whatever is thrown here, what is on disk is unknown until it is read again.
        catch (Exception e)
        {
            Stop("the journal could not be written; restart to recover from what is durable", e, batch);
            return false;
        }
#pragma warning restore CA1031
    }

    /// <summary>Makes room for two batches: the next one to be synced and the one that is filled meanwhile. Where there
    /// is room for one only, that one may be filled already and is the last.</summary>
    private bool Reserve()
    {
        if (_journal.TryReserve(2 * _batchBytes)) return true;
        _journal.TryReserve(_batchBytes);
        return false;
    }

    /// <summary>Promises nobody anything, and ends the process. Only a simulation's handler returns: then everybody
    /// who waits learns that the outcome is unknown.</summary>
    private void Stop(string why, Exception cause, Batch? batch)
    {
        if (Interlocked.CompareExchange(ref _stoppedBy, cause, null) is null) _fatal(why, cause);
        _queue.Writer.TryComplete();
        _stopped.Cancel();
        var unknown = new OutcomeUnknownException(cause);
        foreach (var item in batch?.Items ?? []) item.Fail(unknown);
        while (_filled.TryTake(out var waiting)) waiting.Items.ForEach(item => item.Fail(unknown));
        while (_queue.Reader.TryRead(out var item)) item?.Fail(unknown);
    }

    private void ThrowIfStopped()
    {
        if (Volatile.Read(ref _stoppedBy) is { } cause) throw new OutcomeUnknownException(cause);
    }
}
