// Carries credits from the partitions that debited to those that credit (Leg.cs in Bitcache.Core).
//
//   source: the debit is durable -> lane -> destination: credit applied, durable -> lane -> source: acknowledged
//
// A lane is one pair of partitions. It has one parcel of legs under way at a time, so that they arrive in order; what
// gathers meanwhile is the next. A parcel that was not taken up is offered again: the destination counts each leg once.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Owns the legs in flight between the partitions of one process. Called by their threads.</summary>
public sealed class LegCourier : IDisposable
{
    private const int ParcelLegsMax = 4_096;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);

    private readonly ITimer _retry;
    private readonly Func<Partition, WorkItem, bool> _hand;
    // By source, then by destination; none from a partition to itself.
    private Lane?[][] _lanes = [];

    public LegCourier(TimeProvider time) : this(time, (partition, item) => partition.TryEnqueue(item))
    {
    }

    /// <param name="hand">Puts an item into a partition's queue, false if it takes none now: a simulation makes its mistakes here.</param>
    internal LegCourier(TimeProvider time, Func<Partition, WorkItem, bool> hand) =>
        (_hand, _retry) = (hand, time.CreateTimer(_ => Retry(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));

    /// <summary>Legs that are not known to have arrived, in all lanes.</summary>
    public long InFlight => _lanes.Sum(from => from.Sum(lane => lane?.InFlight ?? 0));

    /// <summary>Begins to carry. Legs that were under way when the process ended go first; what was durable of them where
    /// they went to is acknowledged.</summary>
    /// <param name="partitions">All of them, in the order of their numbers; none has applied anything yet.</param>
    /// <param name="ledgers">Theirs, as they were recovered.</param>
    /// <exception cref="LedgerInvariantException">Two partitions do not belong together: one of them is older than the other knew it.</exception>
    public void Connect(IReadOnlyList<Partition> partitions, IReadOnlyList<Ledger> ledgers)
    {
        _lanes = [.. partitions.Select(source => partitions.Select(destination => source == destination ? null : new Lane(this, source, destination)).ToArray())];
        foreach (var lane in _lanes.SelectMany(from => from)) lane?.Resume(ledgers);
    }

    /// <summary>Offers everything that waits: once the partitions take work.</summary>
    public void Retry()
    {
        foreach (var lane in _lanes.SelectMany(from => from))
        {
            lane?.Offer();
            lane?.Acknowledge();
        }
    }

    /// <summary>Whether a lane carries so much that nothing should be paid along it now.</summary>
    public bool IsBusy(int source, int destination) =>
        source != destination && _lanes[source][destination]!.InFlight >= Limits.LegsInFlightMax / (_lanes.Length - 1);

    public void Dispose() => _retry.Dispose();

    /// <summary>The entries of these legs are durable.</summary>
    internal void Depart(IReadOnlyList<Leg> legs)
    {
        foreach (var leg in legs) _lanes[leg.Source][leg.Destination]!.Add(leg);
        foreach (var destination in legs.Select(leg => leg.Destination).Distinct()) _lanes[legs[0].Source][destination]!.Offer();
    }

    private void RetryLater() => _retry.Change(RetryAfter, Timeout.InfiniteTimeSpan);

    private sealed class Lane(LegCourier courier, Partition source, Partition destination)
    {
        private readonly Lock _lock = new();
        private readonly Queue<Leg> _waiting = [];
        private bool _isUnderWay;
        private bool _isAcknowledging;
        private long _sent;
        private long _arrived;
        private long _acknowledged;

        public long InFlight
        {
            get
            {
                lock (_lock) return _sent - _acknowledged;
            }
        }

        public void Resume(IReadOnlyList<Ledger> ledgers)
        {
            var (from, to, number) = (ledgers[source.Number], ledgers[destination.Number], destination.Number);
            _arrived = to.LegsReceivedFrom(from.Partition);
            _sent = _acknowledged = from.LegsAcknowledgedBy(number);
            if (_arrived < _acknowledged)
                throw new LedgerInvariantException($"partition {number} has {_arrived} credits of partition {from.Partition}, which knows that {_acknowledged} had arrived: it is older than that");
            var legs = from.LegsTo(number);
            _sent += legs.Count;
            if (_arrived > _sent)
                throw new LedgerInvariantException($"partition {number} has {_arrived} credits of partition {from.Partition}, which sent {_sent}: that is older");
            UnacknowledgedLeg[] left = [.. legs.Where(leg => leg.Number > _arrived)];
            source.ReadEach(Array.ConvertAll(left, leg => leg.Sequence), (at, record) =>
                _waiting.Enqueue(Ledger.Resend(left[at], Entry.Read(record, left[at].Sequence))));
        }

        public void Add(in Leg leg)
        {
            lock (_lock)
            {
                _waiting.Enqueue(leg);
                _sent = leg.Number;
            }
        }

        /// <summary>Sends the next parcel, unless one is under way.</summary>
        public void Offer()
        {
            Leg[] legs;
            lock (_lock)
            {
                if (_isUnderWay || _waiting.Count == 0) return;
                _isUnderWay = true;
                legs = [.. _waiting.Take(ParcelLegsMax)];
            }
            var parcel = new LegParcel(legs, arrived => End(arrived ? legs.Length : 0));
            if (!courier._hand(destination, parcel)) End(0);
        }

        /// <summary>Tells the source what arrived, unless it is just being told.</summary>
        public void Acknowledge()
        {
            long through;
            lock (_lock)
            {
                if (_isAcknowledging || _arrived == _acknowledged) return;
                _isAcknowledging = true;
                through = _arrived;
            }
            var item = new LegAcknowledgement(new AcknowledgeLegs(destination.Number, through), done => EndAcknowledging(done ? through : 0));
            if (!courier._hand(source, item)) EndAcknowledging(0);
        }

        /// <summary>A parcel ended: so many of what waits are durable where they went.</summary>
        private void End(int arrived)
        {
            lock (_lock)
            {
                _isUnderWay = false;
                for (var i = 0; i < arrived; i++) _arrived = _waiting.Dequeue().Number;
            }
            if (arrived == 0)
            {
                courier.RetryLater();
                return;
            }
            Acknowledge();
            Offer();
        }

        private void EndAcknowledging(long through)
        {
            lock (_lock)
            {
                _isAcknowledging = false;
                _acknowledged = Math.Max(_acknowledged, through);
            }
            if (through == 0) courier.RetryLater();
            else Acknowledge();
        }
    }
}

