using System.Globalization;

namespace Bitcache.Core;

/// <summary>An amount of money in millisatoshi: never negative, never above the supply of bitcoin.
/// Arithmetic that would leave these bounds throws <see cref="OverflowException"/>.</summary>
public readonly record struct Msat : IComparable<Msat>
{
    public Msat(long value)
    {
        if (value is < 0 or > Limits.SupplyMsatMax)
            throw new OverflowException(string.Create(CultureInfo.InvariantCulture, $"{value} msat is no amount of money"));
        Value = value;
    }

    public long Value { get; }
    public static Msat Zero => default;
    public bool IsZero => Value == 0;

    public static Msat operator +(Msat a, Msat b) => new(a.Value + b.Value);
    public static Msat operator -(Msat a, Msat b) => new(a.Value - b.Value);
    public static bool operator <(Msat a, Msat b) => a.Value < b.Value;
    public static bool operator >(Msat a, Msat b) => a.Value > b.Value;
    public static bool operator <=(Msat a, Msat b) => a.Value <= b.Value;
    public static bool operator >=(Msat a, Msat b) => a.Value >= b.Value;
    public static Msat Min(Msat a, Msat b) => a < b ? a : b;
    public int CompareTo(Msat other) => Value.CompareTo(other.Value);

    /// <summary>The whole satoshis in this amount; what is below one satoshi stays behind.</summary>
    public Sats RoundDownToSats() => new(Value / Limits.MsatPerSat);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Value} msat");
}
