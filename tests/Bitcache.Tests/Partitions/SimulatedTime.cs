namespace Bitcache.Tests.Partitions;

/// <summary>Both clocks of a simulation, which stand still until it moves them. Timers never ring by themselves: who wakes
/// when is one of the turns that are drawn.</summary>
internal sealed class SimulatedTime : TimeProvider
{
    public long Milliseconds { get; set; } = 1_800_000_000_000;
    public override long TimestampFrequency => 1_000;
    public override long GetTimestamp() => Milliseconds;
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds);
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Silent();

    private sealed class Silent : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
