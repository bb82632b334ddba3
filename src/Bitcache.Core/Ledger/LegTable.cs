namespace Bitcache.Core;

/// <summary>What is on its way between a partition and the others. Partitions are few, and so are legs in flight, which
/// are bounded before they are made: a capture copies them.</summary>
internal sealed class LegTable : IStateTable
{
    private const int RowBytes = sizeof(ushort) + (4 * sizeof(long));

    private sealed class Lane
    {
        public long Acknowledged;
        public readonly Queue<UnacknowledgedLeg> Waiting = [];
        public long Last => Acknowledged + Waiting.Count;
    }

    private readonly SortedDictionary<int, Lane> _sent = [];
    private readonly SortedDictionary<int, long> _received = [];

    /// <summary>The number of the last leg that arrived from a partition; 0 before the first.</summary>
    public long ReceivedFrom(int source) => _received.GetValueOrDefault(source);

    public long AcknowledgedBy(int destination) => _sent.TryGetValue(destination, out var lane) ? lane.Acknowledged : 0;

    public IReadOnlyCollection<UnacknowledgedLeg> WaitingFor(int destination) => _sent.TryGetValue(destination, out var lane) ? lane.Waiting : [];

    /// <summary>Takes the next number for a destination.</summary>
    public long Send(int destination, long sequence, Msat amount, long epoch)
    {
        if (!_sent.TryGetValue(destination, out var lane)) _sent.Add(destination, lane = new Lane());
        var number = lane.Last + 1;
        lane.Waiting.Enqueue(new UnacknowledgedLeg(number, sequence, amount, epoch));
        return number;
    }

    public void Acknowledge(int destination, long through)
    {
        var lane = _sent[destination];
        for (; lane.Acknowledged < through; lane.Acknowledged++) lane.Waiting.Dequeue();
    }

    public void Receive(int source, long number) => _received[source] = number;

    public IStateRows View(bool hold) => new Rows(
        [.. _sent.Select(lane => (lane.Key, lane.Value.Acknowledged, lane.Value.Waiting.ToArray()))], [.. _received]);

    public void Release()
    {
    }

    public void Read(StateReader reader)
    {
        for (var lanes = reader.Section(StateSection.Legs); lanes > 0; lanes--)
        {
            var head = reader.Begin();
            var (other, received) = (head.U16(), head.I64());
            var (acknowledged, waiting) = (head.I64(), head.I64());
            reader.End(head);
            if (received > 0) _received.Add(other, received);
            if (acknowledged + waiting == 0) continue;
            var lane = new Lane { Acknowledged = acknowledged };
            _sent.Add(other, lane);
            for (; waiting > 0; waiting--)
            {
                var row = reader.Begin();
                lane.Waiting.Enqueue(new UnacknowledgedLeg(lane.Last + 1, row.I64(), row.Msat(), row.I64()));
                reader.End(row);
            }
        }
    }

    private sealed class Rows((int Other, long Acknowledged, UnacknowledgedLeg[] Waiting)[] sent, KeyValuePair<int, long>[] received) : IStateRows
    {
        public void Write(StateWriter writer)
        {
            var others = sent.Select(lane => lane.Other).Union(received.Select(r => r.Key)).Order().ToArray();
            writer.Section(StateSection.Legs, others.Length);
            foreach (var other in others)
            {
                var (_, acknowledged, waiting) = sent.FirstOrDefault(lane => lane.Other == other, (other, 0, []));
                var head = writer.Begin(RowBytes);
                head.U16(other);
                head.I64(received.FirstOrDefault(r => r.Key == other).Value);
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
