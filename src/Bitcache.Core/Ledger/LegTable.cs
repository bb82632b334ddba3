namespace Bitcache.Core;

/// <summary>What is on its way between a partition and the others. Partitions are few, and so are legs in flight, which
/// are bounded before they are made: a capture copies them.</summary>
internal sealed class LegTable : IStateTable
{
    private const int RowBytes = sizeof(ushort) + (4 * sizeof(long));

    private sealed class Lane
    {
        public long Received;
        public long Acknowledged;
        public readonly Queue<UnacknowledgedLeg> Waiting = [];
        public long Last => Acknowledged + Waiting.Count;
    }

    // By the other partition; none before the first leg, in either direction.
    private readonly SortedDictionary<int, Lane> _lanes = [];

    /// <summary>The number of the last leg that arrived from a partition; 0 before the first.</summary>
    public long ReceivedFrom(int source) => _lanes.GetValueOrDefault(source)?.Received ?? 0;

    public long AcknowledgedBy(int destination) => _lanes.GetValueOrDefault(destination)?.Acknowledged ?? 0;

    public IReadOnlyCollection<UnacknowledgedLeg> WaitingFor(int destination) => _lanes.GetValueOrDefault(destination)?.Waiting ?? [];

    public LaneEnds[] Ends() => [.. _lanes.Select(lane => new LaneEnds(lane.Key, lane.Value.Received, lane.Value.Last, lane.Value.Acknowledged))];

    public IReadOnlyList<EpochLane> Lanes() => [.. _lanes.Select(lane => new EpochLane(lane.Key, lane.Value.Received, [.. lane.Value.Waiting]))];

    /// <summary>Takes the next number for a destination.</summary>
    public long Send(int destination, long sequence, Msat amount, long epoch)
    {
        var lane = LaneOf(destination);
        var number = lane.Last + 1;
        lane.Waiting.Enqueue(new UnacknowledgedLeg(number, sequence, amount, epoch));
        return number;
    }

    public void Acknowledge(int destination, long through)
    {
        var lane = _lanes[destination];
        for (; lane.Acknowledged < through; lane.Acknowledged++) lane.Waiting.Dequeue();
    }

    public void Receive(int source, long number) => LaneOf(source).Received = number;

    public IStateRows View(bool hold) =>
        new Rows([.. _lanes.Select(lane => (lane.Key, lane.Value.Received, lane.Value.Acknowledged, lane.Value.Waiting.ToArray()))]);

    public void Release()
    {
    }

    public void Read(StateReader reader)
    {
        for (var lanes = reader.Section(StateSection.Legs); lanes > 0; lanes--)
        {
            var head = reader.Begin();
            int other = head.U16();
            var lane = new Lane { Received = head.I64(), Acknowledged = head.I64() };
            var waiting = head.I64();
            reader.End(head);
            _lanes.Add(other, lane);
            for (; waiting > 0; waiting--)
            {
                var row = reader.Begin();
                lane.Waiting.Enqueue(new UnacknowledgedLeg(lane.Last + 1, row.I64(), row.Msat(), row.I64()));
                reader.End(row);
            }
        }
    }

    private Lane LaneOf(int other)
    {
        if (!_lanes.TryGetValue(other, out var lane)) _lanes.Add(other, lane = new Lane());
        return lane;
    }

    private sealed class Rows((int Other, long Received, long Acknowledged, UnacknowledgedLeg[] Waiting)[] lanes) : IStateRows
    {
        public void Write(StateWriter writer)
        {
            writer.Section(StateSection.Legs, lanes.Length);
            foreach (var (other, received, acknowledged, waiting) in lanes)
            {
                var head = writer.Begin(RowBytes);
                head.U16(other);
                head.I64(received);
                head.I64(acknowledged);
                head.I64(waiting.Length);
                writer.End(head);
                foreach (var leg in waiting)
                {
                    var row = writer.Begin(RowBytes);
                    row.I64(leg.Sequence);
                    row.Amount(leg.Amount);
                    row.I64(leg.Epoch);
                    writer.End(row);
                }
            }
        }
    }
}
