// A copy of a ledger that another process writes: it replays the journal and answers questions. Replaying and asking take turns
// by a lock, so that a copy has no thread of its own; what a question sees is durable, since it was read from the journal.

using System.Diagnostics.CodeAnalysis;
using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;

namespace Bitcache.Engine.Partitions;

internal sealed class LedgerFollower : IJournalFollower
{
    private readonly Ledger _ledger;
    private readonly FrameRecovery _frames;
    private readonly StatedEpochs _stated;
    private readonly LegCourier? _courier;
    // Held while frames are read and replayed; and within it, by whoever has the ledger.
    private readonly Lock _catchingUp = new();
    private readonly Lock _ledgers = new();
    private readonly PreparedBatch _batch = new();
    private readonly byte[] _scratch = new byte[Limits.RecordBytesMax];
    // What the batch that is replayed has sent to other partitions.
    private readonly List<Leg> _legs = [];
    private long _learned;
    private long _next;
    private volatile bool _isOver;

    /// <param name="start">Where the ledger stands; null for the beginning.</param>
    /// <param name="courier">Told what the ledger sends to other partitions and has from them; null where there are none.</param>
    public LedgerFollower(Ledger ledger, BatchTable batches, JournalStart? start, StatedEpochs stated, LegCourier? courier)
    {
        (_ledger, _frames, _stated, _courier) = (ledger, new FrameRecovery(batches, start), stated, courier);
        _next = ledger.NextSequence;
        ledger.SendTo(courier is null ? null : _legs);
        TellCourier();
    }

    public int Partition => _ledger.Partition;

    /// <summary>The sequence after the last that it has replayed.</summary>
    public long NextSequence => Volatile.Read(ref _next);

    public void CatchUp(in JournalHead head)
    {
        lock (_catchingUp)
        {
            if (_isOver) return;
            if (head.NextSequence > _frames.NextSequence) _frames.Run(Replay, head.NextSequence, head.WriterEpoch, head.ChainHash);
            lock (_ledgers) _stated.Exchange(_ledger);
            // Also of what a look replayed that broke off at the end.
            if (_ledger.NextSequence > _learned) TellCourier();
        }
    }

    /// <summary>Asks the ledger; false if it is not this copy's any more.</summary>
    public bool TryAsk<T>(Func<Ledger, T> question, [MaybeNullWhen(false)] out T answer)
    {
        lock (_ledgers)
        {
            answer = _isOver ? default : question(_ledger);
            return !_isOver;
        }
    }

    /// <summary>Gives the ledger away: nothing replays into it and nobody asks it from here on.</summary>
    /// <returns>The ledger, and where it stands in the journal; null for the beginning.</returns>
    public (Ledger Ledger, JournalStart? Start) End()
    {
        lock (_catchingUp)
        {
            lock (_ledgers) _isOver = true;
            _ledger.SendTo(null);
            return (_ledger, StartOf(_ledger, _frames.ChainHash));
        }
    }

    /// <summary>Where a ledger in memory stands.</summary>
    /// <param name="chainHash">Of the journal's frame that holds its last entry.</param>
    public static JournalStart? StartOf(Ledger ledger, Hash256 chainHash) =>
        ledger.NextSequence == 0 ? null : new JournalStart($"the ledger of partition {ledger.Partition} in memory", ledger.NextSequence, chainHash);

    private void Replay(RecoveredBatch batch)
    {
        lock (_ledgers)
        {
            _batch.Fill(batch.Payload, _ledger);
            _ledger.ReplayBatch(_batch, _scratch);
            Volatile.Write(ref _next, _ledger.NextSequence);
        }
        if (_legs.Count == 0) return;
        _courier!.Pass(_legs);
        _legs.Clear();
    }

    private void TellCourier()
    {
        _learned = _ledger.NextSequence;
        // Nothing but a replay, for which this thread has the turn, changes the ledger.
        _courier?.Learn(Partition, _ledger.LaneEnds());
    }
}
