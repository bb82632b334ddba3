namespace Bitcache.Engine.Partitions;

/// <summary>Wakes a thread after a while, by the monotonic clock. Belongs to that thread; rings on any.</summary>
internal sealed class Alarm : IAsyncDisposable
{
    private readonly ITimer _timer;
    private readonly Action _ring;
    private volatile bool _hasRung;
    private bool _isSet;

    /// <param name="ring">Lets the thread look at <see cref="HasRung"/>.</param>
    public Alarm(TimeProvider time, Action ring)
    {
        _ring = ring;
        _timer = time.CreateTimer(static alarm => ((Alarm)alarm!).Ring(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether the time was over since the alarm was set or stopped.</summary>
    public bool HasRung => _hasRung;

    /// <param name="after">How long from now; at once if it is not positive, never if it is null.</param>
    public void Set(TimeSpan? after)
    {
        if (after is null && !_isSet) return;
        _isSet = after is not null;
        _hasRung = after <= TimeSpan.Zero;
        _timer.Change(after is { } wait && !_hasRung ? wait : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What has rung has been seen to.</summary>
    public void Stop() => _hasRung = false;

    private void Ring()
    {
        _hasRung = true;
        _ring();
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();
}
