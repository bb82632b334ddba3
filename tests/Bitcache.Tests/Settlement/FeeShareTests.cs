using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

/// <summary>What a withdrawal is quoted for mining, and which part of a fee withdrawals share.</summary>
[Trait("suite", "core")]
public sealed class FeeShareTests
{
    private static readonly ByteString KeyHash = new([0, 20, .. new byte[20]]);
    private static readonly ByteString Taproot = new([0x51, 32, .. new byte[32]]);

    [Theory]
    // 31 and 43 bytes of output, and 56 of what carries it.
    [InlineData(1_000, 87, 99)]
    [InlineData(2_500, 218, 248)]
    [InlineData(1, 1, 1)]
    [InlineData(200_000, 17_400, 19_800)]
    public void A_quote_is_the_rate_times_the_output_and_half_of_what_carries_it(long satsPerKvB, long keyHash, long taproot) => Assert.Equal(
        (keyHash, taproot), (FeeShare.Quote(KeyHash, new FeeRate(satsPerKvB)).Value, FeeShare.Quote(Taproot, new FeeRate(satsPerKvB)).Value));

    [Theory]
    // A payment alone bears everything.
    [InlineData(1_430, 143, false, "k", 1_430)]
    // Two alike bear everything together.
    [InlineData(1_740, 174, false, "kk", 1_740)]
    // 31 + 112/2 of 174 virtual bytes: the other one's share is the operator's.
    [InlineData(1_740, 174, false, "kf", 870)]
    // The anchor bears 148 of its own, and of the other 112 as much as the payment.
    [InlineData(2_910, 291, true, "k", 870)]
    // Ten payments and an anchor: 310 + 10/11 of 112 of 570.
    [InlineData(5_700, 570, true, "kkkkkkkkkk", 4_118)]
    // The larger output bears more: (31 + 43 + 112) of 186.
    [InlineData(186, 186, false, "kt", 186)]
    [InlineData(186, 186, false, "ft", 99)]
    [InlineData(1_000, 300, true, "", 0)]
    [InlineData(1_000, 300, false, "ff", 0)]
    [InlineData(0, 143, false, "k", 0)]
    public void Withdrawals_share_their_outputs_and_what_carries_all(long fee, int virtualBytes, bool hasAnchor, string paid, long shared)
    {
        var withdrawals = paid.Select(kind => NewWithdrawal(kind == 't' ? Taproot : KeyHash, new Sats(kind == 'f' ? 0 : 500))).ToArray();
        Assert.Equal(shared, FeeShare.Of(new Sats(fee), virtualBytes, withdrawals, hasAnchor).Value);
    }

    [Fact]
    public void What_is_shared_is_never_more_than_the_fee()
    {
        var random = new Random(7);
        for (var i = 0; i < 1_000; i++)
        {
            var withdrawals = Enumerable.Range(0, random.Next(40))
                .Select(_ => NewWithdrawal(random.Next(2) == 0 ? KeyHash : Taproot, new Sats(random.Next(3) * 100))).ToArray();
            var hasAnchor = random.Next(2) == 0;
            // What a transaction has at least, and sometimes many coins.
            var size = withdrawals.Sum(w => FeeShare.OutputBytes(w.Script)) + 11 + 58 + (hasAnchor ? 148 : 0) + (random.Next(3) * random.Next(3_000));
            var fee = new Sats(random.NextInt64(Limits.SupplySatMax));
            Assert.True(FeeShare.Of(fee, size, withdrawals, hasAnchor) <= fee);
        }
    }

