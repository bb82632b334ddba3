using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>What a replacement pays, as a table. Rates are in satoshis per 1,000 virtual bytes.</summary>
[Trait("suite", "core")]
public sealed class FeePolicyTests
{
    private const int VirtualBytes = 232;
    // Exactly 2 sat/vB.
    private const long Fee = 464;

    [Theory]
    // The estimate, where it is enough for the node and for a quarter more.
    [InlineData(Fee, 9_000, 200_000, 20_000, 1_000, 9_000)]
    // The node's increment, and a satoshi for rounding: also when the estimate is below what was paid.
    [InlineData(Fee, 1_000, 200_000, 20_000, 1_000, 3_005)]
    // A quarter more, where that is more than the increment.
    [InlineData(10_000, 1_000, 200_000, 20_000, 1_000, 53_880)]
    // The least that the mempool takes.
    [InlineData(Fee, 9_000, 200_000, 20_000, 12_000, 12_000)]
    // Never above the highest rate, nor above what the cap pays for.
    [InlineData(Fee, 90_000, 50_000, 20_000, 1_000, 50_000)]
    [InlineData(Fee, 500_000, 200_000, 20_000, 1_000, 86_206)]
    [InlineData(Fee, 9_000, 200_000, 698, 1_000, 3_008)]
    // Not at all, where the node would ask for more than that.
    [InlineData(Fee, 9_000, 200_000, 697, 1_000, null)]
    [InlineData(Fee, 9_000, 3_004, 20_000, 1_000, null)]
    [InlineData(Fee, 9_000, 200_000, 20_000, 90_000, null)]
    public void A_replacement_pays_enough_for_the_node_and_never_more_than_it_may(
        long fee, long estimate, long max, long cap, long least, int? rate)
    {
        var terms = new FeeTerms(new FeeRate(estimate), new FeeRate(max), new Sats(cap));
        var chosen = FeePolicy.Replacement(new Sats(fee), VirtualBytes, terms, new MempoolTerms(new FeeRate(least), new FeeRate(1_000)));
        Assert.Equal(rate, (int?)chosen?.SatsPerKvB);
    }

    [Theory]
    // Both at the estimate: 9 sat/vB of 400 + 100, less what the first pays.
    [InlineData(464, 0, 9_000, 200_000, 20_000, 1_000, 4_036)]
    // A quarter more than is paid now, where the estimate is less: 1.45 sat/vB for all 500.
    [InlineData(464, 0, 500, 200_000, 20_000, 1_000, 261)]
    // Its own way into the mempool, at least.
    [InlineData(464, 0, 500, 200_000, 20_000, 3_000, 300)]
    // More than the child before it, by the increment for its own size.
    [InlineData(464, 2_000, 500, 200_000, 20_000, 1_000, 2_616)]
    [InlineData(46_400, 200, 1_000, 200_000, 30_000, 1_000, 26_100)]
    [InlineData(464, 200, 1_000, 200_000, 20_000, 1_000, 366)]
    // Never above the highest rate for both, nor above what is left of the cap.
    [InlineData(464, 0, 90_000, 50_000, 30_000, 1_000, 24_536)]
    [InlineData(464, 0, 90_000, 200_000, 20_000, 1_000, 20_000)]
    // Not at all, where the node would ask for more than that.
    [InlineData(464, 0, 9_000, 200_000, 99, 1_000, null)]
    [InlineData(464, 200, 9_000, 200_000, 299, 1_000, null)]
    [InlineData(464, 0, 9_000, 1_000, 20_000, 1_000, null)]
    public void A_child_pays_for_both(long before, long replaced, long estimate, long max, long cap, long least, int? fee)
    {
        var waiting = new MempoolEntry(new Sats(before), 400, 2, new Sats(before), 400);
        var terms = new FeeTerms(new FeeRate(estimate), new FeeRate(max), new Sats(cap));
        var chosen = FeePolicy.Child(waiting, 100, new Sats(replaced), terms, new MempoolTerms(new FeeRate(least), new FeeRate(1_000)));
        Assert.Equal(fee, (int?)chosen?.Value);
    }

    [Fact]
    public void There_are_few_replacements_below_any_cap()
    {
        var terms = new FeeTerms(new FeeRate(1_000), new FeeRate(Limits.SupplySatMax), new Sats(10_000_000));
        var (paid, count) = (Fee, 0);
        while (FeePolicy.Replacement(new Sats(paid), VirtualBytes, terms, new MempoolTerms(new FeeRate(1_000), new FeeRate(100))) is { } rate)
        {
            var next = ((rate.SatsPerKvB * VirtualBytes) + 999) / 1_000;
            Assert.InRange(next, paid + 1, terms.Cap.Value);
            (paid, count) = (next, count + 1);
        }
        Assert.InRange(count, 20, 60);
    }

    [Theory]
    [InlineData(BroadcastOutcome.Refused, "min relay fee not met, 464 < 1160", true)]
    [InlineData(BroadcastOutcome.Refused, "mempool min fee not met, 464 < 1160", true)]
    [InlineData(BroadcastOutcome.Refused, "insufficient fee, rejecting replacement 00", true)]
    [InlineData(BroadcastOutcome.Refused, "txn-mempool-conflict", false)]
    [InlineData(BroadcastOutcome.Refused, "dust", false)]
    [InlineData(BroadcastOutcome.Ambiguous, "min relay fee not met", false)]
    public void Only_a_refusal_for_the_fee_asks_for_a_higher_one(BroadcastOutcome outcome, string words, bool isFee) =>
        Assert.Equal(isFee, new BroadcastResult(outcome, words).IsFeeTooLow);
}
