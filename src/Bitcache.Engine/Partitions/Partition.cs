// The single writer of one ledger. The owner thread takes commands and questions from the queue, applies them to
// the ledger in memory and fills a batch; the sync thread appends the batch to the journal and only then has everything
// in it answered. While one batch is being synced the next is being filled: group commit.
//
//   callers -> queue -> owner thread: apply, fill batch -> sync thread: append, fdatasync -> thread pool: answer
//
// After a failed write or sync, or a broken rule, nobody is answered and the process stops: memory may be ahead of
// the journal, and only a new start from the journal can tell what is true.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Partitions;

/// <summary>Ends the process when it must not go on. Does not return in production.</summary>
/// <param name="why">A sentence for the operator.</param>
/// <param name="cause">What was caught.</param>
public delegate void FatalHandler(string why, Exception cause);

/// <summary>Takes one of several records; its bytes are valid only during the call.</summary>
/// <param name="at">Which one was asked for.</param>
internal delegate void EachRecordReader(int at, ReadOnlySpan<byte> record);

public sealed partial class Partition : IAsyncDisposable
{
    private const int BatchesMax = 2;
    /// <summary>Entries that are read past rather than looked up anew: as many payments as one chunk of the journal holds at
    /// most, so that no chunk is read twice.</summary>
    private const int RunGapMax = SegmentIndex.ChunkBytes / Limits.PaymentRecordBytesMin;
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
    // Owned by the sync thread, on the monotonic clock.
    private long _lastAppend;
    private int _batchesInSync;
    // Written by the sync thread, read by the owner: wallets whose making is durable.
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
    public Partition(
        Ledger ledger, IJournal journal, BatchClock clock, ILogger log, FatalHandler fatal,
        SaltSource? drawSalts = null, PartitionBounds? bounds = null, SnapshotKeeper? snapshots = null,
        LegCourier? courier = null)
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
        _ownerThread = new Thread(OwnerLoop) { Name = $"partition {_ledger.Partition} owner" };
        _syncThread = new Thread(SyncLoop) { Name = $"partition {_ledger.Partition} sync" };
        _ownerThread.Start();
        _syncThread.Start();
    }

    public int Number => _ledger.Partition;
    public long DurableSequence => _journal.DurableSequence;
    public bool IsStorageFull => _storageFull;
    public int QueuedItems => _queue.Cost;
    /// <summary>Whether the queue takes nothing more now.</summary>
    public bool IsBusy => _queue.Cost >= _bounds.QueueItems;
    public bool IsClockTrusted => _clock.IsTrusted;

    /// <summary>The time of the newest batch, whether or not it holds entries.</summary>
    public UnixTime BatchTime => new(Volatile.Read(ref _batchMilliseconds));

    /// <summary>Applies a command, makes it durable, and answers. A retry under a known id gets the first answer.</summary>
    /// <param name="term">Under which the settlement sends it: see <see cref="Settlement.SettlementTerm"/>.</param>
    /// <exception cref="PartitionUnavailableException">Not applied; a retry is safe.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps applied; a retry with the same id tells.</exception>
    public async Task<Answer> SubmitAsync(Command command, uint tenant = Ledger.OperatorTenant, long term = 0)
    {
        var item = new CommandItem(command, tenant, term);
        Enqueue(item);
        var applied = await item.Done;
        if (applied.Outcome == Outcome.Known) return Recall((ClientCommand)command, applied);
        var entry = applied.Record is null ? null : Entry.Read(applied.Record);
        return new Answer(applied.Outcome, entry, applied.Owner, applied.Payee) { Payees = applied.Payees };
    }

    /// <summary>Applies a payment, makes it durable, and answers. A retry under a known id gets the first answer.</summary>
    /// <exception cref="PartitionUnavailableException">Not applied; a retry is safe.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps applied; a retry with the same id tells.</exception>
    public ValueTask<PaymentAnswer> SubmitAsync(in Payment payment, uint tenant)
    {
        var item = new PaymentItem(this, payment, tenant);
        var answer = item.AnswerAsync();
        Enqueue(item);
        return answer;
    }

    /// <summary>Applies the payments of a block and makes them durable; then the block's results are its answer.</summary>
    /// <exception cref="PartitionUnavailableException">None was applied; a retry is safe.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps some were applied; a retry with the same ids tells.</exception>
    public ValueTask SubmitAsync(PaymentBlock block)
    {
        var done = block.Begin();
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

    /// <summary>Turns each result of a block that says <see cref="Outcome.Known"/> into what came of the payment the
    /// first time, or into <see cref="Outcome.IdReused"/> where it asks for something else than then. Reads the journal, on
    /// the caller's thread: a batch that is sent again finds its entries beside one another.</summary>
    public void Recall(PaymentBlock block)
    {
        var known = new List<int>();
        for (var i = 0; i < block.Count; i++)
        {
            if (block.Results[i].Outcome == Outcome.Known) known.Add(i);
        }
        known.Sort((a, b) => block.Results[a].Sequence.CompareTo(block.Results[b].Sequence));
        ReadEach([.. known.Select(at => block.Results[at].Sequence)], (i, record) => Recall(block, known[i], record));
    }

    private static void Recall(PaymentBlock block, int at, ReadOnlySpan<byte> record)
    {
        var entry = Entry.Read(record);
        var same = entry.Command is PaymentCommand first && PaymentCommand.From(block.Payments[at]).HasSameTerms(first);
        block.Results[at] = same ? block.Results[at].Recalled(entry) : new PaymentResult(Outcome.IdReused);
    }

    /// <summary>Asks the ledger something on its own thread. The answer is given when what it saw is durable.</summary>
    public Task<T> QueryAsync<T>(Func<Ledger, T> question) => AskAsync((ledger, _) => question(ledger));

    private Task<T> AskAsync<T>(Func<Ledger, Batch, T> question)
    {
        var item = new QueryItem<T>(question);
        Enqueue(item);
        return item.Done;
    }

    /// <summary>What would come of a command now; see <see cref="Ledger.Foresee"/>.</summary>
    public Task<Outcome> ForeseeAsync(ClientCommand command, uint tenant) =>
        AskAsync((ledger, batch) => ledger.Foresee(command, new ApplyContext(batch.Time, tenant, 0, batch.ClockTrusted)));

    /// <summary>Who owns wallets: null for one that is not there, or whose making is not durable yet. Answered at once.</summary>
    public async Task<uint?[]> OwnersAsync(WalletId[] wallets)
    {
        uint?[] Find(Ledger ledger) => Array.ConvertAll(wallets, wallet => ledger.OwnerOf(wallet, Volatile.Read(ref _durableWallets)));
        var item = new FactItem<uint?[]>(Find);
        Enqueue(item);
        var owners = await item.Done;
        // A wallet is there for ever, but that there is none only the journal's present owner can say.
        return _journal.IsShared && owners.Contains(null) ? await QueryAsync(Find) : owners;
    }

    /// <summary>Reads a durable entry from the journal, on the caller's thread.</summary>
    public Entry ReadEntry(long sequence) => Entry.Read(ReadRecord(sequence), sequence);

    /// <summary>Reads a durable entry's record.</summary>
    /// <exception cref="JournalCorruptException">It is damaged: the process must stop.</exception>
    public byte[] ReadRecord(long sequence)
    {
        byte[]? record = null;
        ReadRecords(sequence, 1, r => record = r.ToArray());
        return record!;
    }

    /// <summary>Reads durable records in order, on the caller's thread; see <see cref="IJournal.ReadRecords"/>.</summary>
    /// <exception cref="PartitionUnavailableException">Not now; later they can be read.</exception>
    public void ReadRecords(long from, long count, RecordReader reader)
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

    /// <summary>Reads the records of sequences that are in rising order, on the caller's thread. Those that lie near one another
    /// are read in one run, so that no chunk of the journal is read twice.</summary>
    /// <param name="reader">Told which of the sequences a record covers; one may cover several.</param>
    internal void ReadEach(long[] sequences, EachRecordReader reader)
    {
        for (var first = 0; first < sequences.Length;)
        {
            var end = first + 1;
            while (end < sequences.Length && sequences[end] - sequences[end - 1] <= RunGapMax) end++;
            var next = first;
            ReadRecords(sequences[first], sequences[end - 1] - sequences[first] + 1, record =>
            {
                var (start, covered) = Entry.SequencesOf(record);
                for (; next < end && sequences[next] < start + covered; next++) reader(next, record);
            });
            first = end;
        }
    }

    /// <summary>Finds the entry of an id that the ledger has forgotten, on the caller's thread; see
    /// <see cref="IJournal.FindId"/>.</summary>
    /// <exception cref="PartitionUnavailableException">Not now; later it can be told.</exception>
    public long? FindForgottenId(WalletId owner, OperationId id)
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

    /// <summary>An operator's word that the clock is right. It counts from the batch on that follows the one which takes it,
    /// and has taken effect when this is done.</summary>
    /// <returns>False if it cannot be: see <see cref="BatchClock.Confirm"/>.</returns>
    public async Task<bool> ConfirmClockAsync()
    {
        if (!await QueryAsync(_ => _clock.Confirm())) return false;
        await SubmitAsync(new ConfirmClock());
        return true;
    }

    /// <summary>Takes no more commands, finishes those it has, seals the journal.</summary>
    public async ValueTask DisposeAsync()
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
        _journal.Dispose();
        _queue.Dispose();
        _stopped.Dispose();
    }

    /// <summary>The first answer of a known id, from the entry it left, with today's balances.</summary>
    private Answer Recall(ClientCommand command, in Applied applied)
    {
        var entry = ReadEntry(applied.Sequence);
        var same = entry.Command is ClientCommand first && first.GetType() == command.GetType() && command.HasSameTerms(first);
        return same
            ? new Answer(entry.Outcome, entry, applied.Owner, applied.Payee, IsRetry: true) { Payees = applied.Payees }
            : new Answer(Outcome.IdReused, null, null, null);
    }

    /// <summary>For items that nobody waits for; false if it takes none now.</summary>
    internal bool TryEnqueue(WorkItem item)
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
