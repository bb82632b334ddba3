// Carries credits from the partitions that debited to those that credit (Leg.cs in Bitcache.Core).
//
//   source: the debit is durable -> lane -> destination: credit applied, durable -> lane -> source: acknowledged
//
// A lane is one pair of partitions. It has one parcel of legs under way at a time, so that they arrive in order; what
// gathers meanwhile is the next. A parcel that was not taken up is offered again: the destination counts each leg once.
//
// Where several processes share the partitions, each has a courier and a copy of every ledger, and no message between them
// carries money. The one that writes the destination finds what was sent in its own copy of the source, which replays the
// source's journal; the one that writes the source finds what has arrived in its copy of the destination.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Owns the legs in flight that concern one process. Called by its partitions' threads.</summary>
public sealed class LegCourier : IDisposable
{
    /// <summary>How many lanes read the journals at once for legs that are not in hand.</summary>
    private const int ReadersMax = 4;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);

    private readonly ITimer _retry;
    private readonly Func<Partition, WorkItem, bool> _hand;
    private readonly FatalHandler? _fatal;
    private readonly SemaphoreSlim _reading = new(ReadersMax);
    private volatile LegWord? _word;
    private volatile bool _isOver;
    private Partition?[] _partitions = [];
    // By source, then by destination; none from a partition to itself.
    private LegLane?[][] _lanes = [];

    public LegCourier(TimeProvider time, FatalHandler? fatal = null) : this(time, (partition, item) => partition.TryEnqueue(item), fatal)
    {
    }

    /// <param name="fatal">Told when the process must end: two partitions do not belong together.</param>
    /// <param name="hand">Puts an item into a partition's queue, false if it takes none now: a simulation makes its mistakes here.</param>
    internal LegCourier(TimeProvider time, Func<Partition, WorkItem, bool> hand, FatalHandler? fatal = null) =>
        (_hand, _fatal, _retry) = (hand, fatal, time.CreateTimer(_ => Retry(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));

    /// <summary>For a process that shares so many partitions with others. They join as they are opened.</summary>
    /// <param name="hand">As where there is one process.</param>
    internal static LegCourier Shared(int partitions, TimeProvider time, FatalHandler fatal, Func<Partition, WorkItem, bool>? hand = null)
    {
        var courier = hand is null ? new LegCourier(time, fatal) : new LegCourier(time, hand, fatal);
        courier.MakeLanes(partitions);
        return courier;
    }

    /// <summary>Legs that are not known to have arrived, in all lanes, as far as this process knows.</summary>
    public long InFlight => All.Sum(lane => lane.InFlight);

    /// <summary>Legs that a lane has in hand; what comes behind them is asked for when there is room again.</summary>
    internal int WaitingLegsMax => 2 * LaneLegsMax;

    /// <exception cref="PartitionUnavailableException">It has not joined yet.</exception>
    internal Partition this[int number] => _partitions[number] ?? throw new PartitionUnavailableException(Unavailable.Busy);

    private int LaneLegsMax => Limits.LegsInFlightMax / (_lanes.Length - 1);

    private IEnumerable<LegLane> All => _lanes.SelectMany(from => from).OfType<LegLane>();

    /// <summary>Begins to carry. Legs that were under way when the process ended go first; what was durable of them where
    /// they went to is acknowledged.</summary>
    /// <param name="partitions">All of them, in the order of their numbers; none has applied anything yet.</param>
    /// <param name="ledgers">Theirs, as they were recovered.</param>
    /// <exception cref="LedgerInvariantException">Two partitions do not belong together: one of them is older than the other knew it.</exception>
    public void Connect(IReadOnlyList<Partition> partitions, IReadOnlyList<Ledger> ledgers)
    {
        MakeLanes(partitions.Count);
        foreach (var partition in partitions) Join(partition);
        foreach (var source in partitions)
        {
            foreach (var destination in partitions.Where(other => other != source))
                _lanes[source.Number][destination.Number]!.Resume(source, ledgers[source.Number], ledgers[destination.Number]);
        }
    }

    /// <summary>Has somebody told what partitions that are written here have sent, so that he tells the other processes'
    /// <see cref="Journal.Postgres.JournalTail.Wake"/>. He is called once at a time; what he throws is word that was lost.</summary>
    public void TellOf(Func<IReadOnlyList<SentThrough>, Task> tell) => _word = new LegWord(tell);

    /// <summary>Offers everything that waits: once the partitions take work.</summary>
    public void Retry()
    {
        foreach (var lane in All)
        {
            lane.Offer();
            lane.Acknowledge();
        }
    }

    /// <summary>Whether a lane carries so much that nothing should be paid along it now.</summary>
    public bool IsBusy(int source, int destination) =>
        source != destination && _lanes[source][destination]!.InFlight >= LaneLegsMax;

    public void Dispose()
    {
        if (_isOver) return;
        _isOver = true;
        _retry.Dispose();
        // Whoever reads has a connection that its owner is about to give up.
        for (var i = 0; i < ReadersMax; i++) _reading.Wait();
        _reading.Dispose();
    }

    /// <summary>Must come before anything else is told of a partition.</summary>
    internal void Join(Partition partition) => _partitions[partition.Number] = partition;

    /// <summary>The entries of these legs, which one partition sent and are written here, are durable.</summary>
    internal void Depart(IReadOnlyList<Leg> legs)
    {
        Pass(legs);
        _word?.Give(legs[0].Source, legs[^1].Sequence);
    }

    /// <summary>These legs, which one partition sent, were found in its journal.</summary>
    internal void Pass(IReadOnlyList<Leg> legs)
    {
        foreach (var leg in legs) _lanes[leg.Source][leg.Destination]!.Add(leg);
        foreach (var destination in legs.Select(leg => leg.Destination).Distinct()) _lanes[legs[0].Source][destination]!.Offer();
    }

    /// <summary>A partition's ledger of which all is durable says how far its lanes are.</summary>
    internal void Learn(int partition, LaneEnds[] ends)
    {
        foreach (var (other, received, sent, acknowledged) in ends)
        {
            _lanes[partition][other]!.Learn(sent, acknowledged);
            _lanes[other][partition]!.Arrive(received);
        }
    }

    /// <summary>A partition is written here from now on; how far its lanes are was told before.</summary>
    internal void Begin(int partition)
    {
        foreach (var lane in LanesTo(partition)) lane.Begin();
        foreach (var lane in _lanes[partition]) lane?.Acknowledge();
    }

    /// <summary>A partition is written here no more.</summary>
    internal void End(int partition)
    {
        foreach (var lane in LanesTo(partition)) lane.End();
    }

    internal bool IsWrittenHere(int partition) => _partitions[partition] is { IsOwned: true };

    /// <summary>False if the partition takes nothing now.</summary>
    internal bool Hand(int partition, WorkItem item) => _hand(this[partition], item);

    internal void RetryLater() => _retry.Change(RetryAfter, Timeout.InfiniteTimeSpan);

    /// <summary>Has a lane read a journal, which takes a thread and a connection while it lasts.</summary>
    internal async Task ReadAsync(Action read)
    {
        await _reading.WaitAsync();
        try
        {
            read();
        }
        finally
        {
            _reading.Release();
        }
    }

    internal void Fail(Exception cause)
    {
        if (!_isOver) _fatal?.Invoke("credits between partitions do not follow from their debits", cause);
    }

    private IEnumerable<LegLane> LanesTo(int partition) => _lanes.Select(from => from[partition]).OfType<LegLane>();

    private void MakeLanes(int partitions)
    {
        var numbers = Enumerable.Range(0, partitions).ToArray();
        _partitions = new Partition?[partitions];
        _lanes = Array.ConvertAll(numbers, source => Array.ConvertAll(numbers, destination => source == destination ? null : new LegLane(this, source, destination)));
    }
}
