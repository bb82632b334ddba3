using System.Text.Json.Nodes;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Two real nodes with the same hot wallet, one of which is lost at a bad moment.</summary>
[Trait("suite", "node")]
public sealed class FailoverTests(RegtestPairFixture pair) : IClassFixture<RegtestPairFixture>
{
    private static readonly Sats Deposit = new(1_000_000);
    private static readonly Sats Fees = new(200_000);

    [Theory]
    // The call that the first node does not live to see.
    [InlineData(nameof(IBitcoinNode.WalletProcessPsbtAsync), FamilyState.Opened)]
    [InlineData(nameof(IBitcoinNode.SendRawTransactionAsync), FamilyState.Signed)]
    [InlineData("none of the turn", FamilyState.Signed)]
    public async Task The_second_node_carries_on_where_the_first_was_killed(string call, FamilyState reached)
    {
        var nodes = pair.Nodes();
        var (seam, guard) = GuardedNode.Create(new BitcoinRpcNode(nodes));
        await using var harness = await EngineHarness.StartAsync(pair.First, seam, nodes: nodes);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var late = await harness.CreateWalletAsync();
        await pair.First.PayAsync(await harness.AddressAsync(late), Deposit, EngineHarness.Cancel);
        await harness.MineAsync(1);
        var addresses = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            addresses.Add(await pair.First.NewMinerAddressAsync(EngineHarness.Cancel));
            await harness.WithdrawAsync(wallet, addresses[^1], new Sats(50_000 + i));
        }
        await pair.SyncAsync();

        guard.Stops = (made, _) => made == call;
        await harness.CloseEpochAsync();
        Assert.Equal(reached, (await harness.FamilyAsync(1)).State);
        await pair.First.KillAsync();
        guard.Stops = (_, _) => false;
        await LoseAsync(harness, nodes, "second");
        harness.Node = pair.Second;

        var signed = await harness.FamilyAsync(1);
        Assert.Equal(FamilyState.Signed, signed.State);
        Assert.NotNull(await pair.Second.Node.GetMempoolEntryAsync(signed.Attempts[0].Txid, EngineHarness.Cancel));
        await harness.MineAsync(1);
        await harness.ReopenAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        var family = await harness.FamilyAsync(1);
        Assert.Equal(FamilyState.Final, family.State);
        Assert.Single(family.Attempts);
        for (var i = 0; i < 3; i++) await AssertPaidAsync(pair.Second, addresses[i], new Sats(50_000 + i));
        Assert.Equal(150_003_000, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal(Deposit.ToMsat(), (await harness.WalletAsync(late)).Available);
        Assert.Equal(2 * Deposit.ToMsat().Value, (await harness.TotalsAsync()).Deposited);

        // The first comes back, and could take over again.
        await pair.First.RestartAsync(EngineHarness.Cancel);
        await pair.JoinAsync();
        await harness.MineAsync(1);
        await pair.SyncAsync();
        await UntilFitAsync(harness);
        await pair.Second.StopAsync(EngineHarness.Cancel);
        await LoseAsync(harness, nodes, "first");
        harness.Node = pair.First;
        var address = await pair.First.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.WithdrawAsync(wallet, address, new Sats(60_000));
        await harness.CloseEpochAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        await AssertPaidAsync(pair.First, address, new Sats(60_000));
        Assert.Equal(210_003_000, (await harness.TotalsAsync()).Withdrawn);
        await pair.Second.RestartAsync(EngineHarness.Cancel);
        await pair.JoinAsync();
    }

