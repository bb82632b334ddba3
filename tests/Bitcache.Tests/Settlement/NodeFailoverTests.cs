using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>When another node takes over, and when it does not. Both nodes answer for one chain and one wallet, unless a test
/// says otherwise; two real nodes, each with its own, are in the integration tests.</summary>
[Trait("suite", "core")]
public sealed class NodeFailoverTests : IAsyncLifetime
{
    private readonly FakeNode _world = LoopStage.NewWorld();
    private readonly FakeBitcoind _first;
    private readonly FakeBitcoind _second;
    private readonly BitcoinRpc _firstRpc;
    private readonly BitcoinRpc _secondRpc;
    private readonly NodeSwitch _nodes;
    private LoopStage _stage = null!;

    public NodeFailoverTests()
    {
        (_first, _second) = (new FakeBitcoind(_world), new FakeBitcoind(_world));
        (_firstRpc, _secondRpc) = (_first.Connect(), _second.Connect());
        _nodes = new NodeSwitch([Endpoint("first", _firstRpc), Endpoint("second", _secondRpc)]);
    }

    private NodesHealth Health => _stage.Failover.Health;

    public async ValueTask InitializeAsync() => _stage = await LoopStage.CreateAsync(_world, _nodes);

    public async ValueTask DisposeAsync()
    {
        await _stage.DisposeAsync();
        _firstRpc.Dispose();
        _secondRpc.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    public enum Trouble
    {
        Down,
        WarmingUp,
        Busy,
    }

    [Theory]
    [InlineData(Trouble.Down)]
    [InlineData(Trouble.WarmingUp)]
    [InlineData(Trouble.Busy)]
    public async Task A_node_that_does_not_serve_for_three_turns_is_left_for_the_other_and_stays_left(Trouble trouble)
    {
        await _stage.WithdrawAsync();
        await _stage.CloseEpochAsync();
        Set(_first, trouble, true);
        for (var turn = 0; turn < NodeFailover.PatienceTurns; turn++)
        {
            await _stage.TurnAsync();
            Assert.NotNull(_stage.Loop.Chain.Trouble);
            Assert.Equal("first", _nodes.Used.Name);
        }
        var why = _stage.Loop.Chain.Trouble;

        await _stage.TurnAsync();
        Assert.Null(_stage.Loop.Chain.Trouble);
        Assert.Equal(("second", $"first did not serve: {why}", why), (Health.Used, Health.Why, Health.Standbys.Single().Trouble));
        await MineAsync(1);
        Set(_first, trouble, false);
        await MineAsync(LoopStage.ToFinal + 1);
        await _stage.CheckSettledAsync();
        Assert.Equal("second", _nodes.Used.Name);
        Assert.Null(Health.Standbys.Single().Trouble);
    }

    [Fact]
    public async Task A_short_trouble_is_waited_for()
    {
        for (var i = 0; i < 10; i++)
        {
            _first.IsDown = i % NodeFailover.PatienceTurns != 0;
            await _stage.TurnAsync();
        }
        Assert.Equal("first", _nodes.Used.Name);
    }

    [Fact]
    public async Task A_locked_wallet_is_nobodys_failure()
    {
        _world.Wallet.IsLocked = true;
        await _stage.WithdrawAsync();
        await _stage.CloseEpochAsync();
        for (var turn = 0; turn < 3 * NodeFailover.PatienceTurns; turn++) await _stage.TurnAsync();
        Assert.NotNull(_stage.Loop.Chain.Trouble);
        Assert.Equal("first", _nodes.Used.Name);

        _world.Wallet.IsLocked = false;
        await MineAsync(LoopStage.ToFinal + 2);
        await _stage.CheckSettledAsync();
    }

    [Fact]
    public async Task Two_nodes_that_do_not_serve_do_not_take_turns_and_both_say_why()
    {
        (_first.IsDown, _second.IsBusy) = (true, true);
        for (var turn = 0; turn < 10; turn++) await _stage.TurnAsync();
        Assert.Equal("first", _nodes.Used.Name);
        Assert.Contains("no connection", _stage.Loop.Chain.Trouble, StringComparison.Ordinal);
        Assert.Contains("work queue is full", Health.Standbys.Single().Trouble, StringComparison.Ordinal);

        // Whichever comes back first serves.
        _second.IsBusy = false;
        await _stage.TurnAsync();
        Assert.Equal("second", _nodes.Used.Name);
        Assert.Null(_stage.Loop.Chain.Trouble);
    }

    [Fact]
    public async Task A_node_that_fails_again_and_again_is_left_later_each_time()
    {
        (int Change, int Turns)[] seen = [];
        for (var change = 1; change <= 3; change++)
        {
            var used = _nodes.Used;
            var fake = used.Name == "first" ? _first : _second;
            fake.IsDown = true;
            var turns = 0;
            for (; _nodes.Used == used; turns++) await _stage.TurnAsync();
            seen = [.. seen, (change, turns)];
            fake.IsDown = false;
        }
        Assert.Equal([(1, 4), (2, 7), (3, 13)], seen);
        // One that has served as long is left as soon as the first was.
        for (var turn = 0; turn < 30; turn++) await _stage.TurnAsync();
        _second.IsDown = true;
        for (var turn = 0; turn <= NodeFailover.PatienceTurns; turn++) await _stage.TurnAsync();
        Assert.Equal("first", _nodes.Used.Name);
    }

    public enum Unfit
    {
        Behind,
        OtherChain,
        OtherWallet,
        OlderWallet,
        NoWallet,
    }

    [Theory]
    [InlineData(Unfit.Behind, "we have worked through block")]
    [InlineData(Unfit.OtherChain, "it follows another chain")]
    [InlineData(Unfit.OtherWallet, "its wallet does not own")]
    [InlineData(Unfit.OlderWallet, "its wallet does not own")]
    [InlineData(Unfit.NoWallet, "no wallet of the configured name")]
    public async Task A_node_that_could_not_carry_on_does_not_take_over_and_says_why_before_it_has_to(Unfit unfit, string words)
    {
        await MineAsync(5);
        var height = _world.Chain.Tip.Height;
        var given = await GivenAsync();
        var other = Follow(
            NewNode(unfit == Unfit.OtherChain, unfit switch { Unfit.OtherWallet => new FakeKeys("another", 50), Unfit.OlderWallet => new FakeKeys(LoopStage.WalletName, 1), _ => null }),
            height - (unfit == Unfit.Behind ? 2 : 0), unfit == Unfit.OlderWallet ? given - 1 : given);
        using var fake = new FakeBitcoind(other);
        using var rpc = fake.Connect();
        var nodes = new NodeSwitch([_nodes.All[0], Endpoint("unfit", rpc) with { Wallet = unfit == Unfit.NoWallet ? "another" : LoopStage.WalletName }]);
        await using var failover = new NodeFailover(nodes, _stage.Partitions, LoopStage.Settings, NullLogger.Instance);

        await failover.ServedAsync(height);
        await failover.Looking;
        Assert.Contains(words, failover.Health.Standbys.Single().Trouble, StringComparison.Ordinal);
        for (var turn = 0; turn < 2 * NodeFailover.PatienceTurns; turn++)
        {
            failover.Failed();
            Assert.False(await failover.ChangeAsync(height, "it is down", TestContext.Current.CancellationToken));
        }
        Assert.Equal("first", nodes.Used.Name);
    }

    [Fact]
    public async Task A_standby_that_looks_for_too_few_addresses_is_told_some_more_at_every_turn_and_takes_over_then()
    {
        const uint Index = 12_000;
        await MineAsync(1);
        var height = _world.Chain.Tip.Height;
        var other = Follow(NewNode(isOfOtherChain: false), height, await GivenAsync());
        var far = new AssignAddress(
            ClientIds.Next(_stage.Time), _stage.Wallet, AddressPurpose.Deposit, other.Wallet.Keys.ScriptOf(change: false, Index), new AddressOrigin(Index, (uint)height));
        Assert.Equal(Outcome.Accepted, (await _stage.Partitions.First.SubmitAsync(far, tenant: 1)).Outcome);
        using var fake = new FakeBitcoind(other);
        using var rpc = fake.Connect();
        var nodes = new NodeSwitch([_nodes.All[0], Endpoint("behind", rpc)]);
        await using var failover = new NodeFailover(nodes, _stage.Partitions, LoopStage.Settings, NullLogger.Instance);

        var (looks, end) = (0, other.Wallet.Keys.State.Ends.External);
        do
        {
            await failover.ServedAsync(height);
            await failover.Looking;
            Assert.InRange(other.Wallet.Keys.State.Ends.External, end + 1, end + Limits.AddressesWatchedAtOnceMax);
            end = other.Wallet.Keys.State.Ends.External;
            looks++;
        }
        while (failover.Health.Standbys.Single().Trouble is not null);
        Assert.Equal(3, looks);
        Assert.True(end > Index);
        // There is nothing more to do, and no block: it is left alone.
        var calls = fake.Calls;
        await failover.ServedAsync(height);
        await failover.Looking;
        Assert.Equal(calls, fake.Calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_the_first_node_alone_had_is_sent_to_the_second_as_it_was(bool isMined)
    {
        await _stage.WithdrawAsync();
        await _stage.DepositAsync();
        await _stage.CloseEpochAsync();
        await _stage.TurnAsync();
        // In no block, or in one of the first's alone.
        var height = _world.Chain.Tip.Height;
        if (isMined) await MineAsync(1);
        var signed = await _stage.AskAsync(ledger => ledger.Families().Single(f => f.Withdrawals.Count > 0));
        Assert.Equal(isMined ? FamilyState.Confirmed : FamilyState.Signed, signed.State);

        // The other node has the same keys, a chain of its own from there on, and an empty mempool.
        var other = Follow(NewNode(isOfOtherChain: false), height, await GivenAsync());
        for (var i = 0; i < 2; i++) other.Mine(other.Chain.Tip, []);
        using var fake = new FakeBitcoind(other);
        using var rpc = fake.Connect();
        Assert.Null(other.Wallet.Find(signed.Attempts[0].Txid));
        _nodes.Use(Endpoint("other", rpc));
        _stage.World = other;
        await _stage.TurnAsync();

        var family = await _stage.AskAsync(ledger => ledger.FindFamily(signed.Number));
        Assert.Equal((FamilyState.Signed, 1), (family.State, family.Attempts.Count));
        Assert.Equal(signed.Attempts[0].Txid, other.Mempool.Transactions.Single().Txid);
        Assert.Equal(isMined ? 1 : 0, await _stage.AskAsync(ledger => ledger.DepositsOf(_stage.Wallet).Count(d => d.State == DepositState.Seen)));
        other.Send(_world.Wallet.Known.Last(k => !_world.Wallet.IsFromMe(k.Transaction)).Transaction);
        await MineAsync(LoopStage.ToFinal + 1);
        await _stage.CheckSettledAsync();
        Assert.Single((await _stage.AskAsync(ledger => ledger.FindFamily(signed.Number))).Attempts);
    }

    /// <summary>How many scripts of the wallet were given out, the anchor's among them.</summary>
    private Task<int> GivenAsync() => _stage.AskAsync(ledger => 1 + ledger.AddressesOf(_stage.Wallet).Count + ledger.AddressesOf(ledger.OperatorWallet.Id).Count);

    private static FakeNode NewNode(bool isOfOtherChain, FakeKeys? keys = null)
    {
        var node = new FakeNode(1, LoopStage.WalletName, keys) { IsWalletLoaded = true };
        if (isOfOtherChain) node.Mine(FakeNode.AddressOf(new ByteString([0x51, 32, .. new byte[32]])));
        return node;
    }

    /// <summary>Gives a node the first blocks of the world's chain, as far as it can have them, and as many scripts of the wallet:
    /// they are numbered, and those with one number are the same.</summary>
    private FakeNode Follow(FakeNode node, int height, int scripts)
    {
        for (var i = 0; i < scripts; i++) node.Wallet.NewScript(change: false);
        while (node.Chain.Tip.Height < height)
        {
            var next = _world.Chain.At(node.Chain.Tip.Height + 1)!;
            node.Mine(node.Chain.Tip, next.Previous!.Hash == node.Chain.Tip.Hash ? [.. next.Transactions.Skip(1)] : []);
        }
        return node;
    }

    private async Task MineAsync(int blocks)
    {
        for (; blocks > 0; blocks--)
        {
            _stage.World.Mine();
            await _stage.TurnAsync();
        }
    }

    private static void Set(FakeBitcoind fake, Trouble trouble, bool on)
    {
        if (trouble == Trouble.Down) fake.IsDown = on;
        if (trouble == Trouble.WarmingUp) fake.IsWarmingUp = on;
        if (trouble == Trouble.Busy) fake.IsBusy = on;
    }

    private static NodeEndpoint Endpoint(string name, BitcoinRpc rpc) => new(name, rpc, LoopStage.WalletName);
}
