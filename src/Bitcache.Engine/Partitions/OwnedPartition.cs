// The single writer of one ledger. The owner thread takes commands and questions from the queue, applies them to
// the ledger in memory and fills a batch; the sync thread appends the batch to the journal and only then has everything
// in it answered. While one batch is being synced the next is being filled: group commit.
//
//   callers -> queue -> owner thread: apply, fill batch -> sync thread: append, fdatasync -> thread pool: answer
//
// A few payments that come alone take the same way without the change of threads: the owner syncs them itself.
//
// After a failed write or sync, or a broken rule, nobody is answered and the process stops: memory may be ahead of
// the journal, and only a new start from the journal can tell what is true.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Partitions;

/// <summary>A partition of which this process is the single writer, from the beginning to its end.</summary>
public sealed partial class OwnedPartition : Partition
{
    private const int BatchesMax = 2;
    /// <summary>Of a batch that the owner makes durable itself: as many as come while a disk syncs, from clients that pay one by one.</summary>
    internal const int AloneEntriesMax = 64;
    private static readonly TimeSpan IdleBeforeSeal = TimeSpan.FromMilliseconds(50);

    private readonly Ledger _ledger;
    private readonly IJournal _journal;
    private readonly BatchClock _clock;
    private readonly ILogger _log;
    private readonly FatalHandler _fatal;
    private readonly SaltSource _drawSalts;
    private readonly PartitionBounds _bounds;
    private readonly SnapshotKeeper? _snapshots;
    private readonly LegCourier? _courier;
    private readonly WorkQueue _queue;
    private readonly BatchQueue _free = new();
    private readonly BatchQueue _filled = new();
    private Alarm? _alarm;
    private Thread? _ownerThread;
    private Thread? _syncThread;
    // Owned by the owner thread: the batch that is being filled, the item that is being run, and whether it has begun
    // in an earlier batch.
    private Batch? _filling;
    private WorkItem? _current;
    private bool _goesOn;
    private long _batchMilliseconds;
    private long _handedOver;
    private int _itemsHandedOver;
    // Held by whoever makes a batch durable or lets the journal rest.
    private readonly Lock _syncTurn = new();
    // Under that lock: when was appended last, on the monotonic clock, and whether the owner has synced since the sync thread's
    // last turn.
    private long _lastAppend;
    private bool _ownerSynced;
    private int _batchesInSync;
    // Written under that lock, read by the owner: wallets whose making is durable.
    private int _durableWallets;
    private volatile bool _storageFull;
    private volatile bool _stopping;
    private readonly CancellationTokenSource _stopped = new();
    private Exception? _stoppedBy;
    // What is told to whoever comes when nobody takes from the queue any more.
    private volatile Exception? _over;

    /// <param name="ledger">Recovered from the journal; owned by the partition from here on.</param>
    /// <param name="journal">Open, and positioned behind the ledger's last entry.</param>
    /// <param name="drawSalts">Where salts come from; the system's generator unless a simulation gives its own.</param>
    /// <param name="bounds">How much it takes; null for the bounds of production.</param>
    /// <param name="snapshots">Takes snapshots as it goes on; null for none. Its thread is the caller's to start.</param>
    /// <param name="courier">Carries what is paid to wallets of other partitions; null where there are none.</param>
    public OwnedPartition(
        Ledger ledger, IJournal journal, BatchClock clock, ILogger log, FatalHandler fatal,
        SaltSource? drawSalts = null, PartitionBounds? bounds = null, SnapshotKeeper? snapshots = null,
        LegCourier? courier = null) : base(ledger.Partition)
    {
        (_bounds, _snapshots, _courier, _durableWallets) = (bounds ?? new PartitionBounds(), snapshots, courier, ledger.WalletCount);
        (ledger.AheadIdsMax, ledger.AheadSlicesMax) = (_bounds.AheadIds, _bounds.AheadSlices);
        _queue = new WorkQueue(_bounds.QueueItems);
        (_ledger, _journal, _clock, _log, _fatal, _drawSalts) = (ledger, journal, clock, log, fatal, drawSalts ?? ClientIds.DrawSalts);
        for (var i = 0; i < BatchesMax; i++) _free.Add(new Batch(_bounds, _journal, _drawSalts));
        _storageFull = !Reserve();
    }

