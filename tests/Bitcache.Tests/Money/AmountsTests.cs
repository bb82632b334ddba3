using System.Globalization;
using System.Numerics;
using Bitcache.Core;

namespace Bitcache.Tests.Money;

[Trait("suite", "core")]
public sealed class AmountsTests
{
    [Theory]
    [InlineData(0, MoneyUnit.Msat, "0 msat")]
    [InlineData(1, MoneyUnit.Msat, "1 msat")]
    [InlineData(1_500, MoneyUnit.Sat, "1.5 sat")]
    [InlineData(1_500, MoneyUnit.Bits, "0.015 Bits")]
    [InlineData(1, MoneyUnit.Sat, "0.001 sat")]
    [InlineData(1, MoneyUnit.Bits, "0.00001 Bits")]
    [InlineData(1, MoneyUnit.Btc, "0.00000000001 BTC")]
    [InlineData(100_000, MoneyUnit.Bits, "1 Bits")]
    [InlineData(123_456_789_012, MoneyUnit.Btc, "1.23456789012 BTC")]
    [InlineData(Limits.SupplyMsatMax, MoneyUnit.Btc, "21000000 BTC")]
    [InlineData(Limits.SupplyMsatMax, MoneyUnit.Msat, "2100000000000000000 msat")]
    public void An_amount_is_written_exactly_and_without_trailing_zeros(long msat, MoneyUnit unit, string text)
    {
        Assert.Equal(text, Amounts.Format(new Msat(msat), unit));
        Assert.True(Amounts.TryParse(text, null, out var read));
        Assert.Equal(new Msat(msat), read);
    }

    [Holds(MaxTest = 2_000)]
    public void What_is_written_is_read_back_in_every_unit(Msat amount)
    {
        foreach (var unit in Enum.GetValues<MoneyUnit>())
        {
            var text = Amounts.Format(amount, unit);
            Assert.True(Amounts.TryParse(text, null, out var read), text);
            Assert.Equal(amount, read);
            Assert.True(Amounts.TryParse(text.Split(' ')[0], unit, out read), text);
            Assert.Equal(amount, read);
            // The oracle does it with whole numbers of its own: digits without the point, scaled by what is missing.
            var parts = text.Split(' ')[0].Split('.');
            var decimals = parts.Length == 2 ? parts[1].Length : 0;
            var digits = BigInteger.Parse(string.Concat(parts), CultureInfo.InvariantCulture);
            Assert.Equal(new BigInteger(amount.Value), digits * BigInteger.Pow(10, Amounts.Decimals(unit) - decimals));
        }
    }

    [Holds(MaxTest = 2_000)]
    public void Bitcoin_as_the_node_writes_it_is_read_back(Sats amount)
    {
        var text = Amounts.FormatBtc(amount);
        Assert.Equal(8, text.Length - text.IndexOf('.', StringComparison.Ordinal) - 1);
        Assert.True(Amounts.TryParseBtc(text, out var read), text);
        Assert.Equal(amount, read);
    }

    [Theory]
    [InlineData("3 sat", 3_000)]
    [InlineData("3sats", 3_000)]
    [InlineData("  3 SAT  ", 3_000)]
    [InlineData("250msat", 250)]
    [InlineData("250 mSats", 250)]
    [InlineData("0.25 Bits", 25_000)]
    [InlineData("1 bit", 100_000)]
    [InlineData("0.001 BTC", 100_000_000)]
    [InlineData("0.00100000000 btc", 100_000_000)]
    [InlineData("7.000 msat", 7)]
    [InlineData("000000000000000000000000000007 msat", 7)]
    [InlineData("21000000.00000000000 BTC", Limits.SupplyMsatMax)]
    public void Units_are_read_as_people_write_them(string text, long msat)
    {
        Assert.True(Amounts.TryParse(text, null, out var amount));
        Assert.Equal(msat, amount.Value);
    }

    [Theory]
    // Signs and exponents.
    [InlineData("-1 sat")]
    [InlineData("+1 sat")]
    [InlineData("1e3 sat")]
    [InlineData("1E3 sat")]
    [InlineData("−1 sat")]
    [InlineData("(1) sat")]
    // Separators, of thousands and of decimals.
    [InlineData("1,000 sat")]
    [InlineData("1_000 sat")]
    [InlineData("1 000 sat")]
    [InlineData("1'000 sat")]
    [InlineData("0,5 sat")]
    [InlineData("1.000.000 sat")]
    [InlineData("1..0 sat")]
    [InlineData("1.. sat")]
    // What would be lost.
    [InlineData("0.5 msat")]
    [InlineData("0.0001 sat")]
    [InlineData("0.000001 Bits")]
    [InlineData("0.000000000001 BTC")]
    // Above the supply, and far above.
    [InlineData("2100000000000000001 msat")]
    [InlineData("2100000000000000.001 sat")]
    [InlineData("21000000.00000000001 BTC")]
    [InlineData("9223372036854775808 msat")]
    [InlineData("18446744073709551617 msat")]
    [InlineData("99999999999999999999999999999999999999999999 BTC")]
    // Digits that are not ours.
    [InlineData("１ sat")]
    [InlineData("٣ sat")]
    [InlineData("1² sat")]
    [InlineData("½ sat")]
    [InlineData("0x10 sat")]
    // Empty parts.
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(".")]
    [InlineData("sat")]
    [InlineData(".5 sat")]
    [InlineData("5. sat")]
    [InlineData(". sat")]
    // Units.
    [InlineData("5")]
    [InlineData("5 satoshi")]
    [InlineData("5 sat sat")]
    [InlineData("5 m sat")]
    [InlineData("5 ѕat")]
    [InlineData("NaN")]
    [InlineData("Infinity sat")]
    public void Everything_else_is_refused(string text)
    {
        Assert.False(Amounts.TryParse(text, null, out var amount));
        Assert.True(amount.IsZero);
    }

    [Theory]
    [InlineData("0.000000001")]
    [InlineData("21000000.00000001")]
    [InlineData("1e-8")]
    [InlineData("-0.1")]
    [InlineData(" 0.1")]
    [InlineData("0.1 ")]
    [InlineData("0.1 BTC")]
    [InlineData(".1")]
    [InlineData("1.")]
    [InlineData("")]
    [InlineData("null")]
    public void A_node_amount_that_is_not_plain_decimal_is_refused(string text)
    {
        Assert.False(Amounts.TryParseBtc(text, out var amount));
        Assert.Equal(Sats.Zero, amount);
    }

    [Holds(MaxTest = 3_000)]
    public void Mutilated_text_never_reads_as_money_that_it_does_not_say(Msat amount, Seed seed)
    {
        var random = seed.Random();
        var text = Amounts.Format(amount, MoneyUnit.Btc).ToCharArray();
        const string Hostile = "0123456789.,-+eE '_\u0000\u0660\uff10\u2212";
        text[random.Next(text.Length - 4)] = Hostile[random.Next(Hostile.Length)];
        var number = new string(text)[..^4];
        if (!Amounts.TryParse(new string(text), null, out var read)) return;
        // Accepted only when it is plain decimal, and then it is worth exactly what it says.
        number = number.Trim();
        Assert.Matches("^[0-9]+(\\.[0-9]+)?$", number);
        Assert.Equal(decimal.Parse(number, CultureInfo.InvariantCulture), read.Value / 100_000_000_000m);
    }
}
