namespace Bitcache.Tests.Partitions;

/// <summary>A wall clock and a monotonic clock that move apart, and timers that go by the monotonic one.</summary>
internal sealed class TwoClocks : TimeProvider
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Lock _lock = new();
    private readonly List<ManualTimer> _timers = [];
    private readonly List<(TimeSpan Due, TaskCompletionSource Set)> _awaited = [];
    private readonly List<TimeSpan> _timersSet = [];
    private long _ticks;
    private long _jump;

    /// <summary>By how much the wall clock is ahead of the monotonic one.</summary>
    public TimeSpan Jump
    {
        get => TimeSpan.FromTicks(Volatile.Read(ref _jump));
        set => Volatile.Write(ref _jump, value.Ticks);
    }

    /// <summary>When, counted from the start, each timer that was set was to ring.</summary>
    public IReadOnlyList<TimeSpan> TimersSet
    {
        get
        {
            lock (_lock) return [.. _timersSet];
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Volatile.Read(ref _ticks);
    public override DateTimeOffset GetUtcNow() => Start + TimeSpan.FromTicks(GetTimestamp()) + Jump;

    /// <summary>Lets time pass, and the timers ring whose time has come.</summary>
    public void Pass(TimeSpan time)
    {
        ManualTimer[] due;
        lock (_lock)
        {
            _ticks += time.Ticks;
            due = [.. _timers.Where(t => t.Due <= TimeSpan.FromTicks(_ticks))];
            foreach (var timer in due) timer.Due = null;
        }
        foreach (var timer in due) timer.Ring();
    }

    /// <summary>Done when a timer is set that rings at this time, counted from the start.</summary>
    public Task TimerSetAsync(TimeSpan due)
    {
        lock (_lock)
        {
            if (_timers.Exists(t => t.Due == due)) return Task.CompletedTask;
            _awaited.Add((due, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
            return _awaited[^1].Set.Task;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        lock (_lock) _timers.Add(timer);
        timer.Change(dueTime, period);
        return timer;
    }

    private bool Set(ManualTimer timer, TimeSpan after)
    {
        lock (_lock)
        {
            timer.Due = after == Timeout.InfiniteTimeSpan ? null : TimeSpan.FromTicks(_ticks) + after;
            if (timer.Due is not { } due) return true;
            _timersSet.Add(due);
            foreach (var (_, set) in _awaited.Where(a => a.Due == due)) set.SetResult();
            _awaited.RemoveAll(a => a.Due == due);
            return true;
        }
    }

    private void Remove(ManualTimer timer)
    {
        lock (_lock) _timers.Remove(timer);
    }

    private sealed class ManualTimer(TwoClocks clocks, Action ring) : ITimer
    {
        public TimeSpan? Due { get; set; }

        public void Ring() => ring();

        public bool Change(TimeSpan dueTime, TimeSpan period) => clocks.Set(this, dueTime);

        public void Dispose() => clocks.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