    /// <summary>Starts both threads. A simulation takes their turns itself instead.</summary>
    public void Start()
    {
        _alarm = _clock.NewAlarm(_queue.Wake);
        // A journal that others share may take its time, in which the owner has questions to answer; and so it has where other
        // partitions ask whose a wallet is before they pay.
        SyncsAlone = !_journal.IsShared && _courier is null;
        _ownerThread = new Thread(OwnerLoop) { Name = $"partition {_ledger.Partition} owner" };
        _syncThread = new Thread(SyncLoop) { Name = $"partition {_ledger.Partition} sync" };
        _ownerThread.Start();
        _syncThread.Start();
    }

    public override bool IsOwned => true;
    public override long DurableSequence => _journal.DurableSequence;

    /// <summary>Whether the owner makes small batches durable itself. <see cref="Start"/> decides; a simulation says it for each of
    /// the owner's turns.</summary>
    internal bool SyncsAlone { get; set; }

    /// <summary>From where it learns that books are closed; null where whoever closes them gives all balances back himself.</summary>
    internal StatedEpochs? Stated { get; init; }

    /// <summary>What stopped it; null if nothing has.</summary>
    internal Exception? StoppedBy => Volatile.Read(ref _stoppedBy);

    /// <summary>The ledger and where it stands, once it was disposed of and nothing had stopped it: all of it is durable.</summary>
    internal (Ledger Ledger, Hash256 ChainHash) Left => (_ledger, _journal.ChainHash);

    public override bool IsStorageFull => _storageFull;
    public override int QueuedItems => _queue.Cost;
    public override bool IsBusy => _queue.Cost >= _bounds.QueueItems;
    public override bool IsClockTrusted => _clock.IsTrusted;

    /// <summary>The time of the newest batch, whether or not it holds entries.</summary>
    public UnixTime BatchTime => new(Volatile.Read(ref _batchMilliseconds));

    public override async Task<Answer> SubmitAsync(Command command, uint tenant = Ledger.OperatorTenant, long term = 0)
    {
        var item = new CommandItem(command, tenant, term);
        Enqueue(item);
        var applied = await item.Done;
        if (applied.Outcome == Outcome.Known) return Recall((ClientCommand)command, applied);
        var entry = applied.Record is null ? null : Entry.Read(applied.Record);
        return new Answer(applied.Outcome, entry, applied.Owner, applied.Payee) { Payees = applied.Payees, Record = applied.Record };
    }

    public override ValueTask<PaymentAnswer> SubmitAsync(in Payment payment, uint tenant)
    {
        var item = new PaymentItem(this, payment, tenant);
        var answer = item.AnswerAsync();
        Enqueue(item);
        return answer;
    }

    public override ValueTask SubmitAsync(PaymentBlock block)
    {
        var done = block.Begin(_ledger);
        if (block.Count == 0) block.Complete();
        else Enqueue(block);
        return done;
    }

    /// <summary>What came of a payment the first time. Reads the journal, on the caller's thread.</summary>
    internal PaymentAnswer Recall(in Payment payment, in PaymentAnswer known)
    {
        var entry = ReadEntry(known.Sequence);
        return entry.Command is PaymentCommand first && PaymentCommand.From(payment).HasSameTerms(first)
            ? known with { Outcome = entry.Outcome, Time = entry.Time, IsRetry = true, Amount = entry.AmountMoved, Fee = entry.Fee, Released = entry.Released }
            : new PaymentAnswer(Outcome.IdReused, 0, default, null, null);
    }

    public override Task<T> QueryAsync<T>(Func<Ledger, T> question) => AskAsync((ledger, _) => question(ledger));

    private Task<T> AskAsync<T>(Func<Ledger, Batch, T> question)
    {
        var item = new QueryItem<T>(question);
        Enqueue(item);
        return item.Done;
    }

    public override Task<Outcome> ForeseeAsync(ClientCommand command, uint tenant) =>
        AskAsync((ledger, batch) => ledger.Foresee(command, new ApplyContext(batch.Time, tenant, 0, batch.ClockTrusted)));

    public override async Task<uint?[]> OwnersAsync(WalletId[] wallets)
    {
        uint?[] Find(Ledger ledger) => Array.ConvertAll(wallets, wallet => ledger.OwnerOf(wallet, Volatile.Read(ref _durableWallets)));
        var item = new FactItem<uint?[]>(Find);
        Enqueue(item);
        var owners = await item.Done;
        // A wallet is there for ever, but that there is none only the journal's present owner can say.
        return _journal.IsShared && owners.Contains(null) ? await QueryAsync(Find) : owners;
    }

