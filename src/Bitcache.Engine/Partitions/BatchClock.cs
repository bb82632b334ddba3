// The ledger's time: the wall clock, held to the monotonic clock so that a jump of the wall clock can neither run
// time backwards nor expire anything. After a jump, ids are not refused for how far ahead they are, the floor of ids stays
// where it is, and epochs do not close, until the wall clock is right again or an operator confirms it.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Gives each batch its time. Owned by the partition's thread; <see cref="IsTrusted"/> may be read by any.</summary>
public sealed class BatchClock
{
    /// <summary>How far the wall clock may stray from what the monotonic clock expects before it counts as a jump.</summary>
    private const long JumpMilliseconds = 60_000;

    private readonly TimeProvider _time;
    private readonly bool _gapAtStart;
    private long _baseTimestamp;
    private long _baseMilliseconds;
    private long _newest;
    private volatile bool _trusted;
    private bool _confirmed;
    private bool _confirming;

    /// <param name="lastJournaled">The newest time in the journal, or null before the first entry.</param>
    public BatchClock(TimeProvider time, UnixTime? lastJournaled)
    {
        _time = time;
        var wall = Wall();
        _newest = lastJournaled?.Milliseconds ?? wall;
        _gapAtStart = wall - _newest > Limits.TimeGapMillisecondsMax;
        _trusted = !_gapAtStart && wall >= _newest - JumpMilliseconds;
        _baseTimestamp = time.GetTimestamp();
        _baseMilliseconds = _gapAtStart ? _newest : Math.Max(_newest, wall);
    }

    public bool IsTrusted => _trusted;

    /// <summary>The monotonic clock, from an unknown beginning. May be read by any thread.</summary>
    internal long MonotonicMilliseconds => (long)_time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>The time of a batch that begins now.</summary>
    public UnixTime Next()
    {
        if (_confirming) BeginAgain();
        var (wall, expected) = (Wall(), Expected());
        // A gap at the start is never mended by waiting: only an operator knows whether the clock is right.
        if (!_gapAtStart || _confirmed) _trusted = Math.Abs(wall - expected) <= JumpMilliseconds;
        _newest = TimeAt(wall, expected);
        return new UnixTime(_newest);
    }

    /// <summary>The time that a batch would have which began now.</summary>
    public UnixTime Peek() => new(TimeAt(Wall(), Expected()));

    /// <summary>How long at least no batch will have this time, wherever the wall clock is set meanwhile; negative when one
    /// may have it already.</summary>
    public TimeSpan TimeBefore(UnixTime time) =>
        TimeSpan.FromMilliseconds(time.Milliseconds - Limits.TimeAheadMillisecondsMax - Expected());

    /// <summary>An operator's word that the wall clock is right: from the next batch on time goes on from there. The batch
    /// that is being filled keeps the time and the trust that it was begun with.</summary>
    /// <returns>False if that would be backwards by more than counts as a jump: then only waiting helps, or another clock.</returns>
    public bool Confirm() => _confirming = Wall() >= _newest - JumpMilliseconds;

    internal Alarm NewAlarm(Action ring) => new(_time, ring);

    private void BeginAgain()
    {
        (_confirming, _confirmed) = (false, true);
        _baseTimestamp = _time.GetTimestamp();
        _baseMilliseconds = Math.Max(_newest, Wall());
    }

    private long TimeAt(long wall, long expected) => Math.Max(_newest, Math.Min(wall, expected + Limits.TimeAheadMillisecondsMax));

    private long Expected() => _baseMilliseconds + (long)_time.GetElapsedTime(_baseTimestamp).TotalMilliseconds;

    private long Wall() => _time.GetUtcNow().ToUnixTimeMilliseconds();
}
