// The sync thread: makes batches durable, one after the other, and hands their items to the thread pool to be answered. A
// simulation, which takes its turns, answers them itself. A batch that is small and comes alone the owner thread makes
// durable in its place: that is done sooner than another thread is awake.

namespace Bitcache.Engine.Partitions;

public sealed partial class OwnedPartition
{
    private void SyncLoop()
    {
        while (!_filled.IsCompleted && TakeSyncTurn(IdleBeforeSeal))
        {
        }
        if (!_stopped.IsCancellationRequested) Guarded(null, static (partition, _) => partition._journal.Seal());
    }

    /// <summary>Makes the next batch durable and has it answered; with none for a while, seals the journal. False after
    /// a failure: nothing is ever written after it.</summary>
    internal bool TakeSyncTurn(TimeSpan patience)
    {
        var isThere = _filled.TryTake(out var batch, patience);
        lock (_syncTurn)
        {
            // The owner may have kept the journal busy meanwhile, or failed at it.
            var rests = !_ownerSynced && StoppedBy is null;
            _ownerSynced = false;
            if (isThere) return Guarded(batch, static (partition, filled) => partition.Sync(filled!));
            return !rests || Guarded(null, static (partition, _) => partition.RestJournal());
        }
    }

    /// <summary>Makes a batch durable here, on the owner thread; false if that is the sync thread's to do.</summary>
    private bool TrySyncAlone(Batch batch)
    {
        if (!SyncsAlone || batch.Entries > AloneEntriesMax || Volatile.Read(ref _batchesInSync) > 1) return false;
        // The other thread may be sealing: whoever syncs would have to wait for that.
        lock (_syncTurn)
        {
            if (StoppedBy is not null) return false;
            _ownerSynced = Guarded(batch, static (partition, filled) => partition.Sync(filled!));
        }
        return true;
    }

    /// <summary>With nothing to append for a while: seals, and looks whether there is room again.</summary>
    private void RestJournal()
    {
        _journal.Seal();
        if (_storageFull) _storageFull = !Reserve();
        _lastAppend = _clock.MonotonicMilliseconds;
    }

    private void Sync(Batch batch)
    {
        if (batch.Entries > 0)
        {
            _journal.Append(batch.Payload, batch.FirstSequence, batch.Entries);
            _storageFull = !Reserve();
            _lastAppend = _clock.MonotonicMilliseconds;
        }
        else
        {
            // Questions alone: what they saw was durable, and must not be another owner's past. One check for all of them.
            if (batch.Items.Count > 0) _journal.Confirm();
            RestIfIdle();
        }
        Volatile.Write(ref _durableWallets, batch.Wallets);
        if (batch.Legs.Count > 0) _courier!.Depart(batch.Legs);
        if (batch.Capture is not null) _snapshots!.Write(batch.Capture, _journal.ChainHash);
        if (_syncThread is not null) Answers.Hand(batch.Items);
        else batch.Items.ForEach(item => item.Complete());
        batch.Items.Clear();
        _free.Add(batch);
        if (Interlocked.Decrement(ref _batchesInSync) == 0) _queue.Wake();
    }

    /// <summary>Questions alone keep this thread busy, but not the journal.</summary>
    private void RestIfIdle()
    {
        if (_clock.MonotonicMilliseconds - _lastAppend >= (long)IdleBeforeSeal.TotalMilliseconds) RestJournal();
    }

    /// <param name="step">Takes all it needs as arguments: it comes with every batch, and nothing is allocated for it.</param>
    private bool Guarded(Batch? batch, Action<OwnedPartition, Batch?> step)
    {
        try
        {
            step(this, batch);
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
        if (_journal.TryReserve(2 * _bounds.BatchBytes, batches: 2)) return true;
        _journal.TryReserve(_bounds.BatchBytes);
        return false;
    }
}