    public override void ReadRecords(long from, long count, RecordReader reader)
    {
        try
        {
            _journal.ReadRecords(from, count, reader);
        }
        catch (JournalUnavailableException)
        {
            throw new PartitionUnavailableException(Unavailable.Busy);
        }
        catch (JournalCorruptException e)
        {
            Stop("what was durable is damaged", e, null);
            throw;
        }
    }

    public override long? FindForgottenId(WalletId owner, OperationId id)
    {
        try
        {
            return _journal.FindId(owner, id);
        }
        catch (Exception e) when (e is IdsNotIndexedException or JournalUnavailableException)
        {
            throw new PartitionUnavailableException(Unavailable.Busy);
        }
        catch (JournalCorruptException e)
        {
            Stop("what was durable is damaged", e, null);
            throw;
        }
    }

    public override async Task<bool> ConfirmClockAsync()
    {
        if (!await QueryAsync(_ => _clock.Confirm())) return false;
        await SubmitAsync(new ConfirmClock());
        return true;
    }

    public override Task<LedgerTime> TimeAsync() => AskAsync((_, batch) => new LedgerTime(batch.Time, batch.ClockTrusted));

    public override async ValueTask DisposeAsync()
    {
        _stopping = true;
        _queue.Complete();
        await Task.Run(() =>
        {
            _ownerThread?.Join();
            _syncThread?.Join();
        });
        if (_alarm is not null) await _alarm.DisposeAsync();
        TurnAway(new PartitionUnavailableException(Unavailable.Stopping));
        _snapshots?.Dispose();
        _snapshots?.LetGo(_ledger);
        _journal.Dispose();
        _queue.Dispose();
        _stopped.Dispose();
    }

    /// <summary>The first answer of a known id, from the entry it left, with today's balances.</summary>
    private Answer Recall(ClientCommand command, in Applied applied)
    {
        var record = ReadRecord(applied.Sequence);
        var entry = Entry.Read(record, applied.Sequence);
        var same = entry.Command is ClientCommand first && first.GetType() == command.GetType() && command.HasSameTerms(first);
        return same
            ? new Answer(entry.Outcome, entry, applied.Owner, applied.Payee, IsRetry: true) { Payees = applied.Payees, Record = record }
            : new Answer(Outcome.IdReused, null, null, null);
    }

    internal override bool TryEnqueue(WorkItem item)
    {
        if (Volatile.Read(ref _stoppedBy) is not null || !_queue.TryAdd(item)) return false;
        // It may have come in behind the last look of whoever took from the queue: one of the two sees the other.
        if (_over is not null) FailQueued();
        return true;
    }

    internal void Enqueue(WorkItem item)
    {
        ThrowIfStopped();
        if (TryEnqueue(item)) return;
        ThrowIfStopped();
        throw new PartitionUnavailableException(_stopping ? Unavailable.Stopping : Unavailable.Busy);
    }

    /// <summary>Promises nobody anything, and ends the process. Only a simulation's handler returns: then everybody
    /// who waits learns that the outcome is unknown.</summary>
    private void Stop(string why, Exception cause, Batch? batch)
    {
        if (Interlocked.CompareExchange(ref _stoppedBy, cause, null) is null) _fatal(why, cause);
        _queue.Complete();
        _stopped.Cancel();
        _free.Complete();
        var unknown = new OutcomeUnknownException(cause);
        foreach (var item in batch?.Items ?? []) item.Fail(unknown);
        FailFilled(unknown);
        TurnAway(unknown);
    }

    private void FailFilled(Exception reason)
    {
        while (_filled.TryTake(out var waiting, TimeSpan.Zero)) waiting.Items.ForEach(item => item.Fail(reason));
    }

    /// <summary>Nobody takes from the queue any more: what is in it, and what still comes in, fails.</summary>
    private void TurnAway(Exception reason)
    {
        _over ??= reason;
        Interlocked.MemoryBarrier();
        FailQueued();
    }

    private void FailQueued()
    {
        while (_queue.TryTake(out var item)) item.Fail(_over!);
    }

    private void ThrowIfStopped()
    {
        if (Volatile.Read(ref _stoppedBy) is { } cause) throw new OutcomeUnknownException(cause);
    }
}
