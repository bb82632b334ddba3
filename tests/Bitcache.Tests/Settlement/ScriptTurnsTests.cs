using Bitcache.Core;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>Withdrawals to one script: which of them wait for which.</summary>
[Trait("suite", "core")]
public sealed class ScriptTurnsTests
{
    [Theory]
    [InlineData(1_000, 9_999, false)]
    [InlineData(1_000, 10_000, true)]
    [InlineData(294, 2_940, true)]
    // Dust never holds up a payment that is worth something, and whoever holds one up pays a tenth of it to the same script.
    [InlineData(294, 100_000_000, true)]
    [InlineData(10_000_000, 99_999_999, false)]
    // All there ever is is no overflow.
    [InlineData(2_100_000_000_000_000, 2_100_000_000_000_000, false)]
    public void A_withdrawal_waits_only_for_one_that_is_large_beside_it(long underWay, long amount, bool leaves)
    {
        var turns = new ScriptTurns([To(1, underWay)]);
        Assert.Equal(leaves, turns.Take(To(1, amount)));
        Assert.True(turns.Take(To(2, 1)));
    }

    [Fact]
    public void What_takes_its_turn_is_waited_for_in_its_place()
    {
        var turns = new ScriptTurns([]);
        Assert.Equal([true, false, true, false, false, true], new long[] { 300, 300, 3_000, 300, 29_999, 30_000 }.Select(amount => turns.Take(To(1, amount))));
    }

    [Fact]
    public void The_largest_that_is_under_way_counts_in_any_order()
    {
        Withdrawal[] underWay = [To(1, 100), To(1, 50_000), To(1, 1_000)];
        Assert.False(new ScriptTurns(underWay).Take(To(1, 499_999)));
        Assert.True(new ScriptTurns(underWay.Reverse()).Take(To(1, 500_000)));
    }

    [Fact]
    public void There_are_as_many_transactions_to_a_script_as_its_amounts_have_digits()
    {
        var turns = new ScriptTurns([]);
        // Whatever is asked for, in the order that makes most of them.
        var taken = Enumerable.Range(1, 200_000).Count(amount => turns.Take(To(1, amount)));
        Assert.Equal("200000".Length, taken);
    }

    [Fact]
    public void Parts_pay_each_script_once_in_the_order_given()
    {
        Withdrawal[] due = [To(1, 10), To(2, 20), To(1, 30), To(3, 40), To(1, 50), To(2, 60)];
        Assert.Equal([[10, 20, 40], [30, 60], [50]], ScriptTurns.Part(due).Select(part => part.Select(w => w.Amount.Value).ToArray()));
        Assert.Empty(ScriptTurns.Part([]));
    }

    private static Withdrawal To(byte script, long sat) =>
        new(default, new ByteString([0, 20, .. new byte[19], script]), new Sats(sat), default, 1, WithdrawalState.Queued, 0, default);
}
