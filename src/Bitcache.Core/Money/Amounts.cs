// Amounts as people write them: "0.25 Bits", "3 sat", "250msat", "0.001 BTC". Decimal text is read
// digit by digit into integers; no floating point is involved, and what would be lost is refused.

using System.Buffers;
using System.Globalization;

namespace Bitcache.Core;

public enum MoneyUnit
{
    Msat,
    Sat,
    Bits,
    Btc,
}

public static class Amounts
{
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    /// <summary>How many decimal places of a unit are one millisatoshi.</summary>
    public static int Decimals(MoneyUnit unit) => unit switch
    {
        MoneyUnit.Msat => 0,
        MoneyUnit.Sat => 3,
        MoneyUnit.Bits => 5,
        MoneyUnit.Btc => 11,
    };

    public static string Symbol(MoneyUnit unit) => unit switch
    {
        MoneyUnit.Msat => "msat",
        MoneyUnit.Sat => "sat",
        MoneyUnit.Bits => "Bits",
        MoneyUnit.Btc => "BTC",
    };

    /// <summary>Reads a number and a unit ("Bit" and "Bits", "sat" and "sats"; letter case is ignored).
    /// Without a unit the number is in <paramref name="unitless"/>; null means that a unit must be written.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, MoneyUnit? unitless, out Msat amount)
    {
        amount = default;
        text = text.Trim();
        var digits = text.IndexOfAnyExcept(NumberCharacters);
        var number = digits < 0 ? text : text[..digits];
        var name = digits < 0 ? [] : text[digits..].TrimStart();
        MoneyUnit unit;
        if (name.IsEmpty && unitless is { } given) unit = given;
        else if (Is(name, "msat") || Is(name, "msats")) unit = MoneyUnit.Msat;
        else if (Is(name, "sat") || Is(name, "sats")) unit = MoneyUnit.Sat;
        else if (Is(name, "bit") || Is(name, "bits")) unit = MoneyUnit.Bits;
        else if (Is(name, "btc")) unit = MoneyUnit.Btc;
        else return false;
        return TryParseDecimal(number, Decimals(unit), Limits.SupplyMsatMax, out var value) && Assign(value, out amount);

        static bool Is(ReadOnlySpan<char> a, string b) => a.Equals(b, StringComparison.OrdinalIgnoreCase);
        static bool Assign(long value, out Msat amount)
        {
            amount = new Msat(value);
            return true;
        }
    }

    /// <summary>Reads bitcoin as the node's JSON writes it ("0.00010000") into satoshis; a ninth decimal that
    /// is not zero, a sign or an exponent is refused.</summary>
    public static bool TryParseBtc(ReadOnlySpan<char> text, out Sats amount)
    {
        amount = default;
        if (!TryParseDecimal(text, 8, Limits.SupplySatMax, out var value)) return false;
        amount = new Sats(value);
        return true;
    }

    /// <summary>Writes the exact amount in a unit, without trailing zeros: 1,500 msat are "1.5 sat" and "0.015 Bits".</summary>
    public static string Format(Msat amount, MoneyUnit unit)
    {
        var decimals = Decimals(unit);
        var text = amount.Value.ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        var whole = text[..^decimals];
        var fraction = text[^decimals..].TrimEnd('0');
        return fraction.Length == 0 ? $"{whole} {Symbol(unit)}" : $"{whole}.{fraction} {Symbol(unit)}";
    }

    /// <summary>Satoshis as the bitcoin text that the node's JSON takes ("0.00010000").</summary>
    public static string FormatBtc(Sats amount) => string.Create(
        CultureInfo.InvariantCulture, $"{amount.Value / 100_000_000}.{amount.Value % 100_000_000:00000000}");

    private static bool TryParseDecimal(ReadOnlySpan<char> text, int decimals, long max, out long value)
    {
        value = 0;
        var point = text.IndexOf('.');
        var whole = point < 0 ? text : text[..point];
        var fraction = point < 0 ? [] : text[(point + 1)..];
        if (whole.IsEmpty || (point >= 0 && fraction.IsEmpty)) return false;
        fraction = fraction.TrimEnd('0');
        if (fraction.Length > decimals || whole.TrimStart('0').Length > 19) return false;
        Int128 sum = 0;
        foreach (var c in whole)
        {
            if (!char.IsAsciiDigit(c)) return false;
            sum = (sum * 10) + (c - '0');
        }
        for (var i = 0; i < decimals; i++)
        {
            var c = i < fraction.Length ? fraction[i] : '0';
            if (!char.IsAsciiDigit(c)) return false;
            sum = (sum * 10) + (c - '0');
        }
        if (sum > max) return false;
        value = (long)sum;
        return true;
    }
}
