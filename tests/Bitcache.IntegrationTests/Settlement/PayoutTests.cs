using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Withdrawals and anchors on a real chain.</summary>
[Trait("suite", "node")]
public sealed class PayoutTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);

    [Fact]
    public async Task Withdrawals_of_an_epoch_leave_in_one_transaction_with_the_anchor()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var keys = new List<WithdrawalKey>();
        for (var i = 0; i < 3; i++)
            keys.Add(await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(100_000 + i)));
        Assert.Equal(new Msat(300_003_000), (await harness.WalletAsync(wallet)).Held);

        var epoch = await harness.CloseEpochAsync();
        var family = Assert.Single(await harness.Partition.QueryAsync(ledger => ledger.LiveFamilies()));
        Assert.Equal(FamilyState.Signed, family.State);
        Assert.Equal(keys, family.Withdrawals);
        Assert.Equal(epoch.Number, family.Anchor!.Epoch);

        await harness.MineAsync(1);
        await harness.ReopenAsync();
        family = await harness.FamilyAsync(family.Number);
        Assert.Equal(FamilyState.Confirmed, family.State);
        var anchor = AnchorChain.ConfirmedTransaction(family);
        var genesis = await harness.Partition.QueryAsync(ledger => ledger.Genesis!);
        Assert.Single(anchor.Outputs, o => genesis.AnchorScript.Span.SequenceEqual(o.Script));
        Assert.True(AnchorRecord.TryFindCommitment(anchor, out var commitment));
        Assert.Equal(AnchorChain.ToRecord(family.Anchor!, genesis.Origin).Commitment(), commitment);
        foreach (var key in keys)
        {
            var withdrawal = await harness.Partition.QueryAsync(ledger => ledger.FindWithdrawal(key)!);
            Assert.Single(anchor.Outputs, o => withdrawal.Script.Span.SequenceEqual(o.Script) && o.Value == withdrawal.Amount);
        }

        await harness.MineAsync(EngineHarness.ToFinal);
        var fee = family.Attempts[0].Fee;
        var totals = await harness.TotalsAsync();
        Assert.Equal(FamilyState.Final, (await harness.FamilyAsync(family.Number)).State);
        Assert.Equal(Msat.Zero, (await harness.WalletAsync(wallet)).Held);
        Assert.Equal(300_003_000, totals.Withdrawn);
        Assert.Equal(fee.ToMsat().Value, totals.MiningFees);
        Assert.Equal((Fees - fee).ToMsat(), (await harness.Partition.QueryAsync(ledger => ledger.OperatorWallet)).Available);
    }

    [Fact]
    public async Task Every_anchor_spends_the_output_of_the_one_before_first()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        OutPoint? previous = null;
        var genesis = await harness.Partition.QueryAsync(ledger => ledger.Genesis!);
        for (var i = 1; i <= 3; i++)
        {
            await harness.CloseEpochAsync();
            await harness.MineAsync(1);
            var family = await harness.FamilyAsync(i);
            Assert.Equal(FamilyState.Confirmed, family.State);
            var anchor = AnchorChain.ConfirmedTransaction(family);
            if (previous is not null) Assert.Equal(previous, anchor.Inputs[0].Spent);
            previous = await harness.Partition.QueryAsync(ledger => AnchorChain.Tip(ledger.NewestConfirmedAnchor, genesis.AnchorScript)!.Value.OutPoint);
            Assert.Equal(anchor.Txid, previous.Value.Txid);
        }
        var first = AnchorChain.ConfirmedTransaction(await harness.FamilyAsync(1)).Txid;
        // Nobody pins what a reorganisation may take.
        Assert.Null(await harness.Partition.QueryAsync(ledger => ledger.FirstFinalAnchor));
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(first, (await harness.Engine.PinsAsync()).FirstAnchor);
    }

    [Fact]
    public async Task Epochs_that_close_while_an_anchor_is_unconfirmed_wait_and_their_withdrawals_leave_without_one()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        await harness.CloseEpochAsync();
        await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(50_000));
        await harness.CloseEpochAsync();
        await harness.CloseEpochAsync();

        var live = await harness.Partition.QueryAsync(ledger => ledger.LiveFamilies());
        Assert.Equal(2, live.Count);
        Assert.Equal(1, live[0].Anchor!.Epoch);
        Assert.Null(live[1].Anchor);

        await harness.MineAsync(1);
        await harness.TurnAsync();
        var next = await harness.FamilyAsync(3);
        Assert.Equal(3, next.Anchor!.Epoch);
        Assert.Equal(FamilyState.Signed, next.State);
    }

    [Fact]
    public async Task A_confirmed_family_that_leaves_the_chain_is_sent_again_and_confirms_once()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(70_000));
        await harness.CloseEpochAsync();
        var blocks = await regtest.Node.MineAsync(2, EngineHarness.Cancel);
        await harness.TurnAsync();
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(1)).State);

        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        await harness.MineEmptyAsync(3);
        Assert.Equal(FamilyState.Signed, (await harness.FamilyAsync(1)).State);
        await harness.MineAsync(EngineHarness.ToFinal);
        var family = await harness.FamilyAsync(1);
        Assert.Equal(FamilyState.Final, family.State);
        Assert.Single(family.Attempts);
        Assert.Equal(70_000_000, (await harness.TotalsAsync()).Withdrawn);
    }

    [Fact]
    public async Task Without_funds_of_its_own_the_operator_builds_nothing()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.FundedWalletAsync(Deposit);
        await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(70_000));
        await harness.CloseEpochAsync();
        Assert.Empty(await harness.Partition.QueryAsync(ledger => ledger.LiveFamilies()));
        Assert.True((await harness.Engine.HealthAsync()).OperatorFundsLow);

        await harness.TopUpAsync(Fees);
        Assert.Single(await harness.Partition.QueryAsync(ledger => ledger.LiveFamilies()));
        Assert.False((await harness.Engine.HealthAsync()).OperatorFundsLow);
    }

    [Fact]
    public async Task A_second_withdrawal_to_one_address_leaves_when_the_first_is_in_a_block()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.WithdrawAsync(wallet, address, new Sats(60_000));
        await harness.WithdrawAsync(wallet, address, new Sats(60_000));
        await harness.CloseEpochAsync();
        await harness.TurnAsync();
        Assert.Single(await harness.Partition.QueryAsync(ledger => ledger.Families()));
        await harness.MineAsync(1);
        // The turn that saw the block had opened its families before.
        await harness.TurnAsync();
        Assert.Equal([FamilyState.Confirmed, FamilyState.Signed], await harness.Partition.QueryAsync(ledger => ledger.Families().Select(f => f.State).ToArray()));
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(120_000_000, (await harness.TotalsAsync()).Withdrawn);
    }

    [Fact]
    public async Task Dust_to_an_address_holds_up_nobody_elses_withdrawal_to_it_and_both_are_paid_once()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var (stranger, wallet) = (await harness.FundedWalletAsync(Deposit), await harness.FundedWalletAsync(Deposit));
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        var dust = await harness.WithdrawAsync(stranger, address, new Sats(1_000));
        await harness.CloseEpochAsync();
        var payment = await harness.WithdrawAsync(wallet, address, new Sats(60_000));
        await harness.CloseEpochAsync();

        // Nothing is in a block yet: both are on their way, and not in one transaction.
        var families = await harness.Partition.QueryAsync(ledger => ledger.LiveFamilies());
        Assert.Equal([[dust], [payment]], families.Select(f => f.Withdrawals));
        Assert.All(families, f => Assert.Equal(FamilyState.Signed, f.State));
        var blocks = await regtest.Node.MineAsync(1, EngineHarness.Cancel);
        await harness.TurnAsync();
        // They leave the chain, and come back into it.
        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        await harness.MineEmptyAsync(2);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.True(BitcoinAddress.TryParse(address, BitcoinNetwork.Regtest, out var script, out _));
        var paid = new List<long>();
        foreach (var number in new long[] { 1, 2 })
        {
            var family = await harness.FamilyAsync(number);
            Assert.Equal(FamilyState.Final, family.State);
            paid.Add(Assert.Single(AnchorChain.ConfirmedTransaction(family).Outputs, o => script.AsSpan().SequenceEqual(o.Script)).Value.Value);
        }
        Assert.Equal([1_000, 60_000], paid);
        Assert.Equal(61_000_000, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal((Msat.Zero, Msat.Zero), ((await harness.WalletAsync(stranger)).Held, (await harness.WalletAsync(wallet)).Held));
    }

    [Fact]
    public async Task A_first_anchor_that_leaves_the_chain_is_waited_for_by_the_second()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        await harness.CloseEpochAsync();
        var blocks = await regtest.Node.MineAsync(1, EngineHarness.Cancel);
        await harness.TurnAsync();
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(1)).State);

        // In one turn: the second epoch is there to be anchored, and the first anchor is gone.
        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        for (var i = 0; i < 2; i++)
            await regtest.Node.Rpc.CallAsync(null, "generateblock", [await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new System.Text.Json.Nodes.JsonArray()], a => a.ValueKind, EngineHarness.Cancel);
        await harness.CloseEpochAsync();
        Assert.Equal(FamilyState.Signed, (await harness.FamilyAsync(1)).State);
        var second = await harness.FamilyAsync(2);
        Assert.Equal((2, FamilyState.Opened), (second.Anchor!.Epoch, second.State));

        await harness.MineAsync(1);
        await harness.MineAsync(1);
        var first = AnchorChain.ConfirmedTransaction(await harness.FamilyAsync(1));
        var next = AnchorChain.ConfirmedTransaction(await harness.FamilyAsync(2));
        Assert.Equal(first.Txid, next.Inputs[0].Spent.Txid);
    }

    [Fact]
    public async Task With_reserves_below_liabilities_withdrawals_stop_and_anchors_go_on()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(70_000));

        // Somebody empties the hot wallet but for one coin.
        var thief = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        await regtest.Node.Rpc.CallAsync(Bitcache.Cli.Demo.RegtestNode.ServerWallet, "sendall", [new System.Text.Json.Nodes.JsonArray(thief)], a => a.ValueKind, EngineHarness.Cancel);
        await regtest.Node.PayAsync(await regtest.Node.Node.GetNewAddressAsync(EngineHarness.Cancel), new Sats(100_000), EngineHarness.Cancel);
        await harness.MineAsync(1);
        Assert.True((await harness.Engine.HealthAsync()).Chain.ReservesShort);
        await harness.CloseEpochAsync();
        var family = Assert.Single(await harness.Partition.QueryAsync(ledger => ledger.LiveFamilies()));
        Assert.Empty(family.Withdrawals);
        Assert.Equal(FamilyState.Signed, family.State);

        // The operator fills it up again.
        await regtest.Node.PayAsync(await regtest.Node.Node.GetNewAddressAsync(EngineHarness.Cancel), new Sats(5_000_000), EngineHarness.Cancel);
        await harness.MineAsync(1);
        Assert.False((await harness.Engine.HealthAsync()).Chain.ReservesShort);
        Assert.Single((await harness.FamilyAsync(2)).Withdrawals);
    }

    [Fact]
    public async Task A_family_that_would_cost_too_much_is_split_and_everybody_is_paid_once()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        // The anchor takes 124; the other 476 would cost more than the fee cap of 20,000 sat at 2 sat/vB.
        const int Count = 600;
        for (var i = 0; i < Count; i++)
            await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(1_000));
        await harness.CloseEpochAsync();
        for (var i = 0; i < 4 + EngineHarness.ToFinal; i++) await harness.MineAsync(1);

        var families = await harness.Partition.QueryAsync(ledger => ledger.Families());
        // By as much as was too dear, whichever coins were taken: three transactions are the fewest.
        Assert.InRange(families.Count(f => f.State == FamilyState.Abandoned), 1, 5);
        Assert.InRange(families.Count(f => f.State == FamilyState.Final), 3, 5);
        Assert.All(families, f => Assert.True(f.State is FamilyState.Final or FamilyState.Abandoned, $"family {f.Number} is {f.State}"));
        Assert.Equal(Count, families.Where(f => f.State == FamilyState.Final).Sum(f => f.Withdrawals.Count));
        Assert.Equal(Count * 1_000_000L, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal(Msat.Zero, (await harness.WalletAsync(wallet)).Held);
    }

    [Fact]
    public async Task Between_epochs_enough_withdrawals_leave_together_without_an_anchor()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, change: settings => settings with { WithdrawalBatchCount = 3 });
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        for (var i = 0; i < 3; i++)
        {
            await harness.TurnAsync();
            Assert.Empty(await harness.Partition.QueryAsync(ledger => ledger.Families()));
            await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(20_000));
        }
        await harness.TurnAsync();
        var family = Assert.Single(await harness.Partition.QueryAsync(ledger => ledger.Families()));
        Assert.Equal((FamilyState.Signed, 3), (family.State, family.Withdrawals.Count));
        Assert.Null(family.Anchor);
        // The epoch that closes has its anchor, and nothing to pay.
        await harness.CloseEpochAsync();
        Assert.Empty((await harness.FamilyAsync(2)).Withdrawals);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(60_000_000, (await harness.TotalsAsync()).Withdrawn);
    }

    [Fact]
    public async Task Near_its_deadline_a_withdrawal_leaves_at_once_however_dear_mining_is()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node, change: settings => settings with { FeeRatePatience = 1, WithdrawalFeeShare = true });
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var waits = await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(20_000));
        await harness.CloseEpochAsync();
        // Two satoshis a byte are more than its patience: only the anchor leaves.
        Assert.Empty(Assert.Single(await harness.Partition.QueryAsync(ledger => ledger.Families())).Withdrawals);
        Assert.True(BitcoinAddress.TryParse(await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), BitcoinNetwork.Regtest, out var script, out _));
        var urgent = new RequestWithdrawal(EngineHarness.NewId(), wallet, new ByteString(script), new Sats(30_000), Max: false)
        {
            Deadline = new UnixTime(TimeProvider.System.GetUtcNow().AddMinutes(9).ToUnixTimeMilliseconds()),
        };
        Assert.Equal(Outcome.Accepted, (await harness.Partitions.SubmitAsync(urgent, tenant: 1)).Outcome);
        await harness.TurnAsync();
        var family = await harness.FamilyAsync(2);
        Assert.Equal(FamilyState.Signed, family.State);
        Assert.Equal([new WithdrawalKey(wallet, urgent.Id)], family.Withdrawals);
        Assert.Equal(WithdrawalState.Queued, (await harness.Partition.QueryAsync(ledger => ledger.FindWithdrawal(waits)!)).State);
    }

    [Fact]
    public async Task A_withdrawal_to_one_of_our_own_addresses_settles_inside()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var payer = await harness.FundedWalletAsync(Deposit);
        var payee = await harness.CreateWalletAsync();
        var key = await harness.WithdrawAsync(payer, await harness.AddressAsync(payee), new Sats(5_000));
        Assert.Equal(new Msat(5_000_000), (await harness.WalletAsync(payee)).Available);
        Assert.Equal(WithdrawalState.SettledInside, (await harness.Partition.QueryAsync(ledger => ledger.FindWithdrawal(key)!)).State);
        await harness.ReopenAsync();
    }

    [Fact]
    public async Task With_the_node_down_payments_go_on_and_withdrawals_wait_for_it()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(Fees);
        var (wallet, friend) = (await harness.FundedWalletAsync(Deposit), await harness.CreateWalletAsync());
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.CloseEpochAsync();
        await harness.MineAsync(1);

        await regtest.Node.StopAsync(EngineHarness.Cancel);
        await harness.TurnAsync();
        Assert.NotNull((await harness.Engine.HealthAsync()).Chain.Trouble);
        Assert.Equal(Outcome.Accepted, (await harness.PayAsync(wallet, friend, new Msat(1))).Outcome);
        await harness.WithdrawAsync(wallet, address, new Sats(40_000));
        await harness.CloseEpochAsync();
        await Assert.ThrowsAsync<NodeUnavailableException>(() => harness.AddressAsync(friend));

        await regtest.Node.RestartAsync(EngineHarness.Cancel);
        await harness.TurnAsync();
        Assert.Null((await harness.Engine.HealthAsync()).Chain.Trouble);
        var family = await harness.FamilyAsync(2);
        Assert.Equal(FamilyState.Signed, family.State);
        Assert.Single(family.Withdrawals);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(40_000_000, (await harness.TotalsAsync()).Withdrawn);
    }
}
