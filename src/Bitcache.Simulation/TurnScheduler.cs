namespace Bitcache.Simulation;

/// <summary>Runs everything that callers go on with on the simulation's own thread, when it says so: with it a seed
/// decides the whole order of events.</summary>
internal sealed class TurnScheduler : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _posted = new();

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_posted) _posted.Enqueue((d, state));
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
}
