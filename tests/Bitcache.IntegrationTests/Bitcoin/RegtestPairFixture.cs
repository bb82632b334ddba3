using System.Globalization;
using Bitcache.Cli.Demo;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>Two real nodes that know each other, with copies of the same wallets. A test may stop, kill or part them, and puts
/// them together again before it ends.</summary>
public sealed class RegtestPairFixture : IAsyncLifetime
{
    private static readonly string[] Wallets = [RegtestNode.ServerWallet, RegtestNode.MinerWallet];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-pair-");
    private readonly int[] _ports = [RegtestNode.FreePort(), RegtestNode.FreePort()];
    private RegtestNode? _first;
    private RegtestNode? _second;

    public RegtestNode First => _first ?? throw new InvalidOperationException("the nodes are not started");
    public RegtestNode Second => _second ?? throw new InvalidOperationException("the nodes are not started");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _first = await RegtestNode.StartAsync(FolderOf("first"), Cancel, Options(0));
        _second = await RegtestNode.StartBareAsync(FolderOf("second"), Cancel, Options(1));
        await JoinAsync();
        foreach (var wallet in Wallets)
        {
            var copy = FolderOf(wallet + ".backup");
            await First.Rpc.CallAsync(wallet, "backupwallet", [copy], Cancel);
            await Second.Rpc.CallAsync(null, "restorewallet", [wallet, copy, true], Cancel);
        }
    }

    /// <summary>What an engine chooses from; the first is in use.</summary>
    public NodeSwitch Nodes() => new([Endpoint("first", First), Endpoint("second", Second)]);

    /// <summary>Connects the two and waits until the one that is behind has caught up.</summary>
    public async Task JoinAsync()
    {
        await Second.Rpc.CallAsync(null, "addnode", [Address(0), "onetry"], Cancel);
        await SyncAsync();
    }

    /// <summary>Each goes on without the other.</summary>
    public async Task PartAsync()
    {
        await Second.Rpc.CallAsync(null, "disconnectnode", [Address(0)], Cancel);
        while (await PeersAsync(First) + await PeersAsync(Second) > 0) Cancel.ThrowIfCancellationRequested();
    }

    /// <summary>Waits until both are on the chain of the longer one, and so are their wallets.</summary>
    public async Task SyncAsync()
    {
        var (first, second) = (await First.Node.GetBlockchainInfoAsync(Cancel), await Second.Node.GetBlockchainInfoAsync(Cancel));
        var (behind, tip) = first.Blocks >= second.Blocks ? (Second, first.BestBlock) : (First, second.BestBlock);
        await behind.Rpc.CallAsync(null, "waitforblock", [tip.ToString(), 20_000], Cancel);
        Assert.Equal(tip, (await behind.Node.GetBlockchainInfoAsync(Cancel)).BestBlock);
        await behind.Rpc.CallAsync(null, "syncwithvalidationinterfacequeue", [], Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_first is not null) await _first.DisposeAsync();
        if (_second is not null) await _second.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static Task<int> PeersAsync(RegtestNode node) => node.Rpc.CallAsync(null, "getconnectioncount", [], a => a.ToInt(), Cancel);

    private static NodeEndpoint Endpoint(string name, RegtestNode node) => new(name, node.Rpc, RegtestNode.ServerWallet);

    private string FolderOf(string name) => Path.Combine(_folder.FullName, name);

    private string Address(int node) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_ports[node]}");

    // Peers that may do anything are sent transactions at once.
    private string[] Options(int node) => ["-listen=1", $"-bind={Address(node)}", "-listenonion=0", "-discover=0", "-whitelist=noban,relay,in,out@127.0.0.1"];
}
