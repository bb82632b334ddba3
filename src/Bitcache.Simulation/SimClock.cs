namespace Bitcache.Simulation;

/// <summary>The clocks of a simulated machine: the monotonic one always goes right, the wall clock may be set wrong or
/// stand still.</summary>
internal sealed class SimClock : TimeProvider
{
    /// <summary>How far the wall clock may be off before a partition is expected to notice.</summary>
    public const long NoticedMilliseconds = 60_000;

    private long? _frozenAt;

    /// <summary>What a clock that is right shows, in Unix milliseconds.</summary>
    public long Now { get; private set; } = 1_800_000_000_000;

    /// <summary>By how much the wall clock is ahead.</summary>
    public long Offset { get; private set; }

    public long Wall => _frozenAt ?? Now + Offset;

    /// <summary>Whether the wall clock shows the time.</summary>
    public bool IsRight => Wall == Now;

    public override long TimestampFrequency => 1_000;

    public void Wait(long milliseconds) => Now += milliseconds;

    public void Set(long offset) => (_frozenAt, Offset) = (null, offset);

    public void Freeze() => _frozenAt = Wall;

    public override long GetTimestamp() => Now;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Wall);
}
