// How a partition changes from a copy to the writer and back. One change at a time; while it lasts callers wait.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Snapshots;
using Npgsql;

namespace Bitcache.Engine.Partitions;

public sealed partial class SharedPartition
{
    private async Task TakeOverAsync(LedgerFollower follower)
    {
        Give();
        var (ledger, start) = End(follower);
        try
        {
            await Task.Run(() => Begin(ledger, start));
        }
        catch (Exception e) when (IsOfTheDatabase(e))
        {
            // The ledger may have gone on a part of the way. Whoever wanted it taken over need not wait for a database that is away.
            _loadingAgain = Task.Run(() => LoadAgainAsync(null));
            throw e as JournalRefusedException ?? new JournalRefusedException($"partition {Number} cannot be taken over now: {e.Message}", e);
        }
        catch (Exception e)
        {
            _shared.Fatal("a partition could not be taken over because its journal does not follow from its ledger", e);
            throw;
        }
    }

    /// <summary>First it answers nobody any more, and then it follows no more: a look that does not come to it must not make its
    /// answers fresh.</summary>
    private (Ledger Ledger, JournalStart? Start) End(LedgerFollower follower)
    {
        var left = follower.End();
        _shared.Tail.Remove(follower);
        return left;
    }

    /// <summary>Whoever was replaced learns it only when he asks.</summary>
    private static async Task<bool> IsStillWriterAsync(OwnedPartition owned)
    {
        try
        {
            return await owned.QueryAsync(_ => true);
        }
        catch (OutcomeUnknownException)
        {
            return false;
        }
        catch (PartitionUnavailableException)
        {
            // He has too much to do to be told now.
            return true;
        }
    }

    /// <summary>Begins to write, behind whatever was written before.</summary>
    private void Begin(Ledger ledger, JournalStart? start)
    {
        var scratch = new byte[Limits.RecordBytesMax];
        var files = new PostgresFiles(_shared.Database, Number);
        var folder = new SnapshotFolder(files, "/", Number, _shared.Logger);
        var journal = PostgresJournal.Open(
            _shared.Database, Number, batch => ledger.ReplayBatch(batch.Payload, scratch), _shared.Logger, _ => Accept(ledger), start);
        files.Epoch = journal.Recovery.WriterEpoch;
        var snapshots = new SnapshotKeeper(folder, _shared.Terms.Snapshots, start?.NextSequence ?? 0, _shared.Logger);
        // Made now and from the ledger's time: a clock of before knows nothing of the batches that others have made.
        var clock = new BatchClock(_shared.Time, ledger.Genesis is null ? null : ledger.Time);
        OwnedPartition? owned = null;
        owned = new OwnedPartition(
            ledger, _shared.Between?.Invoke(journal) ?? journal, clock, _shared.Logger, (why, cause) => EndOf(owned!, why, cause), bounds: _shared.Bounds, snapshots: snapshots,
            courier: _shared.Courier)
        {
            Stated = _shared.Stated,
        };
        _shared.Courier?.Learn(Number, ledger.LaneEnds());
        Take(owned, null);
        owned.Start();
        _shared.Courier?.Begin(Number);
        Watch(new Watcher(this, owned, journal.Recovery.WriterEpoch));
        snapshots.Start((why, cause) => EndOf(owned, why, cause));
        journal.StartUpkeep(cause => _shared.Fatal("a run of batches or its filter cannot be relied on; restart to recover from what is durable", cause));
        _shared.Logger.PartitionTaken(Number, journal.Recovery.WriterEpoch, ledger.NextSequence);
    }

    private void Accept(Ledger ledger)
    {
        if (ledger.NextSequence > 0) ledger.CheckConservation();
        _shared.Terms.Accept?.Invoke(ledger);
    }

    private async Task EndOwningAsync(OwnedPartition owned)
    {
        // What stops it from here on does not step down by itself.
        if (Give().Owned is null) return;
        try
        {
            await FollowOnAsync(owned);
        }
        catch (Exception e)
        {
            // Neither writer nor copy: callers would wait in vain from here on.
            _shared.Fatal("a ledger that was handed on could not be followed", e);
            throw;
        }
        if (owned.StoppedBy is { } cause) _shared.Logger.PartitionSteppedDown(Number, cause.Message);
        else _shared.Logger.PartitionHandedOn(Number, DurableSequence + 1);
    }

    /// <summary>Has a writer finish. Where nothing stopped it all of its ledger is durable.</summary>
    private async Task FollowOnAsync(OwnedPartition owned)
    {
        await owned.DisposeAsync();
        if (owned.StoppedBy is not null || _isEnding)
        {
            await LoadAsync();
            return;
        }
        var (ledger, chain) = owned.Left;
        Follow(ledger, LedgerFollower.StartOf(ledger, chain));
    }

