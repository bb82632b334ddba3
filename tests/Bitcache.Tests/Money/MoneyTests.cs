using Bitcache.Core;

namespace Bitcache.Tests.Money;

[Trait("suite", "core")]
public sealed class MoneyTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Limits.SupplyMsatMax)]
    public void An_amount_lies_between_nothing_and_the_supply(long msat) => Assert.Equal(msat, new Msat(msat).Value);

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(Limits.SupplyMsatMax + 1)]
    [InlineData(long.MaxValue)]
    public void Nothing_else_is_an_amount(long msat) => Assert.Throws<OverflowException>(() => new Msat(msat));

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(Limits.SupplySatMax + 1)]
    [InlineData(long.MaxValue)]
    public void Nothing_else_is_an_amount_of_satoshis(long sat) => Assert.Throws<OverflowException>(() => new Sats(sat));

    [Fact]
    public void Arithmetic_that_leaves_the_bounds_throws()
    {
        var supply = new Msat(Limits.SupplyMsatMax);
        Assert.Throws<OverflowException>(() => supply + new Msat(1));
        Assert.Throws<OverflowException>(() => supply + supply);
        Assert.Throws<OverflowException>(() => Msat.Zero - new Msat(1));
        var sats = new Sats(Limits.SupplySatMax);
        Assert.Throws<OverflowException>(() => sats + new Sats(1));
        Assert.Throws<OverflowException>(() => sats + sats);
        Assert.Throws<OverflowException>(() => Sats.Zero - new Sats(1));
        Assert.Equal(supply, sats.ToMsat());
        Assert.Equal(sats, supply.RoundDownToSats());
    }

    [Holds(MaxTest = 1_000)]
    public void Arithmetic_and_order_agree_with_integers(Msat a)
    {
        var (value, other) = (a.Value, Limits.SupplyMsatMax - a.Value);
        var b = new Msat(other);
        Assert.Equal(Limits.SupplyMsatMax, (a + b).Value);
        Assert.Equal(value, (a + b - b).Value);
        Assert.Equal(value < other, a < b);
        Assert.Equal(value > other, a > b);
        Assert.Equal(value <= other, a <= b);
        Assert.Equal(value >= other, a >= b);
        Assert.Equal(Math.Sign(value.CompareTo(other)), Math.Sign(a.CompareTo(b)));
        Assert.Equal(Math.Min(value, other), Msat.Min(a, b).Value);
        // Rounding leaves less than a satoshi behind.
        Assert.InRange(value - a.RoundDownToSats().ToMsat().Value, 0, Limits.MsatPerSat - 1);
    }

    [Theory]
    [InlineData("0014751e76e8199196d454941c45d1b3a323f1433bd6", 294)]
    [InlineData("00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262", 330)]
    [InlineData("512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", 330)]
    [InlineData("76a914751e76e8199196d454941c45d1b3a323f1433bd688ac", 546)]
    [InlineData("a914751e76e8199196d454941c45d1b3a323f1433bd687", 540)]
    public void Dust_is_what_the_node_calls_dust(string script, long sat) =>
        Assert.Equal(new Sats(sat), Dust.Threshold(ByteString.FromHex(script)));
}
