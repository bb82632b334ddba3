using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Many small coins become one on a real chain.</summary>
[Trait("suite", "node")]
public sealed class ConsolidationTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private const int Coins = 60;
    private static readonly Sats Small = new(10_000);
    private static readonly Sats Fees = new(300_000);
    private static readonly FeeRate Low = new(2_000);

    private static CancellationToken Cancel => EngineHarness.Cancel;

    private static EngineSettings Set(EngineSettings settings) =>
        settings with { ConsolidateBelowFeeRate = 3, ConsolidateFromCoins = Coins - 1, ConsolidateCoinBelowSat = 20_000, ConfirmationsToCredit = [new ConfirmationRule(0, 1)] };

    [Fact]
    public async Task Sixty_small_deposits_become_one_coin_that_the_operator_paid_for()
    {
        var (seam, guard) = GuardedNode.Create(regtest.Node.Node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam, change: Set);
        await harness.TopUpAsync(Fees);
        // The anchor's output is small as well, and no coin for this.
        await harness.CloseEpochAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        var tip = await TipAsync(harness);
        Assert.Contains(await seam.ListUnspentAsync(EngineHarness.ToFinal, Cancel), c => c.Output == tip || c.Amount.Value > 20_000);
        var wallet = await harness.CreateWalletAsync();
        await DepositAsync(harness, wallet);
        // Without an estimate, with a high one, and with coins that are not final, nothing happens.
        await harness.MineAsync(1);
        guard.Estimate = Low;
        await harness.MineAsync(EngineHarness.ToFinal - 2);
        guard.Estimate = new FeeRate(3_001);
        await harness.MineAsync(1);
        Assert.Single(await FamiliesAsync(harness));

        guard.Estimate = Low;
        await harness.MineAsync(1);
        var family = (await FamiliesAsync(harness))[^1];
        Assert.Equal((FamilyState.Signed, true), (family.State, family.IsConsolidation));
        var joined = AnchorChain.Parse(family.Attempts[0]);
        Assert.Equal((Coins, 1), (joined.Inputs.Count, joined.Outputs.Count));
        Assert.DoesNotContain(joined.Inputs, i => i.Spent == tip);
        Assert.Equal(new Sats(Coins * Small.Value) - family.Attempts[0].Fee, joined.Outputs[0].Value);
        await CheckReservesAsync(harness);

        await harness.MineAsync(1);
        await harness.TurnAsync();
        await harness.ReopenAsync();
        await CheckReservesAsync(harness);
        await harness.MineAsync(EngineHarness.ToFinal);
        await CheckReservesAsync(harness);
        var families = await FamiliesAsync(harness);
        Assert.All(families, f => Assert.Equal(FamilyState.Final, f.State));
        Assert.Equal(2, families.Count);
        var fees = families.Sum(f => f.Attempts[f.Confirmation!.Attempt - 1].Fee.Value);
        Assert.Equal((0, fees * 1_000), ((await harness.TotalsAsync()).Withdrawn, (await harness.TotalsAsync()).MiningFees));
        Assert.Equal(new Sats(Coins * Small.Value).ToMsat(), (await harness.WalletAsync(wallet)).Available);
        Assert.Equal((Fees - new Sats(fees)).ToMsat(), (await harness.Partition.QueryAsync(ledger => ledger.OperatorWallet)).Available);
        Assert.Single(await seam.ListUnspentAsync(1, Cancel), c => c.Output.Txid == joined.Txid);
    }

    [Fact]
    public async Task One_that_waits_too_long_is_replaced_by_one_of_the_same_coins_that_pays_more_but_no_more_than_it_is_worth()
    {
        var (seam, guard) = GuardedNode.Create(regtest.Node.Node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam, change: settings => Set(settings) with { ConsolidateBelowFeeRate = 4 });
        await harness.TopUpAsync(Fees);
        var wallet = await harness.CreateWalletAsync();
        await DepositAsync(harness, wallet);
        guard.Estimate = Low;
        await harness.MineAsync(EngineHarness.ToFinal);
        var number = Assert.Single(await FamiliesAsync(harness)).Number;
        await harness.MineEmptyAsync(EngineHarness.Target);
        var attempts = (await harness.FamilyAsync(number)).Attempts;
        Assert.Equal(2, attempts.Count);
        var (first, second) = (AnchorChain.Parse(attempts[0]), AnchorChain.Parse(attempts[1]));
        Assert.Equal(first.Inputs.Select(i => i.Spent).ToHashSet(), [.. second.Inputs.Select(i => i.Spent)]);
        Assert.Equal(Convert.ToHexString(first.Outputs[0].Script), Convert.ToHexString(Assert.Single(second.Outputs).Script));
        Assert.True(attempts[1].Fee > attempts[0].Fee);
        await harness.MineEmptyAsync(EngineHarness.Target);
        Assert.Equal(2, (await harness.FamilyAsync(number)).Attempts.Count);
        Assert.Contains("more than consolidateBelowFeeRate", Assert.Single((await harness.Engine.HealthAsync()).LiveFamilies).Waiting, StringComparison.Ordinal);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal((FamilyState.Final, attempts[1].Fee.ToMsat().Value), ((await harness.FamilyAsync(number)).State, (await harness.TotalsAsync()).MiningFees));
        await harness.ReopenAsync();
    }

    /// <summary>One transaction of the world outside with many of our outputs.</summary>
    private async Task DepositAsync(EngineHarness harness, WalletId wallet)
    {
        var outputs = new JsonObject();
        for (var i = 0; i < Coins; i++) outputs[await harness.AddressAsync(wallet)] = Amounts.FormatBtc(Small);
        await regtest.Node.MinerAsync("sendmany", ["", outputs], a => a.ValueKind, Cancel);
    }

    /// <summary>The node has at least what is owed, at every moment of it: other tests may have left more.</summary>
    private static async Task CheckReservesAsync(EngineHarness harness)
    {
        await harness.TurnAsync();
        var health = await harness.Engine.HealthAsync();
        Assert.False(health.Chain.ReservesShort);
        Assert.True(health.Chain.Reserves!.Value.Value >= health.Totals.Liabilities, $"{health.Chain.Reserves} for {health.Totals.Liabilities} msat");
    }

    private static Task<IReadOnlyList<Family>> FamiliesAsync(EngineHarness harness) => harness.Partition.QueryAsync(ledger => ledger.Families());

    private static Task<OutPoint?> TipAsync(EngineHarness harness) =>
        harness.Partition.QueryAsync(ledger => AnchorChain.Tip(ledger.NewestConfirmedAnchor, ledger.Genesis!.AnchorScript)?.OutPoint);
}
