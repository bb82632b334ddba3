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

    /// <summary>ISO 8601 with milliseconds, in UTC.</summary>
    public override string ToString() =>
        DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
