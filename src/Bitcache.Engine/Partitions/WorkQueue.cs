// What waits for a partition's owner thread. Many may put things in, one takes them out; nobody holds a lock across
// work. It is bounded by what the items cost, not by their number: a block of payments counts as many.

using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Engine.Partitions;

internal sealed class WorkQueue : IDisposable
{
    private readonly ConcurrentQueue<WorkItem> _items = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly int _costMax;
    private int _cost;
    private int _asleep;
    private volatile bool _completed;

    /// <param name="costMax">The most that may wait.</param>
    public WorkQueue(int costMax) => _costMax = costMax;

    /// <summary>How much waits: payments, commands and questions.</summary>
    public int Cost => Volatile.Read(ref _cost);

    /// <summary>False if the queue is full, or takes no more. True says only that it took the item: one that comes in while
    /// <see cref="Complete"/> is called may find the owner gone. After it was put in there is a full fence.</summary>
    public bool TryAdd(WorkItem item)
    {
        if (_completed) return false;
        // What costs nothing is bounded elsewhere. A single item that is larger than the bound would never find room.
        if (Interlocked.Add(ref _cost, item.Cost) > _costMax && item.Cost > 0 && Volatile.Read(ref _cost) != item.Cost)
        {
            Interlocked.Add(ref _cost, -item.Cost);
            return false;
        }
        _items.Enqueue(item);
        Wake();
        return true;
    }

    /// <summary>Only for the owner.</summary>
    public bool TryTake([NotNullWhen(true)] out WorkItem? item)
    {
        if (!_items.TryDequeue(out item)) return false;
        Interlocked.Add(ref _cost, -item.Cost);
        return true;
    }

    /// <summary>Takes no more; what is in stays to be taken.</summary>
    public void Complete()
    {
        _completed = true;
        Wake();
    }

    /// <summary>Lets the owner look again although nothing was added.</summary>
    public void Wake()
    {
        // A full fence stands between the change that is announced and this look, and between the owner's word that he
        // sleeps and his last look: one of the two sees the other.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _asleep) != 0) _wake.Set();
    }

    /// <summary>Waits until there is something to take or a reason to look; false when there will never be.</summary>
    /// <param name="hasReason">Looked at again whenever the owner is woken.</param>
    /// <param name="beforeSleep">Called when waiting takes long enough to sleep.</param>
    public bool Wait(Func<bool> hasReason, Action beforeSleep)
    {
        var spin = default(SpinWait);
        while (!spin.NextSpinWillYield)
        {
            if (!_items.IsEmpty || hasReason()) return true;
            spin.SpinOnce();
        }
        beforeSleep();
        Volatile.Write(ref _asleep, 1);
        Interlocked.MemoryBarrier();
        while (_items.IsEmpty && !hasReason() && !_completed) _wake.WaitOne();
        Volatile.Write(ref _asleep, 0);
        return !_completed || !_items.IsEmpty;
    }

    public void Dispose() => _wake.Dispose();
}
