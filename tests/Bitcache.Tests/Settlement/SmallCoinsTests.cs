using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>Which coins a consolidation takes.</summary>
[Trait("suite", "core")]
public sealed class SmallCoinsTests
{
    private static readonly EngineSettings Settings = new()
    {
        DataFolder = "/nowhere",
        Origin = "test/log",
        ConsolidateFromCoins = 3,
        ConsolidateCoinBelowSat = 5_000,
        FinalityDepth = 6,
    };

    private static readonly FeeRate Rate = new(2_000);
    private static readonly ByteString Anchor = new([0x51, 32, .. new byte[31], 9]);

    private static Coin NewCoin(uint number, long sat) => new(new OutPoint(default, number), new Sats(sat), null, [0x51, 32, .. new byte[32]], 6, Solvable: true, Safe: true);

    private static BuildOrder Order(long cap = 100_000, OutPoint? tip = null, params OutPoint[] taken) => new(
        new Family(1, default, new Sats(cap), null, [], FamilyState.Opened, [], null), [], "test/log", Anchor, null, taken.ToHashSet(), tip, 100);

    private static IEnumerable<uint> Choose(IReadOnlyList<Coin> coins, BuildOrder order) => SmallCoins.Choose(coins, order, Settings, Rate).Select(c => c.Output.Index);

    [Fact]
    public void The_smallest_are_taken_if_there_are_more_than_are_left_alone()
    {
        Coin[] coins = [NewCoin(1, 4_999), NewCoin(2, 900), NewCoin(3, 3_000), NewCoin(4, 2_000)];
        Assert.Equal([2u, 4, 3, 1], Choose(coins, Order()));
        Assert.Empty(Choose(coins[1..], Order()));
    }

    [Fact]
    public void What_is_large_young_dear_to_spend_foreign_or_taken_is_left_alone()
    {
        Coin[] coins =
        [
            NewCoin(1, 1_000), NewCoin(2, 1_000), NewCoin(3, 1_000), NewCoin(4, 1_000),
            NewCoin(5, 5_000), NewCoin(6, 1_000) with { Confirmations = 5 }, NewCoin(7, 275), NewCoin(8, 1_000) with { Solvable = false },
            NewCoin(9, 1_000) with { Safe = false }, NewCoin(10, 1_000) with { Script = [0xa9, 20, .. new byte[20], 0x87] },
            NewCoin(11, 1_000) with { Script = Anchor.Span.ToArray() }, NewCoin(12, 1_000), NewCoin(13, 1_000), NewCoin(14, 276),
        ];
        Assert.Equal([14u, 1, 2, 3, 4], Choose(coins, Order(tip: new OutPoint(default, 12), taken: new OutPoint(default, 13))));
    }

    [Theory]
    [InlineData(1_000, 6)]
    [InlineData(100_000, 500)]
    public void No_more_are_taken_than_the_fee_cap_pays_for_and_one_transaction_may_carry(long cap, int count)
    {
        var coins = Enumerable.Range(0, 600).Select(i => NewCoin((uint)i, 1_000 + i)).ToArray();
        Assert.Equal(count, Choose(coins, Order(cap)).Count());
    }
}
