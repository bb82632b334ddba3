using System.Text.Json.Nodes;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Transactions that pay too little to confirm, and those that replace them, on a real chain.</summary>
[Trait("suite", "node")]
public sealed class ReplacementTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);
    private static readonly Sats Amount = new(70_000);

    [Fact]
    public async Task What_does_not_confirm_in_time_is_replaced_and_the_fee_that_was_paid_is_booked()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var first = await SendAsync(harness);
        await harness.MineEmptyAsync(EngineHarness.Target - 1);
        Assert.Single((await harness.FamilyAsync(1)).Attempts);

        await harness.MineEmptyAsync(1);
        var second = Assert.Single((await harness.FamilyAsync(1)).Attempts, a => a.Number == 2);
        Assert.True(second.Fee > first.Fee);
        await AssertReplacesAsync(harness, first, second);
        Assert.Null(await regtest.Node.Node.GetMempoolEntryAsync(first.Txid, EngineHarness.Cancel));
        Assert.Equal(second.Fee, (await regtest.Node.Node.GetMempoolEntryAsync(second.Txid, EngineHarness.Cancel))!.Fee);
        // A block later both are known to the wallet, and what is in it still covers what is owed.
        await harness.MineEmptyAsync(1);
        Assert.False((await harness.Engine.HealthAsync()).Chain.ReservesShort);

        await harness.ReopenAsync();
        await harness.MineAsync(1);
        var family = await harness.FamilyAsync(1);
        Assert.Equal((FamilyState.Confirmed, 2, 2), (family.State, family.Confirmation!.Attempt, family.Attempts.Count));
        await harness.CloseEpochAsync();
        // The chain of anchors goes on from the one that confirmed.
        Assert.Equal(second.Txid, AnchorChain.Parse((await harness.FamilyAsync(2)).Attempts[0]).Inputs[0].Spent.Txid);
        await FinishAsync(harness, second);
    }

    [Fact]
    public async Task The_first_attempt_may_confirm_after_the_second_was_sent()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var first = await SendAsync(harness);
        await harness.MineEmptyAsync(EngineHarness.Target);
        Assert.Equal(2, (await harness.FamilyAsync(1)).Attempts.Count);

        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(first.Transaction.Span));
        Assert.Equal((FamilyState.Confirmed, 1), ((await harness.FamilyAsync(1)).State, (await harness.FamilyAsync(1)).Confirmation!.Attempt));
        Assert.False((await harness.Engine.HealthAsync()).Chain.ReservesShort);
        await FinishAsync(harness, first);
    }

    [Fact]
    public async Task A_replacement_that_was_journaled_and_not_sent_is_sent_as_it_is_after_a_restart()
    {
        var (seam, guard) = GuardedNode.Create(regtest.Node.Node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam);
        var first = await SendAsync(harness);
        guard.Stops = (call, arguments) =>
            call == nameof(IBitcoinNode.SendRawTransactionAsync) && !first.Transaction.Span.SequenceEqual((byte[])arguments[0]!);
        await harness.MineEmptyAsync(EngineHarness.Target);
        var second = (await harness.FamilyAsync(1)).Attempts[1];
        Assert.Null(await regtest.Node.Node.GetMempoolEntryAsync(second.Txid, EngineHarness.Cancel));

        guard.Stops = (_, _) => false;
        await harness.ReopenAsync();
        await harness.TurnAsync();
        Assert.Equal(2, (await harness.FamilyAsync(1)).Attempts.Count);
        var sent = await regtest.Node.Node.GetRawTransactionAsync(second.Txid, null, EngineHarness.Cancel);
        Assert.Equal(second.Transaction, new ByteString(sent!));
        await FinishAsync(harness, second);
    }

    [Fact]
    public async Task At_its_fee_cap_a_transaction_waits_and_says_so()
    {
        // Room for some replacements, however many coins the node takes.
        const long Cap = 2_000;
        await using var harness = await EngineHarness.StartAsync(regtest.Node, feeCap: Cap);
        await SendAsync(harness);
        for (var attempts = 0; (await harness.FamilyAsync(1)).Attempts.Count > attempts; await harness.MineEmptyAsync(EngineHarness.Target))
            attempts = (await harness.FamilyAsync(1)).Attempts.Count;

        var newest = (await harness.FamilyAsync(1)).Attempts[^1];
        Assert.InRange(newest.Number, 2, 10);
        Assert.InRange(newest.Fee.Value, Cap / 2, Cap);
        var waiting = Assert.Single((await harness.Engine.HealthAsync()).LiveFamilies).Waiting;
        Assert.Contains($"it pays {newest.Fee}; a replacement would pass the {new Sats(Cap)} held for it", waiting, StringComparison.Ordinal);
        await FinishAsync(harness, newest);
    }

    [Theory]
    // The node gives itself change of the kind that it pays, and a coin that is not segwit is no good for us.
    [InlineData("bech32m")]
    [InlineData("legacy")]
    public async Task A_withdrawal_to_change_of_a_move_by_hand_keeps_no_other_from_leaving_and_being_replaced(string kind)
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        // The operator moves coins that nobody has by hand. Everybody can see where its change is.
        await regtest.Node.PayAsync(await regtest.Node.Node.GetRawChangeAddressAsync(EngineHarness.Cancel), Deposit, EngineHarness.Cancel);
        await harness.MineAsync(1);
        var elsewhere = await regtest.Node.MinerAsync("getnewaddress", ["", kind], NodeJson.ToText, EngineHarness.Cancel);
        var moved = await regtest.Node.Rpc.CallAsync(
            RegtestNode.ServerWallet, "sendtoaddress",
            [elsewhere, "0.0001", "", "", false, true, null, "unset", false, "2"], NodeJson.ToTxid, EngineHarness.Cancel);
        await harness.MineAsync(1);
        Assert.True(BitcoinTransaction.TryParse((await regtest.Node.Node.GetTransactionAsync(moved, EngineHarness.Cancel))!.Raw, out var move));
        var change = new List<string>();
        foreach (var output in move.Outputs)
        {
            var address = BitcoinAddress.FromScript(output.Script, BitcoinNetwork.Regtest)!;
            if ((await regtest.Node.Node.GetAddressInfoAsync(address, EngineHarness.Cancel)).IsMine) change.Add(address);
        }
        var toUs = await harness.WithdrawAsync(wallet, Assert.Single(change), Amount);
        await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), Amount);
        await harness.CloseEpochAsync();
        // The coin that is no good is found out by a build, if at all.
        await harness.TurnAsync();
        Assert.Single((await harness.FamilyAsync(1)).Attempts);

        await harness.MineEmptyAsync(EngineHarness.Target);
        var family = await harness.FamilyAsync(1);
        Assert.Equal((2, 1), (family.Attempts.Count, family.Withdrawals.Count));
        await FinishAsync(harness, family.Attempts[1]);
        Assert.Equal(WithdrawalState.Queued, (await harness.Partition.QueryAsync(ledger => ledger.FindWithdrawal(toUs)))!.State);
        Assert.Equal(1, (await harness.Engine.HealthAsync()).WalletsHealth.ToOurselves);
        // Its owner takes it back, as any that waits.
        Assert.Equal(Outcome.Accepted, (await harness.Partitions.SubmitAsync(new CancelWithdrawal(toUs.Id, wallet), tenant: 1)).Outcome);
        await harness.TurnAsync();
        Assert.Equal(0, (await harness.Engine.HealthAsync()).WalletsHealth.ToOurselves);
        Assert.Equal((Deposit - Amount).ToMsat(), (await harness.WalletAsync(wallet)).Available);
        await SweepAsync(move.Txid);
    }

    /// <summary>The next ledger of this wallet would meet the coin that is no good as well.</summary>
    private async Task SweepAsync(Txid made)
    {
        var node = regtest.Node;
        await node.Node.UnlockAllAsync(EngineHarness.Cancel);
        var left = (await node.Node.ListUnspentAsync(1, EngineHarness.Cancel)).Where(c => c.Output.Txid == made).ToArray();
        if (left.Length == 0) return;
        var inputs = new JsonArray([.. left.Select(c => (JsonNode)new JsonObject { ["txid"] = c.Output.Txid.ToString(), ["vout"] = c.Output.Index })]);
        await node.Rpc.CallAsync(
            RegtestNode.ServerWallet, "sendall",
            [new JsonArray(await node.NewMinerAddressAsync(EngineHarness.Cancel)), null, "unset", "2", new JsonObject { ["inputs"] = inputs }], a => a.ValueKind, EngineHarness.Cancel);
        await node.MineAsync(1, EngineHarness.Cancel);
    }

    [Theory]
    // Whether it was in the node's mempool before, so that the wallet knows it.
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_pays_less_than_the_node_asks_for_is_replaced_at_once(bool isKnown)
    {
        var (seam, guard) = GuardedNode.Create(regtest.Node.Node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam);
        guard.Stops = (call, _) => !isKnown && call == nameof(IBitcoinNode.SendRawTransactionAsync);
        var first = await SendAsync(harness);
        guard.Stops = (_, _) => false;
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        await regtest.Node.RestartAsync(EngineHarness.Cancel, "-minrelaytxfee=0.00005");
        try
        {
            await harness.TurnAsync();
            var second = Assert.Single((await harness.FamilyAsync(1)).Attempts, a => a.Number == 2);
            await AssertReplacesAsync(harness, first, second);
            Assert.True(second.Fee.Value >= 5 * AnchorChain.Parse(second).VirtualBytes);
            Assert.NotNull(await regtest.Node.Node.GetMempoolEntryAsync(second.Txid, EngineHarness.Cancel));
            await harness.TurnAsync();
            await FinishAsync(harness, second);
        }
        finally
        {
            await regtest.Node.StopAsync(EngineHarness.Cancel);
            await regtest.Node.RestartAsync(EngineHarness.Cancel);
        }
    }

    [Fact]
    public async Task What_its_payee_spends_already_gets_a_child_that_pays_for_it_and_its_fee_is_booked()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        var first = await SendAsync(harness, address);
        await SpendAsync(first, address);

        await harness.MineEmptyAsync(EngineHarness.Target);
        var family = await harness.FamilyAsync(1);
        Assert.Single(family.Attempts);
        var child = Assert.Single(family.Children);
        var waits = await regtest.Node.Node.GetMempoolEntryAsync(child.Txid, EngineHarness.Cancel);
        Assert.Equal((child.Fee, first.Fee + child.Fee), (waits!.Fee, waits.AncestorFees));
        Assert.True(waits.AncestorFees.Value * AnchorChain.Parse(first).VirtualBytes * 4 >= first.Fee.Value * waits.AncestorVirtualBytes * 5);
        Assert.False((await harness.Engine.HealthAsync()).Chain.ReservesShort);

        // The child is bumped, and nothing else: also after a restart of both.
        await regtest.Node.StopAsync(EngineHarness.Cancel);
        await regtest.Node.RestartAsync(EngineHarness.Cancel);
        await harness.ReopenAsync();
        await harness.MineEmptyAsync(EngineHarness.Target);
        family = await harness.FamilyAsync(1);
        Assert.Equal((1, 2), (family.Attempts.Count, family.Children.Count));
        Assert.Null(await regtest.Node.Node.GetMempoolEntryAsync(child.Txid, EngineHarness.Cancel));
        Assert.NotNull(await regtest.Node.Node.GetMempoolEntryAsync(family.Children[1].Txid, EngineHarness.Cancel));
        Assert.False((await harness.Engine.HealthAsync()).Chain.ReservesShort);

        // In a block, out of it and in again.
        await harness.MineAsync(1);
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(1)).State);
        var block = (await regtest.Node.Node.GetBlockchainInfoAsync(EngineHarness.Cancel)).BestBlock;
        await regtest.Node.InvalidateBlockAsync(block, EngineHarness.Cancel);
        await harness.MineEmptyAsync(1);
        Assert.Equal(FamilyState.Signed, (await harness.FamilyAsync(1)).State);
        await FinishAsync(harness, first, child: 2);
    }

    [Fact]
    public async Task A_family_waits_for_the_child_of_an_attempt_that_is_in_a_block()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        var first = await SendAsync(harness, address);
        await SpendAsync(first, address);
        await harness.MineEmptyAsync(EngineHarness.Target);
        var child = Assert.Single((await harness.FamilyAsync(1)).Children);
        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(first.Transaction.Span));
        for (var i = 1; i < EngineHarness.ToFinal; i++) await harness.MineEmptyAsync(1);
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(1)).State);
        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(child.Transaction.Span));
        Assert.Contains($"its child {child.Txid} has 1 of", Assert.Single((await harness.Engine.HealthAsync()).LiveFamilies).Waiting, StringComparison.Ordinal);
        await FinishAsync(harness, first, child: 1);
    }

    [Fact]
    public async Task What_the_next_anchor_is_built_on_is_sent_again_as_it_was_after_a_reorganisation_and_not_replaced()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var first = await SendAsync(harness);
        await harness.MineEmptyAsync(EngineHarness.Target);
        Assert.Equal(2, (await harness.FamilyAsync(1)).Attempts.Count);
        await harness.MineEmptyAsync(1, Convert.ToHexStringLower(first.Transaction.Span));
        var block = (await regtest.Node.Node.GetBlockchainInfoAsync(EngineHarness.Cancel)).BestBlock;
        await harness.CloseEpochAsync();
        var next = Assert.Single((await harness.FamilyAsync(2)).Attempts);
        Assert.Equal(first.Txid, AnchorChain.Parse(next).Inputs[0].Spent.Txid);

        await regtest.Node.InvalidateBlockAsync(block, EngineHarness.Cancel);
        await harness.MineEmptyAsync(EngineHarness.Target + 1);
        var family = await harness.FamilyAsync(1);
        Assert.Equal((FamilyState.Signed, 2), (family.State, family.Attempts.Count));
        var waiting = (await harness.Engine.HealthAsync()).LiveFamilies.Select(f => f.Waiting!).ToArray();
        // Unless the next one spends its change, too, a child pays for it.
        var takesChange = AnchorChain.Parse(next).Inputs.Count(i => i.Spent.Txid == first.Txid) > 1;
        Assert.Equal(takesChange ? 0 : 1, family.Children.Count);
        // In the turn that makes the child it still says why there is no replacement.
        var child = takesChange ? "" : $"|its child {family.Children[0].Txid} pays for it";
        Assert.Matches($"^{first.Txid} waits for a block; (it is not replaced, for another transaction spends its outputs{child})", waiting[0]);
        Assert.Equal($"{next.Txid} waits for a block; the anchor before it is not in a block", waiting[1]);

        await harness.MineAsync(1);
        Assert.Equal(1, (await harness.FamilyAsync(1)).Confirmation!.Attempt);
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(2)).State);
        await FinishAsync(harness, first, child: family.Children.Count);
    }

    /// <summary>A withdrawal and an anchor on their way in one transaction.</summary>
    private async Task<Attempt> SendAsync(EngineHarness harness, string? address = null)
    {
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        await harness.WithdrawAsync(wallet, address ?? await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), Amount);
        await harness.CloseEpochAsync();
        return Assert.Single((await harness.FamilyAsync(1)).Attempts);
    }

    /// <summary>All that was to be paid is, once each, out of the same coins at least; change may stand anywhere.</summary>
    private static async Task AssertReplacesAsync(EngineHarness harness, Attempt first, Attempt second)
    {
        var (before, after) = (AnchorChain.Parse(first), AnchorChain.Parse(second));
        Assert.Superset(before.Inputs.Select(i => i.Spent).ToHashSet(), after.Inputs.Select(i => i.Spent).ToHashSet());
        Assert.Equal(before.Inputs[0].Spent, after.Inputs[0].Spent);
        var (anchor, paid) = await harness.Partition.QueryAsync(ledger =>
            (ledger.Genesis!.AnchorScript, ledger.Families()[0].Withdrawals.Select(k => ledger.FindWithdrawal(k)!).ToArray()));
        Assert.All(paid, w => Assert.Single(after.Outputs, o => w.Script.Span.SequenceEqual(o.Script) && o.Value == w.Amount));
        Assert.Single(after.Outputs, o => anchor.Span.SequenceEqual(o.Script));
        Assert.Single(after.Outputs, o => o.Value == Sats.Zero);
        Assert.Equal(before.Outputs.Count, after.Outputs.Count);
    }

    /// <summary>The payee's next payment takes the withdrawal's output, which is in no block yet.</summary>
    private async Task SpendAsync(Attempt attempt, string address)
    {
        Assert.True(BitcoinAddress.TryParse(address, BitcoinNetwork.Regtest, out var script, out _));
        var index = AnchorChain.Parse(attempt).Outputs.Index().Single(o => o.Item.Script.AsSpan().SequenceEqual(script)).Index;
        var inputs = new JsonArray(new JsonObject { ["txid"] = attempt.Txid.ToString(), ["vout"] = index });
        var outputs = new JsonObject { [await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel)] = Amounts.FormatBtc(Amount - new Sats(1_000)) };
        var unsigned = await regtest.Node.Rpc.CallAsync(null, "createrawtransaction", [inputs, outputs], a => a.GetString()!, EngineHarness.Cancel);
        var raw = await regtest.Node.MinerAsync("signrawtransactionwithwallet", [unsigned], a => a.GetProperty("hex").GetString()!, EngineHarness.Cancel);
        var sent = await regtest.Node.Node.SendRawTransactionAsync(Convert.FromHexString(raw), EngineHarness.Cancel);
        Assert.Equal(BroadcastOutcome.Accepted, sent.Outcome);
    }

    /// <summary>Mines until the family is final, by a given attempt: it alone is booked.</summary>
    private static async Task FinishAsync(EngineHarness harness, Attempt paid, int child = 0)
    {
        await harness.MineAsync(1);
        await harness.MineAsync(EngineHarness.ToFinal);
        var family = await harness.FamilyAsync(1);
        Assert.Equal((FamilyState.Final, paid.Number, child), (family.State, family.Confirmation!.Attempt, family.FinalChild));
        var (fees, available, others) = await harness.Partition.QueryAsync(ledger => (
            ledger.Totals.MiningFees, ledger.OperatorWallet.Available + ledger.OperatorWallet.Held,
            ledger.Families().Skip(1).Sum(f => f.FeePaid.Value)));
        var cost = paid.Fee + (child > 0 ? family.Children[child - 1].Fee : Sats.Zero);
        Assert.Equal((cost.ToMsat().Value + (others * 1_000), cost), (fees, family.FeePaid));
        Assert.Equal(Fees.ToMsat().Value - fees, available.Value);
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Withdrawn);
    }
}
