namespace Bitcache.Tests.Partitions;

/// <summary>The system's clocks, both ahead by what a test says; timers are the system's.</summary>
internal sealed class MovableClock : TimeProvider
{
    private long _ahead;

    public TimeSpan Ahead
    {
        get => TimeSpan.FromTicks(Volatile.Read(ref _ahead));
        set => Volatile.Write(ref _ahead, value.Ticks);
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => System.GetElapsedTime(0).Ticks + Volatile.Read(ref _ahead);
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
}
