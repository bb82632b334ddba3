using System.Globalization;

namespace Bitcache.Core;

/// <summary>An amount in whole satoshis, as Bitcoin's outputs have them: never negative, never above the supply.</summary>
public readonly record struct Sats : IComparable<Sats>
{
    public Sats(long value)
    {
        if (value is < 0 or > Limits.SupplySatMax)
            throw new OverflowException(string.Create(CultureInfo.InvariantCulture, $"{value} sat is no amount of money"));
        Value = value;
    }

    public long Value { get; }
    public static Sats Zero => default;

    public static Sats operator +(Sats a, Sats b) => new(a.Value + b.Value);
    public static Sats operator -(Sats a, Sats b) => new(a.Value - b.Value);
    public static bool operator <(Sats a, Sats b) => a.Value < b.Value;
    public static bool operator >(Sats a, Sats b) => a.Value > b.Value;
    public static bool operator <=(Sats a, Sats b) => a.Value <= b.Value;
    public static bool operator >=(Sats a, Sats b) => a.Value >= b.Value;
    public int CompareTo(Sats other) => Value.CompareTo(other.Value);

    public Msat ToMsat() => new(Value * Limits.MsatPerSat);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Value} sat");
}
