using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Branches of a real chain that replace one another, with money in them that comes in and goes out.</summary>
[Trait("suite", "node")]
public sealed class ReorganisationTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Amount = new(70_000);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(6)]
    public async Task Back_and_forth_over_branches_everything_is_booked_and_paid_once(int depth)
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(new Sats(200_000));
        var (wallet, payer) = (await harness.CreateWalletAsync(), await harness.FundedWalletAsync(Deposit));
        var address = await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.WithdrawAsync(payer, address, Amount);
        await harness.CloseEpochAsync();
        var txid = await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Deposit, EngineHarness.Cancel);
        var raw = await RawAsync(txid);
        // What is final does not come back. So of many blocks only the last hold anything.
        var height = await HeightAsync();
        await harness.MineEmptyAsync(Math.Max(0, depth - EngineHarness.ToCredit));
        await harness.MineAsync(Math.Min(depth, EngineHarness.ToCredit));
        var branch = (await regtest.Node.Node.GetBlockHashAsync(height + 1, EngineHarness.Cancel))!.Value;
        var credited = depth >= EngineHarness.ToCredit ? DepositState.Credited : DepositState.Seen;
        Assert.Equal((credited, FamilyState.Confirmed), await StatesAsync(harness, wallet));

        // Another branch without either is longer.
        await regtest.Node.InvalidateBlockAsync(branch, EngineHarness.Cancel);
        await harness.MineEmptyAsync(depth + 1);
        Assert.Equal((credited == DepositState.Credited ? DepositState.Frozen : DepositState.Seen, FamilyState.Signed), await StatesAsync(harness, wallet));
        var other = (await regtest.Node.Node.GetBlockHashAsync(height + 1, EngineHarness.Cancel))!.Value;

        // The old one is made longer, the other one again, and at last the old one for good.
        await regtest.Node.InvalidateBlockAsync(other, EngineHarness.Cancel);
        await regtest.Node.ReconsiderBlockAsync(branch, EngineHarness.Cancel);
        await harness.MineEmptyAsync(2);
        Assert.Equal((DepositState.Credited, FamilyState.Confirmed), await StatesAsync(harness, wallet));
        await regtest.Node.InvalidateBlockAsync(branch, EngineHarness.Cancel);
        await regtest.Node.ReconsiderBlockAsync(other, EngineHarness.Cancel);
        await harness.MineEmptyAsync(2);
        Assert.Equal((DepositState.Frozen, FamilyState.Signed), await StatesAsync(harness, wallet));
        await regtest.Node.ReconsiderBlockAsync(branch, EngineHarness.Cancel);
        await regtest.Node.Node.SendRawTransactionAsync(raw, EngineHarness.Cancel);

        await harness.MineAsync(1);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal((DepositState.Final, FamilyState.Final), await StatesAsync(harness, wallet));
        Assert.Equal(Deposit.ToMsat(), (await harness.WalletAsync(wallet)).Available);
        // A branch that is as long as a transaction may wait has it replaced.
        Assert.InRange((await harness.FamilyAsync(1)).Attempts.Count, 1, depth < EngineHarness.Target ? 1 : 2);
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal("0.00070000", await regtest.Node.MinerAsync("getreceivedbyaddress", [address, 1], a => a.GetRawText(), EngineHarness.Cancel));
    }

    [Fact]
    public async Task A_payment_that_its_sender_takes_elsewhere_before_it_confirms_is_never_booked()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        var txid = await regtest.Node.PayAsync(await harness.AddressAsync(wallet), Deposit, EngineHarness.Cancel);
        var elsewhere = await harness.DoubleSpendAsync(txid);
        await harness.TurnAsync();
        await harness.MineEmptyAsync(1, elsewhere);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Empty(await harness.Partition.QueryAsync(ledger => ledger.DepositsOf(wallet)));
        Assert.Equal(0, (await harness.TotalsAsync()).Deposited);
    }

    [Fact]
    public async Task A_deposit_of_one_satoshi_is_set_aside_and_counted()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        var wallet = await harness.CreateWalletAsync();
        // No node relays it; a miner may put it into a block.
        await harness.MineEmptyAsync(1, await PaymentAsync(harness, await harness.AddressAsync(wallet), new Sats(1)));
        await harness.MineEmptyAsync(EngineHarness.ToFinal);
        var deposit = await harness.DepositAsync(wallet);
        Assert.Equal((DepositState.Final, true, new Sats(1)), (deposit.State, deposit.Suspense, deposit.Amount));
        Assert.Equal((1_000, Msat.Zero), ((await harness.TotalsAsync()).Suspense, (await harness.WalletAsync(wallet)).Available));
    }

    private static async Task<(DepositState, FamilyState)> StatesAsync(EngineHarness harness, WalletId wallet) =>
        ((await harness.DepositAsync(wallet)).State, (await harness.FamilyAsync(1)).State);

    private async Task<int> HeightAsync() => (await regtest.Node.Node.GetBlockchainInfoAsync(EngineHarness.Cancel)).Blocks;

    private async Task<byte[]> RawAsync(Txid txid) => (await regtest.Node.Node.GetRawTransactionAsync(txid, null, EngineHarness.Cancel))!;

    /// <summary>Signs a payment of the miner's with one output of any size.</summary>
    private async Task<string> PaymentAsync(EngineHarness harness, string address, Sats amount)
    {
        var coin = await regtest.Node.MinerAsync("listunspent", [1], a => a[0].Clone(), EngineHarness.Cancel);
        var inputs = new JsonArray(new JsonObject { ["txid"] = coin.GetProperty("txid").GetString(), ["vout"] = coin.GetProperty("vout").GetInt32() });
        Assert.True(Amounts.TryParseBtc(coin.GetProperty("amount").GetRawText(), out var value));
        var outputs = new JsonObject
        {
            [address] = Amounts.FormatBtc(amount),
            [await harness.Node.NewMinerAddressAsync(EngineHarness.Cancel)] = Amounts.FormatBtc(value - amount - new Sats(1_000)),
        };
        var unsigned = await regtest.Node.Rpc.CallAsync(null, "createrawtransaction", [inputs, outputs], a => a.GetString()!, EngineHarness.Cancel);
        return await regtest.Node.MinerAsync("signrawtransactionwithwallet", [unsigned], a => a.GetProperty("hex").GetString()!, EngineHarness.Cancel);
    }
}