    [Fact]
    public async Task Blocks_that_the_first_alone_had_are_taken_back_on_the_second_and_everybody_is_paid_once()
    {
        var nodes = pair.Nodes();
        await using var harness = await EngineHarness.StartAsync(pair.First, new BitcoinRpcNode(nodes), nodes: nodes);
        await harness.TopUpAsync(Fees);
        var wallet = await harness.FundedWalletAsync(Deposit);
        var late = await harness.CreateWalletAsync();
        var address = await pair.First.NewMinerAddressAsync(EngineHarness.Cancel);
        await harness.WithdrawAsync(wallet, address, new Sats(70_000));
        await pair.SyncAsync();
        await pair.PartAsync();

        // Credited and confirmed, in blocks that nobody else has.
        var deposit = await pair.First.PayAsync(await harness.AddressAsync(late), Deposit, EngineHarness.Cancel);
        await harness.CloseEpochAsync();
        await harness.MineAsync(EngineHarness.ToCredit);
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(1)).State);
        Assert.Equal(Deposit.ToMsat(), (await harness.WalletAsync(late)).Available);
        var sent = await pair.First.Node.GetRawTransactionAsync(deposit, (await harness.DepositAsync(late)).Block, EngineHarness.Cancel);
        await pair.First.StopAsync(EngineHarness.Cancel);

        // While the second has fewer blocks it does not take over.
        for (var turn = 0; turn < 2 * NodeFailover.PatienceTurns; turn++) await harness.TurnAsync();
        Assert.Equal("first", nodes.Used.Name);
        Assert.Contains("we have worked through block", Assert.Single((await harness.Engine.HealthAsync()).Nodes!.Standbys).Trouble, StringComparison.Ordinal);
        harness.Node = pair.Second;
        await harness.MineEmptyAsync(EngineHarness.ToCredit);
        Assert.Equal("second", nodes.Used.Name);
        Assert.Equal(DepositState.Frozen, (await harness.DepositAsync(late)).State);
        Assert.Equal(FamilyState.Signed, (await harness.FamilyAsync(1)).State);

        // The depositor's wallet sends its payment again; ours was sent by the turn.
        await pair.Second.Node.SendRawTransactionAsync(sent!, EngineHarness.Cancel);
        await harness.MineAsync(EngineHarness.ToCredit);
        Assert.Equal(DepositState.Credited, (await harness.DepositAsync(late)).State);
        await pair.First.RestartAsync(EngineHarness.Cancel);
        await pair.JoinAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        await pair.SyncAsync();
        await AssertPaidAsync(pair.First, address, new Sats(70_000));
        Assert.Equal(70_000_000, (await harness.TotalsAsync()).Withdrawn);
        Assert.Equal(Deposit.ToMsat(), (await harness.WalletAsync(late)).Available);
        Assert.Single((await harness.FamilyAsync(1)).Attempts);
    }

    [Fact]
    public async Task An_address_that_was_given_out_is_not_given_out_again_by_the_other_nodes_wallet()
    {
        var nodes = pair.Nodes();
        await using var harness = await EngineHarness.StartAsync(pair.First, new BitcoinRpcNode(nodes), partitions: 2, nodes: nodes);
        var seen = new HashSet<string>();
        for (var i = 0; i < 3; i++)
        {
            var wallet = await harness.CreateWalletAsync(partition: i % 2);
            for (var k = 0; k < 3; k++) Assert.True(seen.Add(await harness.AddressAsync(wallet)));
            // Its wallet counts for itself, and gives what the other has given.
            nodes.Use(nodes.All[(i + 1) % 2]);
        }
    }

    /// <summary>Takes turns until the other node is in use.</summary>
    private static async Task LoseAsync(EngineHarness harness, NodeSwitch nodes, string next)
    {
        for (var turn = 0; nodes.Used.Name != next; turn++)
        {
            Assert.True(turn <= 2 * NodeFailover.PatienceTurns, $"node {next} does not take over: {(await harness.Engine.HealthAsync()).Nodes}");
            await harness.TurnAsync();
        }
        var health = await harness.Engine.HealthAsync();
        Assert.Null(health.Chain.Trouble);
        Assert.Equal(next, health.Nodes!.Used);
    }

    /// <summary>Takes turns until the standby was looked at and found fit: that happens beside them.</summary>
    private static async Task UntilFitAsync(EngineHarness harness)
    {
        while (Assert.Single((await harness.Engine.HealthAsync()).Nodes!.Standbys).Trouble is not null)
        {
            EngineHarness.Cancel.ThrowIfCancellationRequested();
            await harness.TurnAsync();
        }
    }

    /// <summary>The chain holds it once, whoever's wallet knows of it. Both miners' wallets give the same addresses, and one may
    /// have had a block's reward there.</summary>
    private static async Task AssertPaidAsync(RegtestNode node, string address, Sats amount)
    {
        var held = await node.Rpc.CallAsync(
            null, "scantxoutset", ["start", new JsonArray($"addr({address})")], a => a.Get("unspents").ToList(u => u.Get("amount").ToSats()), EngineHarness.Cancel);
        Assert.Single(held, amount);
    }
}
