using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>What one real node can be in while a batch is under way: restarted, locked, without its wallet, behind, full.</summary>
[Trait("suite", "node")]
public sealed class NodeTroubleTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);
    private static readonly Sats Amount = new(70_000);
    /// <summary>Nodes drop what has waited for two weeks.</summary>
    private static readonly TimeSpan Expiry = TimeSpan.FromDays(15);

    [Theory]
    // The call before which the node goes down.
    [InlineData(nameof(IBitcoinNode.WalletProcessPsbtAsync), FamilyState.Opened)]
    [InlineData(nameof(IBitcoinNode.SendRawTransactionAsync), FamilyState.Signed)]
    [InlineData("none of the turn", FamilyState.Signed)]
    public async Task A_node_that_restarts_in_the_middle_of_a_batch_pays_it_once(string call, FamilyState reached)
    {
        var (seam, guard) = GuardedNode.Create(regtest.Node.Node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam);
        var (_, address) = await RequestAsync(harness);
        guard.Stops = (made, _) => made == call;
        await harness.CloseEpochAsync();
        Assert.Equal(reached, (await harness.FamilyAsync(1)).State);
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        guard.Stops = (_, _) => false;
        await harness.TurnAsync();
        Assert.NotNull((await harness.Engine.HealthAsync()).Chain.Trouble);
        await regtest.Node.RestartAsync(EngineHarness.Cancel);
        await harness.TurnAsync();
        await FinishAsync(harness, address);
    }

    [Fact]
    public async Task While_the_wallet_is_locked_nothing_is_signed_and_deposits_are_not_lost()
    {
        var node = await WalletAsync("vault");
        await regtest.Node.Rpc.CallAsync("vault", "encryptwallet", ["secret"], EngineHarness.Cancel);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, node);
        var (wallet, address) = await RequestAsync(harness);
        await harness.CloseEpochAsync();
        Assert.Equal(FamilyState.Opened, (await harness.FamilyAsync(1)).State);
        Assert.Contains("passphrase", (await harness.Engine.HealthAsync()).Chain.Trouble, StringComparison.Ordinal);
        await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Deposit, EngineHarness.Cancel);
        await harness.MineAsync(EngineHarness.ToCredit);
        Assert.Equal((Deposit + Deposit - Amount).ToMsat(), (await harness.WalletAsync(wallet)).Available);

        await regtest.Node.Rpc.CallAsync("vault", "walletpassphrase", ["secret", 600], EngineHarness.Cancel);
        await harness.TurnAsync();
        await FinishAsync(harness, address);
    }

    [Fact]
    public async Task A_wallet_that_was_unloaded_is_loaded_again()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var (_, address) = await RequestAsync(harness);
        await regtest.Node.Rpc.CallAsync(null, "unloadwallet", [RegtestNode.ServerWallet], EngineHarness.Cancel);
        await harness.TurnAsync();
        Assert.NotNull((await harness.Engine.HealthAsync()).Chain.Trouble);
        // The next turn loads it, and the close of an epoch wakes the engine's own: from here on it may be there at any time.
        await harness.CloseEpochAsync();
        await FinishAsync(harness, address);
        Assert.Null((await harness.Engine.HealthAsync()).Chain.Trouble);
    }

    [Fact]
    public async Task A_node_behind_our_cursor_is_waited_for()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var (wallet, address) = await RequestAsync(harness);
        var blocks = await regtest.Node.MineAsync(2 * EngineHarness.ToFinal, EngineHarness.Cancel);
        await harness.TurnAsync();
        var entries = await harness.Partition.QueryAsync(ledger => (ledger.Cursor, ledger.Totals));
        await regtest.Node.InvalidateBlockAsync(blocks[1], EngineHarness.Cancel);
        await harness.CloseEpochAsync();
        Assert.Contains("we have worked through block", (await harness.Engine.HealthAsync()).Chain.Trouble, StringComparison.Ordinal);
        Assert.Equal(entries, await harness.Partition.QueryAsync(ledger => (ledger.Cursor, ledger.Totals)));
        Assert.Equal((Deposit - Amount).ToMsat(), (await harness.WalletAsync(wallet)).Available);

        await regtest.Node.ReconsiderBlockAsync(blocks[1], EngineHarness.Cancel);
        await harness.TurnAsync();
        await FinishAsync(harness, address);
    }

    [Fact]
    public async Task A_payout_that_the_node_drops_is_sent_again_as_it_was()
    {
        var (seam, guard) = GuardedNode.Create(regtest.Node.Node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam);
        var (_, address) = await RequestAsync(harness);
        await harness.CloseEpochAsync();
        var sent = Assert.Single((await harness.FamilyAsync(1)).Attempts);
        // Nothing is sent again before it has been looked for.
        guard.Stops = (_, _) => true;
        // Time passes for the node: what waited too long goes when the next transaction comes.
        var later = TimeProvider.System.GetUtcNow() + Expiry;
        await regtest.Node.Rpc.CallAsync(null, "setmocktime", [later.ToUnixTimeSeconds()], EngineHarness.Cancel);
        await regtest.Node.PayAsync(await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(10_000), EngineHarness.Cancel);
        await regtest.Node.Rpc.CallAsync(null, "setmocktime", [0], EngineHarness.Cancel);
        Assert.Null(await regtest.Node.Node.GetMempoolEntryAsync(sent.Txid, EngineHarness.Cancel));

        guard.Stops = (_, _) => false;
        await harness.TurnAsync();
        Assert.NotNull(await regtest.Node.Node.GetMempoolEntryAsync(sent.Txid, EngineHarness.Cancel));
        await FinishAsync(harness, address);
    }

    [Fact]
    public async Task A_fee_spike_of_a_hundred_times_is_waited_out_below_the_cap()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var (_, address) = await RequestAsync(harness);
        await harness.CloseEpochAsync();
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        // 200 sat/vB, a hundred times what it pays.
        await regtest.Node.RestartAsync(EngineHarness.Cancel, "-minrelaytxfee=0.002");
        try
        {
            await harness.TurnAsync();
            await harness.MineEmptyAsync(EngineHarness.Target);
            var waiting = Assert.Single((await harness.Engine.HealthAsync()).LiveFamilies).Waiting;
            Assert.Contains("a replacement would pass the", waiting, StringComparison.Ordinal);
            Assert.Single((await harness.FamilyAsync(1)).Attempts);
        }
        finally
        {
            await regtest.Node.StopAsync(EngineHarness.Cancel);
            await regtest.Node.RestartAsync(EngineHarness.Cancel);
        }
        await harness.TurnAsync();
        await FinishAsync(harness, address);
    }

    [Fact]
    public async Task Without_confirmed_coins_a_withdrawal_waits_for_a_block()
    {
        var node = await WalletAsync("poor");
        await using var harness = await EngineHarness.StartAsync(regtest.Node, node, feeCap: 3_000);
        await harness.TopUpAsync(new Sats(7_000));
        var (wallet, friend) = (await harness.FundedWalletAsync(new Sats(300_000)), await harness.CreateWalletAsync());
        await regtest.Node.PayAsync(await harness.AddressAsync(wallet), new Sats(300_000), EngineHarness.Cancel);
        await harness.MineAsync(EngineHarness.ToCredit);
        await harness.PayAsync(wallet, friend, new Msat(40_000_000));
        // It needs both large coins, and leaves change that is in no block.
        var (first, second) = (await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel));
        await harness.WithdrawAsync(wallet, first, new Sats(500_000));
        await harness.CloseEpochAsync();
        await harness.WithdrawAsync(friend, second, new Sats(30_000));
        await harness.CloseEpochAsync();
        Assert.Equal([FamilyState.Signed, FamilyState.Opened], await harness.Partition.QueryAsync(ledger => ledger.Families().Select(f => f.State).ToArray()));
        Assert.Contains("nsufficient", (await harness.Engine.HealthAsync()).LiveFamilies[1].Waiting, StringComparison.Ordinal);

        await harness.MineAsync(1);
        await harness.MineAsync(EngineHarness.ToFinal);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(530_000_000, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal("0.00030000", await ReceivedAsync(second));
    }

    [Fact]
    public async Task What_no_transaction_could_pay_by_its_deadline_goes_back_and_what_one_was_signed_for_is_paid_after_it()
    {
        var node = await WalletAsync("late");
        await using var harness = await EngineHarness.StartAsync(regtest.Node, node, feeCap: 3_000);
        await harness.TopUpAsync(new Sats(7_000));
        var (wallet, friend) = (await harness.FundedWalletAsync(new Sats(600_000)), await harness.CreateWalletAsync());
        await harness.PayAsync(wallet, friend, new Msat(40_000_000));
        var (first, second) = (await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel));
        var deadline = new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() + 10_000);
        var signed = await harness.WithdrawAsync(wallet, first, new Sats(500_000), deadline: deadline);
        await harness.CloseEpochAsync();
        // All coins are in change that is in no block.
        var late = await harness.WithdrawAsync(friend, second, new Sats(30_000), deadline: deadline);
        await harness.CloseEpochAsync();
        while (await StateAsync(harness, late) is not WithdrawalState.Expired)
        {
            Assert.True(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() < deadline.Milliseconds + 60_000);
            await harness.TurnAsync();
        }
        Assert.Equal(new Msat(40_000_000), (await harness.WalletAsync(friend)).Available);
        Assert.Equal(WithdrawalState.InFamily, await StateAsync(harness, signed));

        // Now there are coins again, and nothing to pay with them.
        await harness.MineAsync(EngineHarness.ToFinal);
        await harness.CloseEpochAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(WithdrawalState.Paid, await StateAsync(harness, signed));
        Assert.Equal(500_000_000, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal("0.00500000", await ReceivedAsync(first));
        Assert.Equal("0.00000000", await ReceivedAsync(second));
    }

    [Fact]
    public async Task A_payment_that_would_take_the_anchors_output_is_not_signed()
    {
        var node = await WalletAsync("careless");
        var (seam, guard) = GuardedNode.Create(node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.WithdrawAsync(wallet, address, new Sats(600));
        // Frozen while its epoch is anchored, so that it leaves without an anchor.
        var tenant = Ledger.OperatorTenant;
        await harness.Partition.SubmitAsync(new SetFrozen(EngineHarness.NewId(), wallet, true), tenant);
        await harness.CloseEpochAsync();
        await harness.MineAsync(1);
        var anchor = await harness.Partition.QueryAsync(ledger => AnchorChain.Tip(ledger.NewestConfirmedAnchor, ledger.Genesis!.AnchorScript)!.Value.OutPoint);

        // The locks are turned round: only the anchor's output is free.
        guard.Skips = (call, _) => call is nameof(IBitcoinNode.UnlockAllAsync) or nameof(IBitcoinNode.LockUnspentAsync);
        await node.UnlockAllAsync(EngineHarness.Cancel);
        var coins = (await node.ListUnspentAsync(0, EngineHarness.Cancel)).Select(c => c.Output).Where(o => o != anchor).ToArray();
        await node.LockUnspentAsync(coins, EngineHarness.Cancel);
        await harness.Partition.SubmitAsync(new SetFrozen(EngineHarness.NewId(), wallet, false), tenant);
        await harness.TurnAsync();
        var family = await harness.FamilyAsync(2);
        Assert.Equal((FamilyState.Opened, null), (family.State, family.Anchor));
        Assert.Equal("an ordinary payment would spend the anchor's output", Assert.Single((await harness.Engine.HealthAsync()).LiveFamilies, f => f.Family.Number == 2).Waiting);

        guard.Skips = (_, _) => false;
        await harness.TurnAsync();
        Assert.DoesNotContain(AnchorChain.Parse((await harness.FamilyAsync(2)).Attempts[0]).Inputs, i => i.Spent == anchor);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal("0.00000600", await ReceivedAsync(address));
    }

    /// <summary>A hot wallet of its own, on the node of all.</summary>
    private async Task<BitcoinRpcNode> WalletAsync(string name)
    {
        var node = new BitcoinRpcNode(regtest.Node.Rpc, name);
        await node.CreateWalletAsync(EngineHarness.Cancel);
        return node;
    }

    /// <summary>A user with money, and a withdrawal that the next epoch pays.</summary>
    private async Task<(WalletId Wallet, string Address)> RequestAsync(EngineHarness harness)
    {
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.WithdrawAsync(wallet, address, Amount);
        return (wallet, address);
    }

    /// <summary>Mines until all is final: the withdrawal was paid, once, by the first transaction that was signed for it.</summary>
    private async Task FinishAsync(EngineHarness harness, string address)
    {
        await harness.MineAsync(1);
        await harness.MineAsync(EngineHarness.ToFinal);
        var family = Assert.Single(await harness.Partition.QueryAsync(ledger => ledger.Families()), f => f.Withdrawals.Count > 0);
        Assert.Equal(FamilyState.Final, family.State);
        Assert.Single(family.Attempts);
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal("0.00070000", await ReceivedAsync(address));
    }

    private static Task<WithdrawalState> StateAsync(EngineHarness harness, WithdrawalKey key) =>
        harness.Partition.QueryAsync(ledger => ledger.FindWithdrawal(key)!.State);

    private Task<string> ReceivedAsync(string address) =>
        regtest.Node.MinerAsync("getreceivedbyaddress", [address, 1], a => a.GetRawText(), EngineHarness.Cancel);
}