/// <summary>Legs for one partition, in order. What ends with no room left to write is offered again.</summary>
internal sealed class LegParcel(Leg[] legs, Action<bool> end) : WorkItem
{
    private int _applied;

    internal IReadOnlyList<Leg> Legs => legs;

    /// <summary>Legs are bounded before they are made: no queue is too full for them.</summary>
    internal override int Cost => 0;
    internal override bool Writes => true;

    internal override bool Run(Ledger ledger, Batch batch)
    {
        for (; _applied < legs.Length; _applied++)
        {
            if (batch.IsFull) return false;
            ref readonly var leg = ref legs[_applied];
            if (!FollowEpoch(ledger, batch, leg.Epoch)) return false;
            batch.Take(ledger.Apply(leg, batch.NewContext(Ledger.OperatorTenant), batch.Free));
        }
        return true;
    }

    internal override void Complete() => end(true);
    internal override void Fail(Exception reason) => end(false);

    /// <summary>Closes the epochs that are closed where a leg comes from; false if the batch is full.</summary>
    private static bool FollowEpoch(Ledger ledger, Batch batch, long epoch)
    {
        for (var next = (ledger.LastEpoch?.Number ?? 0) + 1; next <= epoch; next++)
        {
            if (batch.IsFull) return false;
            // It was cut under the term of its time.
            batch.Apply(ledger, new EpochCut(default, next), term: ledger.Term);
        }
        return !batch.IsFull;
    }
}

/// <summary>Tells a partition that legs of its own are durable where they went.</summary>
internal sealed class LegAcknowledgement(AcknowledgeLegs command, Action<bool> end) : WorkItem
{
    internal override int Cost => 0;
    internal override bool Writes => true;

    internal override bool Run(Ledger ledger, Batch batch)
    {
        batch.Apply(ledger, command);
        return true;
    }

    internal override void Complete() => end(true);
    internal override void Fail(Exception reason) => end(false);
}
