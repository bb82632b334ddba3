namespace Bitcache.Simulation;

/// <summary>Runs everything that callers go on with on the simulation's own thread, when it says so: with it a seed
/// decides the whole order of events. It is the context of the thread that makes it until it is disposed of.</summary>
internal sealed class TurnScheduler : SynchronizationContext, IDisposable
{
    private const int PostMillisecondsMax = 30_000;

    private readonly SynchronizationContext? _before = Current;
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _posted = new();

    public TurnScheduler() => SetSynchronizationContext(this);

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_posted)
        {
            _posted.Enqueue((d, state));
            Monitor.Pulse(_posted);
        }
    }

    /// <summary>Waits until something is posted. Some completions pass through a thread of the pool; what they lead to does not
    /// depend on how long that takes, if nothing else is done meanwhile. False if nothing comes.</summary>
    public bool Wait()
    {
        lock (_posted) return _posted.Count > 0 || Monitor.Wait(_posted, PostMillisecondsMax);
    }

    /// <summary>Runs what was posted, and what that posts, until nothing is left.</summary>
    public void Drain()
    {
        while (true)
        {
            (SendOrPostCallback Callback, object? State) next;
            lock (_posted)
            {
                if (!_posted.TryDequeue(out next)) return;
            }
            next.Callback(next.State);
        }
    }

    public void Dispose() => SetSynchronizationContext(_before);
}
