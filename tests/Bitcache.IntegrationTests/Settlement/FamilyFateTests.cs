using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Somebody else with the wallet's keys takes what our transactions need, on a real chain: when a family is dead, and
/// when settlement is over.</summary>
[Trait("suite", "node")]
public sealed class FamilyFateTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);
    private static readonly Sats Amount = new(70_000);
    private static readonly Sats HighFee = new(30_000);

    private BitcoinRpcNode Node => regtest.Node.Node;

    [Fact]
    public async Task A_family_whose_coin_is_taken_for_good_dies_and_its_withdrawal_is_paid_once_by_another()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var address = await SendAsync(harness);
        var coin = await LargestAsync((await harness.FamilyAsync(1)).Attempts[0]);
        var thief = await StealAsync([coin]);
        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(thief));
        await harness.MineEmptyAsync(EngineHarness.ToFinal - 2);
        Assert.Equal(FamilyState.Signed, (await harness.FamilyAsync(1)).State);
        var waiting = Assert.Single((await harness.Engine.HealthAsync()).LiveFamilies).Waiting;
        Assert.Contains($"its input {coin} is spent in the chain", waiting, StringComparison.Ordinal);

        // What the wallet knows of it is there after a restart, too.
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        await regtest.Node.RestartAsync(EngineHarness.Cancel);
        await harness.ReopenAsync();
        await harness.MineEmptyAsync(1);
        var dead = await harness.FamilyAsync(1);
        Assert.Equal((FamilyState.Dead, coin, TxidOf(thief)), (dead.State, dead.Spend!.Output, dead.Spend.Spender));
        Assert.Equal(TxidOf(thief), Assert.Single((await harness.Engine.HealthAsync()).DeadFamilies).Cause.Spender);
        await harness.ReopenAsync();

        // What the thief took, the operator brings back.
        await regtest.Node.PayAsync(await Node.GetNewAddressAsync(EngineHarness.Cancel), Deposit, EngineHarness.Cancel);
        await harness.MineAsync(1);
        await harness.TurnAsync();
        // The anchor may have gone before it, if another coin was left for it.
        var another = await harness.Partitions.First.QueryAsync(ledger => ledger.FindWithdrawal(Assert.Single(dead.Withdrawals))!.Family);
        Assert.NotEqual(dead.Number, another);
        Assert.Equal(dead.Withdrawals, (await harness.FamilyAsync(another)).Withdrawals);
        await harness.MineAsync(1);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(FamilyState.Final, (await harness.FamilyAsync(another)).State);
        await AssertPaidOnceAsync(harness, address);
    }

    [Fact]
    public async Task A_thief_that_a_reorganisation_removes_in_time_kills_nothing()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var address = await SendAsync(harness);
        var attempt = (await harness.FamilyAsync(1)).Attempts[0];
        var thief = await StealAsync([await LargestAsync(attempt)]);
        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(thief));
        var block = (await Node.GetBlockchainInfoAsync(EngineHarness.Cancel)).BestBlock;
        await harness.MineEmptyAsync(EngineHarness.ToFinal - 2);
        Assert.Equal(FamilyState.Signed, (await harness.FamilyAsync(1)).State);

        await regtest.Node.InvalidateBlockAsync(block, EngineHarness.Cancel);
        await harness.MineEmptyAsync(EngineHarness.ToFinal, Convert.ToHexStringLower(attempt.Transaction.Span));
        await harness.TurnAsync();
        Assert.Equal((FamilyState.Final, 1), ((await harness.FamilyAsync(1)).State, (await harness.FamilyAsync(1)).Confirmation!.Attempt));
        await AssertPaidOnceAsync(harness, address);
    }

    [Fact]
    public async Task What_was_built_on_an_attempt_that_lost_dies_when_the_one_that_won_is_final()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await SendAsync(harness);
        await harness.MineEmptyAsync(EngineHarness.Target);
        var attempts = (await harness.FamilyAsync(1)).Attempts;
        Assert.Equal(2, attempts.Count);
        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(attempts[0].Transaction.Span));
        var block = (await Node.GetBlockchainInfoAsync(EngineHarness.Cancel)).BestBlock;
        await harness.CloseEpochAsync();
        Assert.Equal(attempts[0].Txid, AnchorChain.Parse((await harness.FamilyAsync(2)).Attempts[0]).Inputs[0].Spent.Txid);

        await regtest.Node.InvalidateBlockAsync(block, EngineHarness.Cancel);
        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(attempts[1].Transaction.Span));
        await harness.MineEmptyAsync(EngineHarness.ToFinal - 2);
        Assert.Equal((FamilyState.Confirmed, FamilyState.Signed), ((await harness.FamilyAsync(1)).State, (await harness.FamilyAsync(2)).State));
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        await regtest.Node.RestartAsync(EngineHarness.Cancel);
        await harness.MineEmptyAsync(1);
        await harness.TurnAsync();
        var dead = await harness.FamilyAsync(2);
        Assert.Equal((FamilyState.Dead, attempts[1].Txid), (dead.State, dead.Spend!.Spender));
        await harness.TurnAsync();
        Assert.Equal(attempts[1].Txid, AnchorChain.Parse((await harness.FamilyAsync(3)).Attempts[0]).Inputs[0].Spent.Txid);
        await harness.MineAsync(1);
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(3)).State);
    }

    [Fact]
    public async Task A_strangers_spend_of_the_anchors_output_is_an_alarm_and_once_final_the_end_of_settlement()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await SendAsync(harness);
        await harness.MineAsync(1);
        var anchorScript = await harness.Partition.QueryAsync(ledger => ledger.Genesis!.AnchorScript);
        var anchor = AnchorChain.ConfirmedTransaction(await harness.FamilyAsync(1));
        var tip = new OutPoint(anchor.Txid, (uint)anchor.Outputs.Index().Single(o => anchorScript.Span.SequenceEqual(o.Item.Script)).Index);
        // The output alone is too small to pay for its way.
        var coin = (await Node.ListUnspentAsync(1, EngineHarness.Cancel)).First(c => c.Amount > HighFee + HighFee && c.Output != tip).Output;
        var thief = await StealAsync([tip, coin]);
        Assert.Equal(BroadcastOutcome.Accepted, (await Node.SendRawTransactionAsync(thief, EngineHarness.Cancel)).Outcome);
        await harness.TurnAsync();
        Assert.Contains("waits in the mempool", (await harness.Engine.HealthAsync()).AnchorAlarm, StringComparison.Ordinal);

        await harness.MineAsync(EngineHarness.ToFinal - 1);
        var health = await harness.Engine.HealthAsync();
        Assert.Contains($"{TxidOf(thief)}, which is not ours", health.AnchorAlarm, StringComparison.Ordinal);
        Assert.Null(health.SettlementStop);
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        await regtest.Node.RestartAsync(EngineHarness.Cancel);
        await harness.MineAsync(1);
        await harness.ReopenAsync();
        health = await harness.Engine.HealthAsync();
        Assert.Equal((tip, TxidOf(thief)), (health.SettlementStop!.Output, health.SettlementStop.Spender));

        // Payments and deposits go on; nothing is anchored or withdrawn.
        var payer = await harness.FundedWalletAsync(Deposit);
        var payee = await harness.CreateWalletAsync();
        Assert.Equal(Outcome.Accepted, (await harness.PayAsync(payer, payee, new Msat(1))).Outcome);
        await harness.WithdrawAsync(payer, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), Amount);
        await harness.CloseEpochAsync();
        await harness.MineAsync(1);
        health = await harness.Engine.HealthAsync();
        Assert.Equal((1, 0, 1), (health.QueuedWithdrawals, health.LiveFamilies.Count, await harness.Partition.QueryAsync(ledger => ledger.Families().Count)));
        Assert.Equal(FamilyState.Final, (await harness.FamilyAsync(1)).State);
    }

    /// <summary>A withdrawal and an anchor on their way in one transaction; says to whom.</summary>
    private async Task<string> SendAsync(EngineHarness harness)
    {
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.WithdrawAsync(wallet, address, Amount);
        await harness.CloseEpochAsync();
        Assert.Single((await harness.FamilyAsync(1)).Attempts);
        return address;
    }

    /// <summary>A transaction that the server knows nothing of, signed with the wallet's keys.</summary>
    private async Task<byte[]> StealAsync(IReadOnlyList<OutPoint> coins)
    {
        var value = Sats.Zero;
        foreach (var coin in coins) value += await ValueOfAsync(coin);
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        var psbt = await Node.CreatePsbtAsync(coins, [new PayOutput(address, value - HighFee)], EngineHarness.Cancel);
        return (await Node.WalletProcessPsbtAsync(psbt, EngineHarness.Cancel)).Transaction!;
    }

    /// <summary>The coin of an attempt that pays for a theft, too: the wallet has small ones.</summary>
    private async Task<OutPoint> LargestAsync(Attempt attempt)
    {
        var coins = AnchorChain.Parse(attempt).Inputs.Select(i => i.Spent).ToArray();
        var values = await Task.WhenAll(coins.Select(ValueOfAsync));
        return coins.Zip(values).MaxBy(c => c.Second.Value).First;
    }

    private async Task<Sats> ValueOfAsync(OutPoint coin)
    {
        Assert.True(BitcoinTransaction.TryParse((await Node.GetTransactionAsync(coin.Txid, EngineHarness.Cancel))!.Raw, out var transaction));
        return transaction.Outputs[(int)coin.Index].Value;
    }

    private async Task AssertPaidOnceAsync(EngineHarness harness, string address)
    {
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Withdrawn);
        var received = await regtest.Node.MinerAsync("getreceivedbyaddress", [address, 0], a => a.GetRawText(), EngineHarness.Cancel);
        Assert.Equal(Amounts.FormatBtc(Amount), received);
    }

    private static Txid TxidOf(byte[] raw)
    {
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        return transaction.Txid;
    }
}
