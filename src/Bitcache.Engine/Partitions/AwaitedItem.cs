using System.Threading.Tasks.Sources;

namespace Bitcache.Engine.Partitions;

/// <summary>A work item that is its own promise: waiting for it costs no further object.</summary>
public abstract class AwaitedItem : WorkItem, IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _done;

    private protected AwaitedItem()
    {
    }

    /// <summary>Begins a wait; the one before is over.</summary>
    /// <returns>What whoever waits for it must show.</returns>
    private protected short BeginWait()
    {
        _done.Reset();
        return _done.Version;
    }

    /// <summary>Whether whoever waits has more to do before he waits again than the others who are answered on the same
    /// thread should wait for.</summary>
    private protected abstract bool GoesOnAtLength { get; }

    /// <summary>Called where whoever waits may go on at once, on this thread.</summary>
    internal override void Complete()
    {
        _done.RunContinuationsAsynchronously = GoesOnAtLength;
        _done.SetResult(true);
    }

    internal override void Fail(Exception reason)
    {
        _done.RunContinuationsAsynchronously = true;
        _done.SetException(reason);
    }

    public void GetResult(short token) => _done.GetResult(token);
    public ValueTaskSourceStatus GetStatus(short token) => _done.GetStatus(token);
    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _done.OnCompleted(continuation, state, token, flags);
}
