using System.Globalization;

namespace Bitcache.Core;

/// <summary>Milliseconds since 1970-01-01 UTC. The ledger's time is journaled with each batch and never runs backwards.</summary>
public readonly record struct UnixTime(long Milliseconds) : IComparable<UnixTime>
{
    public int CompareTo(UnixTime other) => Milliseconds.CompareTo(other.Milliseconds);
    public static bool operator <(UnixTime a, UnixTime b) => a.Milliseconds < b.Milliseconds;
    public static bool operator >(UnixTime a, UnixTime b) => a.Milliseconds > b.Milliseconds;
    public static bool operator <=(UnixTime a, UnixTime b) => a.Milliseconds <= b.Milliseconds;
    public static bool operator >=(UnixTime a, UnixTime b) => a.Milliseconds >= b.Milliseconds;

    /// <summary>ISO 8601 with milliseconds, in UTC. Ids carry 48 bits of time, more than the calendar has: such a
    /// time is written as its number.</summary>
    public override string ToString() =>
        Milliseconds >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds() && Milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{Milliseconds} ms");
}
