// The owner thread: takes work from the queue, applies it to the ledger in memory, fills batches. With nothing to do it
// sleeps until something comes, a hold expires or the deadline of a withdrawal that waits is over.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Partitions;

public sealed partial class OwnedPartition
{
    /// <summary>The floor of the id window moves in steps, so that raising it is a rare entry. A step is a whole number
    /// of slices of the window, which are then dropped and not cut.</summary>
    private const long FloorStepMilliseconds = SliceMilliseconds * 3_600;
    private const long SliceMilliseconds = 1_024;
    /// <summary>Which part of the window is given up at a time when it is full, and how far it may pass its bound while
    /// the floor cannot rise.</summary>
    private const int WindowReserve = 8;
    /// <summary>How long what expires may be late, and how often is looked whether what is due may expire now.</summary>
    private static readonly TimeSpan ExpiryLateMax = TimeSpan.FromSeconds(1);
    /// <summary>How far apart batches follow one another, if the one before held so many items.</summary>
    private static readonly TimeSpan BatchPace = TimeSpan.FromMicroseconds(500);
    private const int PacedItemsMin = 8;

    private void OwnerLoop()
    {
        Func<bool> hasReason = HasReason;
        Action setAlarm = SetAlarm;
        try
        {
            while (_queue.Wait(hasReason, setAlarm))
            {
                KeepPace();
                TakeOwnerTurn();
            }
            ThrowIfStopped();
            if (_filling is not null) HandOver();
        }
#pragma warning disable CA1031 // Whatever is thrown here, the ledger in memory can no longer be trusted.
        catch (Exception e)
        {
            Stop("a rule of the ledger was broken; restart to recover from the journal", e, _filling);
            _current?.Fail(new OutcomeUnknownException(e));
        }
#pragma warning restore CA1031
        finally
        {
            _filled.Complete();
            // What was handed over while the other thread stopped, nobody takes any more: one of the two sees it.
            if (Volatile.Read(ref _stoppedBy) is { } cause) FailFilled(new OutcomeUnknownException(cause));
        }
    }

    /// <summary>Lets more come in where many do: two threads that wake and one sync cost as much as some dozens of payments,
    /// and all that wait share them. Nobody waits whose payment would be nearly alone.</summary>
    private void KeepPace()
    {
        if (_filling is not null || _itemsHandedOver < PacedItemsMin) return;
        var left = BatchPace - Stopwatch.GetElapsedTime(_handedOver);
        if (left > TimeSpan.Zero) Libc.Sleep(left);
    }

    /// <summary>Applies what is in the queue, and hands over what the disk is free for.</summary>
    internal void TakeOwnerTurn()
    {
        _alarm?.Stop();
        while (HasBatch() && HasItem())
        {
            var finished = Run(_current!, _filling ??= BeginBatch());
            _goesOn = !finished;
            if (finished) _current = null;
            if (!finished || _filling.IsFull) HandOver();
        }
        // What expires does so whether or not somebody asks for something.
        if (_filling is null && HasBatch() && HasDueExpiry()) _filling = BeginBatch();
        // With the disk busy it is better to gather more than to queue a small batch.
        if (_filling is not null && Volatile.Read(ref _batchesInSync) == 0) HandOver();
        ThrowIfStopped();
    }

    private bool HasReason() => _filling is not null ? Volatile.Read(ref _batchesInSync) == 0 : _alarm!.HasRung;

    /// <summary>A batch that is being filled is handed over soon, and the next one takes what is due.</summary>
    private void SetAlarm()
    {
        if (_filling is null) _alarm!.Set(UntilNextExpiry());
    }

    /// <summary>How long the owner may sleep for all that expires; null for ever.</summary>
    private TimeSpan? UntilNextExpiry()
    {
        if (_ledger.NextExpiry is not { } expiry) return null;
        // As far as the monotonic clock is enough; then it depends on the wall clock, which may be set.
        if (_clock.TimeBefore(expiry) is var surely && surely > TimeSpan.Zero) return surely;
        var left = TimeSpan.FromMilliseconds(expiry.Milliseconds - _clock.Peek().Milliseconds);
        if (left <= TimeSpan.Zero && TimeMayAct(_clock.IsTrusted)) return TimeSpan.Zero;
        return left > TimeSpan.Zero && left < ExpiryLateMax ? left : ExpiryLateMax;
    }

    private bool HasDueExpiry() => _ledger.NextExpiry is { } expiry && expiry <= _clock.Peek();

    /// <summary>Whether there is a batch to fill. The owner thread waits for one; a simulation, which takes the turns of
    /// both threads, must not.</summary>
    private bool HasBatch() => _filling is not null || _ownerThread is not null || _free.Count > 0;

    private bool HasItem() => _current is not null || _queue.TryTake(out _current);

    private Batch BeginBatch()
    {
        var batch = TakeFree();
        batch.Begin(_clock.Next(), _clock.IsTrusted);
        if (_courier is not null) _ledger.SendTo(batch.Legs);
        Volatile.Write(ref _batchMilliseconds, batch.Time.Milliseconds);
        if (!TimeMayAct(batch.ClockTrusted)) return batch;
        if (FloorToRaise(batch) is { } floor) batch.Apply(_ledger, new RaiseFloor(floor));
        for (var i = 0; i < _bounds.BatchExpiries && NextToExpire(batch.Time) is { } expiry; i++) batch.Apply(_ledger, expiry);
        return batch;
    }

