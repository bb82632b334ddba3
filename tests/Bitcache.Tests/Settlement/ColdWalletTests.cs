using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>What keeps declared cold coins from being counted. What a node makes of descriptors is tested with a real one.</summary>
[Trait("suite", "core")]
public sealed class ColdWalletTests
{
    private const string Cold = "tr([0a1b2c3d/86'/0'/0']xpub1/0/*)#11111111";
    private static readonly Sats Coins = new(5_000);

    private readonly IBitcoinNode _seam;
    private readonly NodeOfCalls _node;
    private readonly ColdWallet _wallet;
    private readonly List<string> _watched = [];
    private List<string> _hot = ["tr([0a1b2c3d/86h/0h/0h]xpub2/0/*)#22222222"];

    public ColdWalletTests()
    {
        (_seam, _node) = NodeOfCalls.Create();
        _wallet = new ColdWallet(_seam, new EngineSettings { DataFolder = "/nowhere", Origin = "ledger.test/log", ColdDescriptors = [Cold] });
        _node.On(nameof(IBitcoinNode.LoadWatchWalletAsync), (string _) => true);
        _node.On(nameof(IBitcoinNode.GetWatchWalletInfoAsync), (string name) => new WalletInfo(name, false, false, true, false));
        _node.On(nameof(IBitcoinNode.ListWatchedAsync), (string _) => (IReadOnlyList<string>)[.. _watched]);
        _node.On(nameof(IBitcoinNode.ListDescriptorsAsync), (CancellationToken _) =>
            (IReadOnlyList<WalletDescriptor>)[.. _hot.Select(d => new WalletDescriptor(d, true, false, null, 0))]);
        _node.On(nameof(IBitcoinNode.GetWatchedBalanceAsync), (string _) => Coins);
        Takes(Cold.Replace('\'', 'h'));
    }

    [Fact]
    public async Task Declared_coins_are_counted_however_the_node_writes_hardened_steps()
    {
        Assert.Equal(new ColdFound(Coins, null), await AskAsync());
        Assert.Equal(new ColdFound(Coins, null), await AskAsync());
        Assert.Single(_node.Calls, nameof(IBitcoinNode.WatchAsync));
    }

    [Fact]
    public async Task Coins_that_the_hot_wallet_has_itself_are_not_counted_twice()
    {
        _hot.Add(Cold.Replace('\'', 'h').Split('#')[0] + "#33333333");
        var found = await AskAsync();
        Assert.Equal(Sats.Zero, found.Coins);
        Assert.Contains("would count twice", found.Trouble, StringComparison.Ordinal);
        _hot = [];
        Assert.Equal(new ColdFound(Coins, null), await AskAsync());
    }

    [Fact]
    public async Task A_descriptor_that_the_node_writes_otherwise_is_said_at_once()
    {
        Takes("tr([0a1b2c3d/86h/0h/0h]xpub1/0/0)#44444444");
        var found = await AskAsync();
        Assert.Equal(Sats.Zero, found.Coins);
        Assert.Contains($"writes {Cold} otherwise", found.Trouble, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_node_is_told_what_to_watch()
    {
        await AskAsync();
        _watched.Clear();
        _wallet.LookAnew();
        Assert.Equal(new ColdFound(Coins, null), await AskAsync());
        Assert.Equal(2, _node.Calls.Count(c => c == nameof(IBitcoinNode.WatchAsync)));
    }

    private Task<ColdFound> AskAsync() => _wallet.AskAsync(TestContext.Current.CancellationToken);

    /// <summary>Has the node take what it is told to watch, and write it like this.</summary>
    private void Takes(string written) => _node.On(nameof(IBitcoinNode.WatchAsync), (string _) =>
    {
        _watched.Add(written);
        return (IReadOnlyList<string?>)[null];
    });
}