    /// <summary>Whether it says of nothing but the connection, or the server, that it cannot be used now.</summary>
    private static bool IsOfTheDatabase(Exception e) =>
        e is JournalRefusedException or JournalUnavailableException or NpgsqlException or IOException { InnerException: NpgsqlException };

    /// <summary>The writer here, or who writes his snapshots, met something: on a thread of theirs, which must end before anything
    /// is thrown away.</summary>
    private void EndOf(OwnedPartition owned, string why, Exception cause)
    {
        if (cause is not JournalFailedException && !IsOfTheDatabase(cause))
        {
            _shared.Fatal(why, cause);
            return;
        }
        StepDown(owned, cause);
    }

    /// <summary>Does not wait: the writer's own thread, or the one that looks at all journals, may have found the cause.</summary>
    private void StepDown(OwnedPartition owned, Exception cause)
    {
        lock (_lock)
        {
            // Whoever is just handing it on sees what stopped it; and one end is enough.
            if (_owned != owned) return;
            Volatile.Write(ref _durable, Math.Max(_durable, owned.DurableSequence));
            _owned = null;
            if (_settled.Task.IsCompleted) _settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        Unwatch();
        Interlocked.Increment(ref _stepsDown);
        _shared.Logger.PartitionSteppedDown(Number, cause.Message);
        _loadingAgain = Task.Run(() => LoadAgainAsync(owned));
    }

    /// <param name="owned">The writer here, that must end; null if there is none.</param>
    private async Task LoadAgainAsync(OwnedPartition? owned)
    {
        await _changing.WaitAsync();
        try
        {
            if (owned is null) await LoadAsync();
            else await FollowOnAsync(owned);
        }
#pragma warning disable CA1031 // What cannot be loaded cannot be answered for.
        catch (Exception e)
        {
            _shared.Fatal("a ledger could not be loaded again", e);
        }
#pragma warning restore CA1031
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Waits for a database that cannot be asked now.</summary>
    private async Task LoadAsync()
    {
        while (!_isEnding)
        {
            try
            {
                await Task.Run(Load);
                return;
            }
            catch (Exception e) when (IsOfTheDatabase(e))
            {
                _shared.Logger.PartitionWaits(Number, e.Message);
                await Task.Delay(RetryAfter, _shared.Time);
            }
        }
    }

    /// <summary>A ledger from the newest snapshot, or an empty one, which follows: the next look takes it to the journal's end.</summary>
    private void Load()
    {
        var folder = new SnapshotFolder(new PostgresFiles(_shared.Database, Number), "/", Number, _shared.Logger);
        var (ledger, start) = folder.Load(_shared.Terms.Secret) is { } loaded ? (loaded.Ledger, (JournalStart?)loaded.Start) : (new Ledger(Number, _shared.Terms.Secret), null);
        ledger.KeepsBalances = _shared.Terms.KeepsBalances;
        Follow(ledger, start);
    }

    private void Follow(Ledger ledger, JournalStart? start)
    {
        var follower = new LedgerFollower(ledger, _reader.Batches, start, _shared.Stated, _shared.Courier);
        _shared.Tail.Add(follower);
        Take(null, follower);
    }

    /// <summary>From here on callers wait.</summary>
    private (OwnedPartition? Owned, LedgerFollower? Follower) Give()
    {
        (OwnedPartition? Owned, LedgerFollower? Follower) had;
        lock (_lock)
        {
            had = (_owned, _follower);
            Volatile.Write(ref _durable, Math.Max(_durable, DurableHere(_owned, _follower)));
            (_owned, _follower) = (null, null);
            if (_settled.Task.IsCompleted) _settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        if (had.Owned is not null) Unwatch();
        return had;
    }

    /// <summary>From here on the heads of all journals are looked at for who writes this one.</summary>
    private void Watch(Watcher watcher)
    {
        _shared.Tail.Add(_watcher = watcher);
        // It may be over already.
        if (_owned != watcher.Owned) _shared.Tail.Remove(watcher);
    }

    private void Unwatch()
    {
        _shared.Courier?.End(Number);
        if (_watcher is { } watcher) _shared.Tail.Remove(watcher);
    }

    /// <summary>A writer that has nothing to write would not learn that another has replaced it, and would take what it has for
    /// what there is: credits that the other one sends would not arrive here.</summary>
    private sealed class Watcher(SharedPartition partition, OwnedPartition owned, long writerEpoch) : IJournalFollower
    {
        public OwnedPartition Owned => owned;
        public int Partition => partition.Number;
        public long NextSequence => owned.DurableSequence + 1;

        public void CatchUp(in JournalHead head)
        {
            if (head.WriterEpoch > writerEpoch)
                partition.StepDown(owned, new WriterFencedException($"Another process has taken over partition {Partition}, where this one was writer epoch {writerEpoch}."));
        }
    }

    private void Take(OwnedPartition? owned, LedgerFollower? follower)
    {
        lock (_lock)
        {
            (_owned, _follower) = (owned, follower);
            _settled.TrySetResult();
        }
    }
}
