using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Deposits on a real chain, its reorganisations included. Conservation is checked after every turn.</summary>
[Trait("suite", "node")]
public sealed class DepositTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Amount = new(1_000_000);

    [Fact]
    public async Task A_deposit_is_credited_once_after_the_wanted_confirmations()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Amount, EngineHarness.Cancel);

        await harness.TurnAsync();
        Assert.Empty(await harness.Partition.QueryAsync(ledger => ledger.DepositsOf(wallet)));
        await harness.MineAsync(1);
        Assert.Equal(DepositState.Seen, (await harness.DepositAsync(wallet)).State);
        Assert.Equal(Msat.Zero, (await harness.WalletAsync(wallet)).Available);
        await harness.MineAsync(1);
        Assert.Equal(DepositState.Credited, (await harness.DepositAsync(wallet)).State);
        Assert.Equal(Amount.ToMsat(), (await harness.WalletAsync(wallet)).Available);

        for (var i = 0; i < 3; i++) await harness.TurnAsync();
        await harness.ReopenAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(DepositState.Final, (await harness.DepositAsync(wallet)).State);
        Assert.Equal(Amount.ToMsat(), (await harness.WalletAsync(wallet)).Available);
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Deposited);
    }

    [Fact]
    public async Task A_reorg_that_drops_a_deposit_freezes_it_at_once_and_final_depth_reverses_it()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var (wallet, _) = await DropAsync(harness, spend: Msat.Zero);

        var frozen = await harness.WalletAsync(wallet);
        Assert.Equal((Msat.Zero, Amount.ToMsat()), (frozen.Available, frozen.Frozen));
        Assert.Equal(DepositState.Frozen, (await harness.DepositAsync(wallet)).State);
        await harness.ReopenAsync();

        await harness.MineEmptyAsync(EngineHarness.ToFinal);
        var reversed = await harness.WalletAsync(wallet);
        Assert.Equal(DepositState.Reversed, (await harness.DepositAsync(wallet)).State);
        Assert.Equal((Msat.Zero, Msat.Zero, false), (reversed.Available, reversed.Frozen, reversed.Owes));
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Reversed);
    }

    [Fact]
    public async Task A_deposit_dropped_after_it_was_spent_becomes_a_receivable_that_stops_outflow()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var spent = new Msat(600_000_000);
        var (wallet, friend) = await DropAsync(harness, spent);

        var frozen = await harness.WalletAsync(wallet);
        Assert.Equal((Msat.Zero, Amount.ToMsat() - spent, spent), (frozen.Available, frozen.Frozen, frozen.OwedPending));
        Assert.Equal(Outcome.WalletOwes, (await harness.PayAsync(wallet, friend, new Msat(1))).Outcome);

        await harness.MineEmptyAsync(EngineHarness.ToFinal);
        var reversed = await harness.WalletAsync(wallet);
        Assert.Equal((Msat.Zero, spent), (reversed.Frozen, reversed.Owed));
        Assert.Equal(spent, (await harness.WalletAsync(friend)).Available);
        await harness.ReopenAsync();

        // What comes in repays first; only the rest can be spent.
        await harness.PayAsync(friend, wallet, spent);
        Assert.False((await harness.WalletAsync(wallet)).Owes);
        Assert.Equal(Msat.Zero, (await harness.WalletAsync(wallet)).Available);
    }

    [Fact]
    public async Task A_deposit_that_returns_after_a_reorg_is_given_back_and_not_credited_again()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Amount, EngineHarness.Cancel);
        var blocks = await regtest.Node.MineAsync(3, EngineHarness.Cancel);
        await harness.TurnAsync();

        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        // The longer chain that forces the reorganisation does not hold the deposit yet.
        await harness.MineEmptyAsync(4);
        Assert.Equal(DepositState.Frozen, (await harness.DepositAsync(wallet)).State);
        Assert.Equal(Amount.ToMsat(), (await harness.WalletAsync(wallet)).Frozen);

        await harness.MineAsync(1);
        Assert.Equal(DepositState.Frozen, (await harness.DepositAsync(wallet)).State);
        await harness.MineAsync(1);
        Assert.Equal(DepositState.Credited, (await harness.DepositAsync(wallet)).State);
        Assert.Equal(Amount.ToMsat(), (await harness.WalletAsync(wallet)).Available);
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Deposited);
    }

    [Fact]
    public async Task A_deposit_below_the_minimum_is_visible_in_suspense()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        await regtest.Node.PayAsync(await harness.AddressAsync(wallet), new Sats(999), EngineHarness.Cancel);
        await harness.MineAsync(EngineHarness.ToCredit);
        Assert.True((await harness.DepositAsync(wallet)).Suspense);
        Assert.Equal(Msat.Zero, (await harness.WalletAsync(wallet)).Available);
        Assert.Equal(999_000, (await harness.TotalsAsync()).Suspense);
    }

    [Fact]
    public async Task What_is_in_suspense_goes_to_a_wallet_when_it_is_final()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var (wallet, other) = (await harness.CreateWalletAsync(), await harness.CreateWalletAsync());
        await regtest.Node.PayAsync(await harness.AddressAsync(wallet), new Sats(999), EngineHarness.Cancel);
        await harness.MineAsync(EngineHarness.ToCredit);
        var output = (await harness.DepositAsync(wallet)).OutPoint;
        Assert.Equal(Outcome.SuspenseNotFinal, (await AssignAsync()).Outcome);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(Outcome.Accepted, (await AssignAsync()).Outcome);
        Assert.Equal(Outcome.SuspenseNotFound, (await AssignAsync()).Outcome);
        await harness.ReopenAsync();
        await harness.MineAsync(1);
        Assert.Equal(999_000, (await harness.WalletAsync(other)).Available.Value);
        Assert.Equal(0, (await harness.TotalsAsync()).Suspense);

        Task<Answer> AssignAsync() => harness.Partitions.SubmitAsync(new AssignSuspense(EngineHarness.NewId(), output, other), Ledger.OperatorTenant);
    }

    [Fact]
    public async Task Outputs_of_one_transaction_to_one_address_are_credited_each_and_one_of_a_satoshi_waits_in_suspense()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        var (first, second, third) = (await harness.AddressAsync(wallet), await harness.AddressAsync(wallet), await harness.AddressAsync(wallet));
        // The node's own calls refuse an address twice and an amount that small: both are put into its transaction.
        var raw = await harness.SignAsync(
            [(first, new Sats(70_001)), (second, new Sats(70_002)), (third, new Sats(70_003))],
            unsigned => unsigned.Replace(ScriptOf(second), ScriptOf(first), StringComparison.Ordinal)
                .Replace(AmountOf(70_003), AmountOf(1), StringComparison.Ordinal));
        // Nodes do not relay it, but it may be mined.
        await harness.MineEmptyAsync(1, raw);
        await harness.MineAsync(EngineHarness.ToCredit - 1);
        var deposits = await harness.Partition.QueryAsync(ledger => ledger.DepositsOf(wallet));
        Assert.Equal([(1L, true), (70_001, false), (70_002, false)], deposits.Select(d => (d.Amount.Value, d.Suspense)).Order());
        Assert.Equal(140_003_000, (await harness.WalletAsync(wallet)).Available.Value);
        Assert.Equal(1_000, (await harness.TotalsAsync()).Suspense);

        static string ScriptOf(string address) =>
            BitcoinAddress.TryParse(address, BitcoinNetwork.Regtest, out var script, out _) ? Convert.ToHexStringLower(script) : throw new FormatException(address);
        static string AmountOf(long sat) => Convert.ToHexStringLower(BitConverter.GetBytes(sat));
    }

    [Fact]
    public async Task A_coinbase_deposit_goes_to_suspense_when_it_is_mature()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        await regtest.Node.MineAsync(1, EngineHarness.Cancel, await harness.AddressAsync(wallet));
        await harness.TurnAsync();
        Assert.Equal(DepositState.Seen, (await harness.DepositAsync(wallet)).State);
        await harness.MineAsync(99);
        Assert.Equal(DepositState.Seen, (await harness.DepositAsync(wallet)).State);
        await harness.MineAsync(2);
        var deposit = await harness.DepositAsync(wallet);
        Assert.True(deposit is { State: DepositState.Final, Suspense: true });
        Assert.Equal(deposit.Amount.ToMsat().Value, (await harness.TotalsAsync()).Suspense);
    }

    [Fact]
    public async Task A_thousand_outputs_of_one_transaction_are_credited_each()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var expected = new Dictionary<WalletId, long>();
        var outputs = new JsonObject();
        for (var i = 0; i < 10; i++)
        {
            var wallet = await harness.CreateWalletAsync();
            var sats = Enumerable.Range(0, 100).Select(k => 1_000L + (100 * i) + k).ToArray();
            foreach (var sat in sats) outputs[await harness.AddressAsync(wallet)] = Amounts.FormatBtc(new Sats(sat));
            expected[wallet] = 1_000 * sats.Sum();
        }
        await regtest.Node.MinerAsync("sendmany", ["", outputs], a => a.ValueKind, EngineHarness.Cancel);
        await harness.MineAsync(EngineHarness.ToCredit);
        foreach (var (wallet, msat) in expected) Assert.Equal(msat, (await harness.WalletAsync(wallet)).Available.Value);
        Assert.Equal(expected.Values.Sum(), (await harness.TotalsAsync()).Deposited);
    }

    [Fact]
    public async Task Deposits_to_an_address_that_was_used_before_are_credited_each()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        var address = await harness.AddressAsync(wallet);
        for (var deposits = 1; deposits <= 3; deposits++)
        {
            await regtest.Node.PayAsync(address, Amount, EngineHarness.Cancel);
            await harness.MineAsync(EngineHarness.ToFinal);
            Assert.Equal(deposits * Amount.ToMsat().Value, (await harness.WalletAsync(wallet)).Available.Value);
        }
    }

    [Fact]
    public async Task A_deposit_that_its_sender_replaces_is_credited_once_as_what_confirmed()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        var first = await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Amount, EngineHarness.Cancel);
        await harness.TurnAsync();
        var replacement = await regtest.Node.MinerAsync(
            "bumpfee", [first.ToString()], a => a.GetProperty("txid").GetString()!, EngineHarness.Cancel);
        await harness.TurnAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        var deposit = await harness.DepositAsync(wallet);
        Assert.Equal((DepositState.Final, replacement), (deposit.State, deposit.OutPoint.Txid.ToString()));
        Assert.Equal(Amount.ToMsat(), (await harness.WalletAsync(wallet)).Available);
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Deposited);
    }

    /// <summary>Credits a deposit, spends some of it, and has three blocks with it replaced by a longer chain in
    /// which its coins went elsewhere.</summary>
    private async Task<(WalletId Wallet, WalletId Friend)> DropAsync(EngineHarness harness, Msat spend)
    {
        var (wallet, friend) = (await harness.CreateWalletAsync(), await harness.CreateWalletAsync());
        var txid = await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Amount, EngineHarness.Cancel);
        var other = await harness.DoubleSpendAsync(txid);
        var blocks = await regtest.Node.MineAsync(3, EngineHarness.Cancel);
        await harness.TurnAsync();
        Assert.Equal(Amount.ToMsat(), (await harness.WalletAsync(wallet)).Available);
        if (!spend.IsZero) Assert.Equal(Outcome.Accepted, (await harness.PayAsync(wallet, friend, spend)).Outcome);

        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        await harness.MineEmptyAsync(4, other);
        return (wallet, friend);
    }
}
