namespace Bitcache.Tests.Api;

/// <summary>A clock that a test moves. Both its times go on together.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly DateTimeOffset _start = System.GetUtcNow();
    private long _milliseconds;

    public override long TimestampFrequency => 1_000;
    public override long GetTimestamp() => Volatile.Read(ref _milliseconds);
    public override DateTimeOffset GetUtcNow() => _start.AddMilliseconds(GetTimestamp());

    public void Advance(TimeSpan by) => Interlocked.Add(ref _milliseconds, (long)by.TotalMilliseconds);
}