    [Fact]
    public void A_quote_holds_for_a_while_after_the_rate_rose_and_what_is_asked_for_never_costs_more_than_the_last_one()
    {
        var time = new SimulatedTime();
        var fees = new WithdrawalFees(Settings(share: true), time);
        // Before the node was looked at.
        Assert.Equal((435, 435), (fees.Quote(KeyHash).Value, fees.Charge(KeyHash).Value));
        fees.Post(new FeeRate(2_000));
        Assert.Equal((174, 174), (fees.Quote(KeyHash).Value, fees.Charge(KeyHash).Value));
        fees.Post(new FeeRate(10_000));
        Assert.Equal((870, 174), (fees.Quote(KeyHash).Value, fees.Charge(KeyHash).Value));

        var validity = (long)WithdrawalFees.QuoteValidity.TotalMilliseconds;
        time.Milliseconds += validity;
        // For as long again from the newest quote on.
        Assert.Equal(870, fees.Quote(KeyHash).Value);
        fees.Post(new FeeRate(20_000));
        Assert.Equal((1_740, 174), (fees.Quote(KeyHash).Value, fees.Charge(KeyHash).Value));
        time.Milliseconds++;
        Assert.Equal((1_740, 870), (fees.Quote(KeyHash).Value, fees.Charge(KeyHash).Value));
        // A rate that is posted again is no new one, and a lower one holds at once.
        fees.Post(new FeeRate(20_000));
        fees.Post(new FeeRate(1_000));
        Assert.Equal((87, 87), (fees.Quote(KeyHash).Value, fees.Charge(KeyHash).Value));
        time.Milliseconds += validity + 1;
        Assert.Equal((87, 87), (fees.Quote(KeyHash).Value, fees.Charge(KeyHash).Value));
    }

    [Fact]
    public void A_rate_that_nobody_was_quoted_does_not_hold_when_another_took_its_place()
    {
        var fees = new WithdrawalFees(Settings(share: true), new SimulatedTime());
        // Neither that of the settings, which holds before the node was looked at, nor any other.
        Assert.Equal(435, fees.Charge(KeyHash).Value);
        foreach (var (rate, charge) in new[] { (10_000, 870), (2_000, 174), (20_000, 1_740), (10_000, 870) })
        {
            fees.Post(new FeeRate(rate));
            Assert.Equal(charge, fees.Charge(KeyHash).Value);
        }
        Assert.Equal(870, fees.Quote(KeyHash).Value);
        fees.Post(new FeeRate(30_000));
        fees.Post(new FeeRate(40_000));
        Assert.Equal(870, fees.Charge(KeyHash).Value);
    }

    /// <summary>A process that settles for many turns begins anew whenever it cannot tell what became of a command.</summary>
    [Fact]
    public async Task What_was_quoted_holds_when_settlement_begins_anew_in_the_same_process()
    {
        var world = LoopStage.NewWorld();
        using var fake = new FakeBitcoind(world);
        using var rpc = fake.Connect();
        await using var stage = await LoopStage.CreateAsync(world, new NodeSwitch([new NodeEndpoint("node", rpc, LoopStage.WalletName)]));
        var tools = stage.NewTools() with { Fees = new WithdrawalFees(Settings(share: true), TimeProvider.System) };
        await using (var desk = await SettlementDesk.BeginAsync(tools, await SettlementTerm.TakeOverAsync(stage.Partitions, ByteString.Empty), TestContext.Current.CancellationToken))
        {
            desk.Loop.Fees.Post(new FeeRate(2_000));
            Assert.Equal(174, desk.Loop.Fees.Quote(KeyHash).Value);
        }
        await using var next = await SettlementDesk.BeginAsync(tools, await SettlementTerm.TakeOverAsync(stage.Partitions, ByteString.Empty), TestContext.Current.CancellationToken);
        next.Loop.Fees.Post(new FeeRate(10_000));
        Assert.Equal(174, next.Loop.Fees.Charge(KeyHash).Value);
    }

    [Fact]
    public void Where_the_operator_bears_all_nothing_is_quoted()
    {
        var fees = new WithdrawalFees(Settings(share: false), new SimulatedTime());
        fees.Post(new FeeRate(50_000));
        Assert.Equal((Sats.Zero, Sats.Zero), (fees.Quote(KeyHash), fees.Charge(KeyHash)));
    }

    private static EngineSettings Settings(bool share) => new() { DataFolder = "/nowhere", Origin = BegunLedger.Origin, WithdrawalFeeShare = share };

    private static Withdrawal NewWithdrawal(ByteString script, Sats fee) =>
        new(default, script, new Sats(1_000), default, 1, WithdrawalState.InFamily, 1, default) { Fee = fee };
}
