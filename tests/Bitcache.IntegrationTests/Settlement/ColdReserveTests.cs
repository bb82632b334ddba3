using System.Text.Json.Nodes;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Reserves that lie partly with keys that no server has.</summary>
[Trait("suite", "node")]
public sealed class ColdReserveTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);

    private static CancellationToken Cancel => EngineHarness.Cancel;

    [Fact]
    public async Task Declared_cold_coins_count_once_they_are_in_a_block_and_no_longer_than_they_are_there()
    {
        var cold = await regtest.Node.NewMinerAddressAsync(Cancel);
        var descriptor = await DescribeAsync(cold);
        // They may be there before anybody declares them.
        await regtest.Node.PayAsync(cold, new Sats(50_000), Cancel);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, change: settings => settings with { ColdDescriptors = [descriptor], HotWalletCeilingSat = 500_000 });
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var health = await harness.Engine.HealthAsync();
        Assert.Equal((50_000L, null), (health.WalletsHealth.Cold!.Value.Coins.Value, health.WalletsHealth.Cold.Value.Trouble));
        Assert.Equal(health.WalletsHealth.Hot!.Value.Value - 500_000, health.WalletsHealth.MoveToCold.Value);

        // The operator moves nearly everything to cold. On its way it counts nowhere.
        var moved = await regtest.Node.Rpc.CallAsync(
            RegtestNode.ServerWallet, "sendtoaddress", [cold, "0.01"], a => a.ToTxid(), Cancel);
        await harness.MineEmptyAsync(1);
        Assert.True((await harness.Engine.HealthAsync()).Chain.ReservesShort);
        await harness.MineAsync(1);
        health = await harness.Engine.HealthAsync();
        Assert.False(health.Chain.ReservesShort);
        Assert.Equal(1_050_000, health.WalletsHealth.Cold!.Value.Coins.Value);
        Assert.Equal(Sats.Zero, health.WalletsHealth.MoveToCold);
        var key = await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(Cancel), new Sats(70_000));
        await harness.CloseEpochAsync();
        Assert.Equal(WithdrawalState.InFamily, await StateAsync(harness, key));
        await harness.MineAsync(EngineHarness.ToFinal);
        await harness.ReopenAsync();
        await harness.TurnAsync();
        Assert.False((await harness.Engine.HealthAsync()).Chain.ReservesShort);

        // What the node does not watch counts as nothing, until it is watched again.
        await regtest.Node.Rpc.CallAsync(null, "unloadwallet", [await WatchWalletAsync()], a => a.ValueKind, Cancel);
        var late = await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(Cancel), new Sats(30_000));
        await harness.MineAsync(1);
        health = await harness.Engine.HealthAsync();
        Assert.True(health.Chain.ReservesShort);
        Assert.NotNull(health.WalletsHealth.Cold!.Value.Trouble);
        await harness.CloseEpochAsync();
        await harness.TurnAsync();
        health = await harness.Engine.HealthAsync();
        Assert.Equal((false, null), (health.Chain.ReservesShort, health.WalletsHealth.Cold!.Value.Trouble));
        Assert.Equal(WithdrawalState.InFamily, await StateAsync(harness, late));
        await harness.MineAsync(EngineHarness.ToFinal);

        // Somebody takes the cold coins.
        var output = await OutputAsync(moved, cold);
        var coin = new JsonArray(new JsonObject { ["txid"] = output.Txid.ToString(), ["vout"] = output.Index });
        var thief = new JsonArray(await regtest.Node.NewMinerAddressAsync(Cancel));
        await regtest.Node.MinerAsync("sendall", [thief, null, null, null, new JsonObject { ["inputs"] = coin }], a => a.ValueKind, Cancel);
        await harness.MineAsync(1);
        health = await harness.Engine.HealthAsync();
        Assert.Equal((true, 50_000L), (health.Chain.ReservesShort, health.WalletsHealth.Cold!.Value.Coins.Value));
    }

    [Fact]
    public async Task What_the_node_does_not_take_for_a_descriptor_counts_as_nothing_and_is_said()
    {
        var descriptor = await DescribeAsync(await regtest.Node.NewMinerAddressAsync(Cancel));
        var mistyped = descriptor[..^1] + (descriptor[^1] == 'q' ? 'p' : 'q');
        await using var harness = await EngineHarness.StartAsync(regtest.Node, change: settings => settings with { ColdDescriptors = [mistyped] });
        // No coins: those that one test leaves in the node's wallet would be reserves of the other.
        await harness.MineAsync(1);
        var cold = (await harness.Engine.HealthAsync()).WalletsHealth.Cold!.Value;
        Assert.Equal(Sats.Zero, cold.Coins);
        Assert.Contains("does not watch " + mistyped, cold.Trouble, StringComparison.Ordinal);
    }

    private Task<string> DescribeAsync(string address) =>
        regtest.Node.Rpc.CallAsync(null, "getdescriptorinfo", [$"addr({address})"], a => a.Get("descriptor").ToText(), Cancel);

    private async Task<string> WatchWalletAsync()
    {
        var wallets = await regtest.Node.Rpc.CallAsync(null, "listwallets", [], a => a.ToList(NodeJson.ToText), Cancel);
        // The other test's watches nothing.
        foreach (var name in wallets.Where(w => w.StartsWith(RegtestNode.ServerWallet + "-cold-", StringComparison.Ordinal)))
        {
            if (await regtest.Node.Rpc.CallAsync(name, "getbalance", [], NodeJson.ToSats, Cancel) > Sats.Zero) return name;
        }
        throw new InvalidOperationException("the node watches no cold coins");
    }

    private async Task<OutPoint> OutputAsync(Txid txid, string address)
    {
        var raw = (await regtest.Node.Node.GetTransactionAsync(txid, Cancel))!.Raw;
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        var at = transaction.Outputs.ToList().FindIndex(o => BitcoinAddress.FromScript(o.Script, BitcoinNetwork.Regtest) == address);
        return new OutPoint(txid, (uint)at);
    }

    private static async Task<WithdrawalState> StateAsync(EngineHarness harness, WithdrawalKey key) =>
        (await harness.Partition.QueryAsync(ledger => ledger.FindWithdrawal(key)))!.State;
}
