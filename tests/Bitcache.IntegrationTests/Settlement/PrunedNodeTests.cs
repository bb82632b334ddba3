using System.Globalization;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>A real node that keeps its newest blocks only, as few as a node may.</summary>
[Trait("suite", "node")]
public sealed class PrunedNodeTests : IAsyncLifetime
{
    /// <summary>MIN_BLOCKS_TO_KEEP: no node prunes what is above.</summary>
    private const int BlocksKept = 288;
    /// <summary>Nobody's here (an example of BIP-173), so that no wallet has to write each block down.</summary>
    private const string Nobody = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-pruned-");
    private readonly string _address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{RegtestNode.FreePort()}");
    private RegtestNode? _node;
    private RegtestNode? _peer;

    private RegtestNode Node => _node!;
    private static CancellationToken Cancel => EngineHarness.Cancel;

    public async ValueTask InitializeAsync()
    {
        // Small files, so that there is something to prune.
        _node = await RegtestNode.StartAsync(
            Path.Combine(_folder.FullName, "pruned"), Cancel, "-prune=1", "-fastprune", "-listen=1", $"-bind={_address}", "-listenonion=0");
        _peer = await RegtestNode.StartBareAsync(Path.Combine(_folder.FullName, "peer"), Cancel);
        await _peer.Rpc.CallAsync(null, "addnode", [_address, "onetry"], Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_node is not null) await _node.DisposeAsync();
        if (_peer is not null) await _peer.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_pruned_node_serves_and_a_block_that_is_gone_is_waited_for()
    {
        var (seam, guard) = GuardedNode.Create(Node.Node);
        await using var harness = await EngineHarness.StartAsync(Node, seam);
        await harness.TopUpAsync(new Sats(200_000));
        var wallet = await harness.FundedWalletAsync(new Sats(1_000_000));
        await WithdrawAsync(harness, wallet);
        await harness.MineAsync(1);
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(1)).State);

        // An outage while more blocks come than the node keeps. What was confirmed before becomes final all the same.
        await harness.MineAsync(EngineHarness.ToFinal);
        await WithdrawAsync(harness, wallet);
        guard.Stops = (_, _) => true;
        var block = (await Node.MineAsync(1, Cancel))[0];
        var tip = (await Node.MineAsync(BlocksKept + 200, Cancel, Nobody))[^1];
        await _peer!.Rpc.CallAsync(null, "waitforblock", [tip.ToString(), 20_000], Cancel);
        var height = (await Node.Node.GetBlockchainInfoAsync(Cancel)).Blocks;
        await Node.Rpc.CallAsync(null, "pruneblockchain", [height - BlocksKept - 1], a => a.ValueKind, Cancel);
        guard.Stops = (_, _) => false;
        await harness.TurnAsync();
        Assert.Equal([FamilyState.Final, FamilyState.Signed], await StatesAsync(harness));
        var health = await harness.Engine.HealthAsync();
        Assert.Null(health.Chain.Trouble);
        Assert.Contains("pruned data", Assert.Single(health.LiveFamilies).Waiting, StringComparison.Ordinal);
        // Deposits need no old block.
        await Node.PayAsync(await harness.AddressAsync(wallet), new Sats(10_000), Cancel);
        await harness.MineAsync(EngineHarness.ToCredit);
        Assert.Equal(new Sats(1_000_000 - 70_000 - 70_000 + 10_000).ToMsat(), (await harness.WalletAsync(wallet)).Available);
        Assert.Single((await harness.FamilyAsync(2)).Attempts);
        await harness.ReopenAsync();

        // As the runbook says: the block is had back from a peer.
        var peer = await Node.Rpc.CallAsync(null, "getpeerinfo", [], a => a[0].Get("id").ToInt(), Cancel);
        await Node.Rpc.CallAsync(null, "getblockfrompeer", [block.ToString(), peer], Cancel);
        while ((await harness.FamilyAsync(2)).State != FamilyState.Final)
        {
            Cancel.ThrowIfCancellationRequested();
            await harness.TurnAsync();
        }
        Assert.Equal([FamilyState.Final, FamilyState.Final], await StatesAsync(harness));
        Assert.Equal(140_000_000, (await harness.TotalsAsync()).Withdrawn);
    }

    private async Task WithdrawAsync(EngineHarness harness, WalletId wallet)
    {
        await harness.WithdrawAsync(wallet, await Node.NewMinerAddressAsync(Cancel), new Sats(70_000));
        await harness.CloseEpochAsync();
    }

    private static Task<FamilyState[]> StatesAsync(EngineHarness harness) =>
        harness.Partition.QueryAsync(ledger => ledger.Families().Select(f => f.State).ToArray());
}