    private Command? NextToExpire(UnixTime now) => (Command?)_ledger.NextHoldToExpire(now) ?? _ledger.NextWithdrawalToExpire(now);

    /// <summary>Whether entries that nobody asked for, but time, may be made.</summary>
    private bool TimeMayAct(bool clockTrusted) => !_storageFull && _ledger.Genesis is not null && clockTrusted;

    private Batch TakeFree()
    {
        while (!_stopped.IsCancellationRequested)
        {
            if (_free.TryTake(out var batch, Timeout.InfiniteTimeSpan)) return batch;
        }
        throw new OperationCanceledException(_stopped.Token);
    }

    /// <summary>False if the item goes on in the next batch.</summary>
    private bool Run(WorkItem item, Batch batch)
    {
        if (_storageFull && _goesOn)
        {
            // Its beginning may be on the disk already.
            item.Fail(new OutcomeUnknownException(new PartitionUnavailableException(Unavailable.StorageFull)));
            return true;
        }
        if (Refusal(item) is { } reason)
        {
            item.Fail(new PartitionUnavailableException(reason));
            return true;
        }
        var finished = item.Run(_ledger, batch);
        if (finished && !item.IsAnsweredAtOnce) batch.Items.Add(item);
        return finished;
    }

    /// <summary>Why an item cannot be run now, or null. A retry writes nothing: it is still told what came of the first
    /// time, and so is a block of nothing but retries.</summary>
    private Unavailable? Refusal(WorkItem item)
    {
        // Seen here at the latest when the batch before the last that fits was appended.
        if (_goesOn || (!_storageFull && !IsWindowFull(WindowReserve + 1))) return null;
        var isRefused = item switch
        {
            CommandItem { Command: ClientCommand { IsNamed: true } named } => IsNew(named.Owner, named.Id),
            // It adds no id.
            CommandItem => _storageFull,
            PaymentItem { Payment: var payment } => IsNew(payment.Payer, payment.Id),
            PaymentBlock block => HasNew(block.Payments[..block.Count]),
            // Credits from other partitions, and their acknowledgements, add no id.
            _ => item.Writes && _storageFull,
        };
        return !isRefused ? null : _storageFull ? Unavailable.StorageFull : Unavailable.Busy;
    }

    private bool HasNew(ReadOnlySpan<Payment> payments)
    {
        foreach (ref readonly var payment in payments)
        {
            if (payment.IsWellFormed && IsNew(payment.Payer, payment.Id)) return true;
        }
        return false;
    }

    private bool IsNew(WalletId owner, OperationId id) => _ledger.FindId(owner, id) is null;

    private void HandOver()
    {
        _ledger.CheckConservation();
        _filling!.Wallets = _ledger.WalletCount;
        Stated?.Exchange(_ledger);
        _filling.Capture = _snapshots?.EndBatch(_ledger, _filling.Payload.Length);
        Interlocked.Increment(ref _batchesInSync);
        (_handedOver, _itemsHandedOver) = (Stopwatch.GetTimestamp(), _filling.Items.Count);
        var batch = _filling;
        _filling = null;
        if (!TrySyncAlone(batch)) _filled.Add(batch);
    }

    /// <summary>Where the floor of the id window should stand, or null to leave it.</summary>
    private UnixTime? FloorToRaise(Batch batch)
    {
        // Ids that a wrong clock let in may lie ahead of now; the floor follows the time then, slice by slice and not batch by
        // batch, as looking for it costs a walk over all slices.
        var highest = batch.Time.Milliseconds / SliceMilliseconds * SliceMilliseconds;
        if (_ledger.Floor.Milliseconds >= highest) return null;
        if (IsWindowFull(WindowReserve) && _ledger.FloorFor(LessReserve(_bounds.WindowIds), LessReserve(_bounds.WindowBytes)) is { } early)
        {
            // Memory is finite: give up the oldest part of what is left of the window, and say so.
            early = new UnixTime(Math.Min(early.Milliseconds, highest));
            if (early <= _ledger.Floor) return null;
            _log.WindowFull(_ledger.WindowUse.Ids, _ledger.WindowUse.Bytes, early);
            return early;
        }
        var due = batch.Time.Milliseconds - Limits.WindowMillisecondsMin;
        return due - _ledger.Floor.Milliseconds >= FloorStepMilliseconds ? new UnixTime(due - (due % FloorStepMilliseconds)) : null;
    }

    /// <summary>Whether ids or their memory have come to so many parts of their bound.</summary>
    private bool IsWindowFull(int parts)
    {
        var (ids, bytes) = _ledger.WindowUse;
        return ids >= (long)_bounds.WindowIds * parts / WindowReserve || bytes >= _bounds.WindowBytes / WindowReserve * parts;
    }

    /// <summary>What is left of a bound when a part of it is given up.</summary>
    private static int LessReserve(int bound) => bound - (bound / WindowReserve);

    private static long LessReserve(long bound) => bound - (bound / WindowReserve);
}
