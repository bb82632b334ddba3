using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Engine.Partitions;

/// <summary>Hands batches from one thread to another. Unlike the framework's collections it allocates nothing to wait.</summary>
internal sealed class BatchQueue
{
    private readonly Queue<Batch> _batches = new();
    private bool _completed;

    public int Count
    {
        get
        {
            lock (_batches) return _batches.Count;
        }
    }

    /// <summary>Those that wait to be taken, as they are now.</summary>
    public Batch[] Waiting
    {
        get
        {
            lock (_batches) return [.. _batches];
        }
    }

    /// <summary>Whether there is nothing to take and there will never be.</summary>
    public bool IsCompleted
    {
        get
        {
            lock (_batches) return _completed && _batches.Count == 0;
        }
    }

    public void Add(Batch batch)
    {
        lock (_batches)
        {
            _batches.Enqueue(batch);
            Monitor.Pulse(_batches);
        }
    }

    /// <summary>Nothing is added any more.</summary>
    public void Complete()
    {
        lock (_batches)
        {
            _completed = true;
            Monitor.PulseAll(_batches);
        }
    }

    /// <summary>Waits for a batch; false if none came in that time, or none will come.</summary>
    public bool TryTake([NotNullWhen(true)] out Batch? batch, TimeSpan patience)
    {
        lock (_batches)
        {
            // A wait may end early or for another's batch; the next turn waits again.
            if (_batches.Count == 0 && !_completed && patience != TimeSpan.Zero) Monitor.Wait(_batches, patience);
            return _batches.TryDequeue(out batch);
        }
    }
}
