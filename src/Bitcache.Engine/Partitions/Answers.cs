// Telling those who wait. A batch may answer thousands: the sync thread, which has the next batch to write, hands them
// to the thread pool in a few parts, and in a part one goes on after the other on the same thread.

namespace Bitcache.Engine.Partitions;

/// <summary>A part of a batch's items, all durable.</summary>
internal sealed class Answers(WorkItem[] items, int first, int count) : IThreadPoolWorkItem
{
    private const int PartMin = 8;
    private static readonly int PartsMax = Environment.ProcessorCount;

    public static void Hand(List<WorkItem> durable)
    {
        if (durable.Count == 0) return;
        var items = durable.ToArray();
        var part = Math.Max(PartMin, (items.Length + PartsMax - 1) / PartsMax);
        for (var first = 0; first < items.Length; first += part)
            ThreadPool.UnsafeQueueUserWorkItem(new Answers(items, first, Math.Min(part, items.Length - first)), preferLocal: false);
    }

    public void Execute()
    {
        foreach (var item in items.AsSpan(first, count)) item.Complete();
    }
}
