namespace Bitcache.Tests.Partitions;

/// <summary>A wall clock and a monotonic clock that move apart.</summary>
internal sealed class TwoClocks : TimeProvider
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private long _ticks;
    private long _jump;

    /// <summary>By how much the wall clock is ahead of the monotonic one.</summary>
    public TimeSpan Jump
    {
        get => TimeSpan.FromTicks(Volatile.Read(ref _jump));
        set => Volatile.Write(ref _jump, value.Ticks);
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Volatile.Read(ref _ticks);
    public override DateTimeOffset GetUtcNow() => Start + TimeSpan.FromTicks(GetTimestamp()) + Jump;
    public void Pass(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);
}
