using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>Which indexes are given to whom, where two partitions share one wallet of the node.</summary>
[Trait("suite", "core")]
public sealed class AddressAllocatorTests : IAsyncLifetime
{
    private const uint Tenant = 1;
    private static readonly EngineSettings Settings = new() { DataFolder = "/nowhere", Origin = "ledger.test/log" };

    private readonly FakeNode _node = new(seed: 1, "wallet") { IsWalletLoaded = true };
    private readonly FakeBitcoind _fake;
    private readonly BitcoinRpc _rpc;
    private readonly WalletId[] _wallets = [ClientIds.NextWallet(0, 2), ClientIds.NextWallet(1, 2)];
    private readonly List<AddressAllocator> _made = [];
    private TwoPartitions _two = null!;
    private Standby? _standby;

    public AddressAllocatorTests()
    {
        _fake = new FakeBitcoind(_node);
        _rpc = _fake.Connect();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _two = await TwoPartitions.StartAsync();
        for (var i = 0; i < _wallets.Length; i++) await _two.Set[i].SubmitAsync(new CreateWallet(NewId(), Tenant, _wallets[i]), Tenant);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var made in _made) await made.DisposeAsync();
        await _two.DisposeAsync();
        _standby?.Dispose();
        _rpc.Dispose();
        _fake.Dispose();
    }

    [Fact]
    public async Task Indexes_go_on_behind_the_highest_of_all_partitions()
    {
        var first = NewAllocator();
        Assert.Equal((uint[])[0u], await AssignAsync(first, 0));
        Assert.Equal((uint[])[1u, 2u, 3u], await AssignAsync(first, 1, many: 3));
        Assert.Equal((uint[])[4u], await AssignAsync(first, 0));
        // Another process knows what was journaled, in whichever partition.
        var second = NewAllocator();
        Assert.Equal((uint[])[5u], await AssignAsync(second, 0));
        Assert.Equal((uint[])[6u, 7u], await AssignAsync(NewAllocator(), 1, many: 2));
    }

    [Fact]
    public async Task What_the_node_gave_away_or_was_paid_for_is_passed_over()
    {
        var allocator = NewAllocator();
        Assert.Equal((uint[])[0u], await AssignAsync(allocator, 0));
        // The node does not know of ours: it gives away the first one again, and three more.
        for (var i = 0; i < 4; i++) _node.Wallet.NewScript(change: false);
        Assert.Equal((uint[])[4u], await AssignAsync(allocator, 0));
        Assert.Null(_node.Send(_node.Payment(FakeNode.AddressOf(_node.Wallet.Keys.ScriptOf(change: false, 20)), new Sats(5_000), new Sats(500))));
        Assert.Equal((uint[])[21u], await AssignAsync(allocator, 1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_script_that_any_partition_has_given_away_is_passed_over(int partition)
    {
        // Those of a version that asked the node for each: then it was restored from a backup, and knows nothing of them.
        for (var i = 0u; i < 40; i++)
        {
            var chosen = new AssignAddress(NewId(), _wallets[partition], AddressPurpose.Deposit, _node.Wallet.Keys.ScriptOf(change: false, i));
            Assert.Equal(Outcome.Accepted, (await _two.Set[partition].SubmitAsync(chosen, Tenant)).Outcome);
        }
        var allocator = NewAllocator();
        Assert.All(await AssignAsync(allocator, 1), index => Assert.True(index >= 40));
        var many = await AssignAsync(allocator, 0, many: 20);
        Assert.Equal(20, many.Distinct().Count());
        Assert.All(many, index => Assert.True(index >= 40));
    }

    [Fact]
    public async Task The_wallet_looks_for_an_address_before_it_is_journaled()
    {
        var allocator = NewAllocator();
        _two.Journals[0].AppendBegun.Reset();
        _two.Journals[0].Close();
        var asking = allocator.AssignAsync(NewId(), _wallets[0], Tenant, AddressPurpose.Deposit, 700, Cancel);
        await Task.Run(() => _two.Journals[0].AppendBegun.Wait(Cancel), Cancel);
        Assert.False(asking.IsCompleted);
        Assert.True(_node.Wallet.IsMine([.. _node.Wallet.Keys.ScriptOf(change: false, 699).Span]));
        _two.Journals[0].Open();
        Assert.Equal(700, ((AssignAddresses)(await asking).Entry!.Command).Addresses.Count);
    }

    [Fact]
    public async Task A_retry_is_answered_with_the_same_addresses_and_other_terms_are_refused()
    {
        var (allocator, id) = (NewAllocator(), NewId());
        var first = await allocator.AssignAsync(id, _wallets[1], Tenant, AddressPurpose.Deposit, 5, Cancel);
        var calls = _fake.Calls;
        var again = await allocator.AssignAsync(id, _wallets[1], Tenant, AddressPurpose.Deposit, 5, Cancel);
        Assert.True(again.IsRetry);
        Assert.Equal(((AssignAddresses)first.Entry!.Command).Addresses, ((AssignAddresses)again.Entry!.Command).Addresses);
        Assert.Equal(Outcome.IdReused, (await allocator.AssignAsync(id, _wallets[1], Tenant, AddressPurpose.Deposit, 6, Cancel)).Outcome);
        Assert.Equal(Outcome.IdReused, (await allocator.AssignAsync(id, _wallets[1], Tenant, AddressPurpose.Deposit, Cancel)).Outcome);
        Assert.Equal(Outcome.WalletNotFound, (await allocator.AssignAsync(NewId(), _wallets[1], Tenant + 1, AddressPurpose.Deposit, 5, Cancel)).Outcome);
        Assert.Equal(calls, _fake.Calls);
    }

    [Fact]
    public async Task Many_at_a_time_get_different_ones()
    {
        var allocator = NewAllocator();
        var asked = Enumerable.Range(0, 40).Select(i => Task.Run(() => AskAsync(allocator, i % 2, many: i % 4 == 0 ? 30 : null), Cancel));
        var indexes = new List<uint>();
        // The node is looked into when nobody calls it any more.
        foreach (var (i, made) in (await Task.WhenAll(asked)).Index()) indexes.AddRange(await CheckAsync(i % 2, made));
        Assert.Equal((10 * 30) + 30, indexes.Count);
        Assert.Equal(indexes.Count, indexes.Distinct().Count());
    }

    [Fact]
    public async Task With_another_wallet_nothing_is_given_away()
    {
        var foreign = new AssignAddress(NewId(), _wallets[1], AddressPurpose.Deposit, RuleScript(1), new AddressOrigin(5, 0));
        await _two.Set[1].SubmitAsync(foreign, Tenant);
        var allocator = NewAllocator();
        await Assert.ThrowsAsync<WalletMismatchException>(() => allocator.CheckAsync(Cancel));
        await Assert.ThrowsAsync<NodeUnavailableException>(() => AssignAsync(allocator, 0));
    }

    [Fact]
    public async Task Nor_with_one_that_does_not_know_what_a_node_chose_before()
    {
        await _two.Set[0].SubmitAsync(new AssignAddress(NewId(), _wallets[0], AddressPurpose.Deposit, RuleScript(2)), Tenant);
        var allocator = NewAllocator();
        await Assert.ThrowsAsync<WalletMismatchException>(() => allocator.CheckAsync(Cancel));
        await Assert.ThrowsAsync<NodeUnavailableException>(() => AssignAsync(allocator, 1));
    }

    [Fact]
    public async Task A_wallet_that_looks_for_too_few_is_told_and_that_it_must_be_rescanned_is_journaled()
    {
        for (var i = 0; i < 700; i++) _node.Mine(_node.Chain.Tip, []);
        var allocator = NewAllocator();
        await AssignAsync(allocator, 0);
        var backup = _node.Wallet.BackUp();
        await _two.Set.First.SubmitAsync(new MoveCursor(500, _node.Chain.At(500)!.Hash));
        await AssignAsync(allocator, 1, many: 59);
        await _two.Set.First.SubmitAsync(new MoveCursor(600, _node.Chain.At(600)!.Hash));
        await AssignAsync(allocator, 0, many: 100);
        await allocator.CheckAsync(Cancel);
        Assert.Null(await RescanAsync());

        _node.Restore(backup);
        Assert.False(_node.Wallet.IsMine([.. _node.Wallet.Keys.ScriptOf(change: false, 159).Span]));
        await allocator.CheckAsync(Cancel);
        Assert.True(_node.Wallet.IsMine([.. _node.Wallet.Keys.ScriptOf(change: false, 159).Span]));
        // From what the oldest of those that it did not look for is above of, and a reorganisation lower.
        Assert.Equal(500u - Limits.CursorRingMax, await RescanAsync());
        // That is so until it was rescanned, whatever it looks for by now.
        var note = (await allocator.CheckAsync(Cancel))!.Value;
        await _two.Set.First.SubmitAsync(new MarkRescan(500u - Limits.CursorRingMax, Done: true));
        await allocator.CheckAsync(Cancel);
        Assert.NotNull(await RescanAsync());
        var run = await allocator.NameRunAsync(note.Run, Cancel);
        Assert.NotNull(run);
        // A copy that knows nothing of the run is not taken for the one that was rescanned.
        Assert.Null(await allocator.NameRunAsync(note.Run, Cancel));
        Assert.Null(await allocator.EndRunsAsync("another", Cancel));
        Assert.Equal(run, await allocator.EndRunsAsync(run, Cancel));
        Assert.Null(await allocator.EndRunsAsync(run, Cancel));
        await _two.Set.First.SubmitAsync(new MarkRescan(500u - Limits.CursorRingMax, Done: true));
        await allocator.CheckAsync(Cancel);
        Assert.Null(await RescanAsync());

        // Whoever asks for one finds it out as well.
        _node.Restore(backup);
        Assert.Equal((uint[])[160u], await AssignAsync(allocator, 0));
        Assert.Equal(500u - Limits.CursorRingMax, await RescanAsync());
    }

    [Fact]
    public async Task A_wallet_that_is_far_behind_is_told_to_look_for_some_more_at_every_turn()
    {
        var allocator = NewAllocator();
        var backup = _node.Wallet.BackUp();
        for (var i = 0; i < 14; i++) await AskAsync(allocator, i % 2, many: Limits.AddressesAtOnceMax);
        _node.Restore(backup);

        var turn = new DepositTurn(new SettlementTerm(_two.Set), new BitcoinRpcNode(_rpc, "wallet"), allocator, Settings, NullLogger.Instance);
        var (turns, end) = (0, End());
        while (await turn.TakeAsync(_node.Chain.Tip.Height, Cancel) is not null)
        {
            Assert.True(End() > end && End() <= end + Limits.AddressesWatchedAtOnceMax);
            Assert.NotNull(await RescanAsync());
            end = End();
            // Nobody is given an address that is not looked for, and whoever asks brings it forward.
            if (++turns == 1) await Assert.ThrowsAsync<NodeUnavailableException>(() => AskAsync(allocator, 0, many: null));
            Assert.True(End() <= end + Limits.AddressesWatchedAtOnceMax);
            end = End();
        }
        Assert.Equal(1, turns);
        Assert.Null(await RescanAsync());
        Assert.Equal((uint[])[14_000u], await AssignAsync(allocator, 1));

        uint End() => _node.Wallet.Keys.State.Ends.External;
    }

    [Fact]
    public async Task A_block_that_comes_before_the_wallet_is_told_what_to_look_for_is_rescanned_too()
    {
        for (var i = 0; i < 10; i++) _node.Mine();
        var allocator = NewAllocator();
        var turn = new DepositTurn(new SettlementTerm(_two.Set), new BitcoinRpcNode(_rpc, "wallet"), allocator, Settings, NullLogger.Instance);
        Assert.Null(await turn.TakeAsync(_node.Chain.Tip.Height, Cancel));
        var backup = _node.Wallet.BackUp();
        var made = await AskAsync(allocator, 0, many: 300);
        _node.Restore(backup);
        var script = made[^1].Script;
        Assert.False(_node.Wallet.IsMine([.. script.Span]));
        // While the wallet is asked how far it looks.
        _fake.Meanwhile = () =>
        {
            _fake.Meanwhile = static () => { };
            Assert.Null(_node.Send(_node.Payment(FakeNode.AddressOf(script), new Sats(50_000), new Sats(500))));
            _node.Mine();
        };
        var height = _node.Chain.Tip.Height;
        while (await turn.TakeAsync(height, Cancel) is not null) height = _node.Chain.Tip.Height;
        Assert.Null(await RescanAsync());
        Assert.Equal(new Sats(50_000), Assert.Single(await _two.Set[0].QueryAsync(ledger => ledger.DepositsOf(_wallets[0]))).Amount);
    }

    [Fact]
    public async Task A_wallet_without_the_descriptor_gives_none()
    {
        var (seam, node) = NodeOfCalls.Create();
        node.On(nameof(IBitcoinNode.ListDescriptorsAsync), (CancellationToken _) => (IReadOnlyList<WalletDescriptor>)
        [
            new("wpkh(x)", Active: true, Internal: false, new DescriptorRange(0, 9), 0),
            new("tr(x)", Active: true, Internal: true, new DescriptorRange(0, 9), 0),
            new("tr(y)", Active: false, Internal: false, new DescriptorRange(0, 9), 0),
            new("tr(z)", Active: true, Internal: false, null, 0),
        ]);
        node.On(nameof(IBitcoinNode.GetBlockchainInfoAsync), (CancellationToken _) => new BlockchainInfo("main", 9, 9, default, InitialBlockDownload: false));
        await using var allocator = new AddressAllocator(new SettlementTerm(_two.Set), seam, Settings, NullLogger.Instance);
        await Assert.ThrowsAsync<NodeUnavailableException>(() => AssignAsync(allocator, 0));
    }

    [Fact]
    public async Task No_other_node_is_put_in_use_in_the_middle_of_a_reservation()
    {
        var (standby, nodes, allocator) = await WithStandbyAsync();
        await AskAsync(allocator, 0, many: 10);
        standby.Node.Restore(_node.Wallet.BackUp());
        var end = _node.Wallet.Keys.State.Ends.External;
        Task<bool> changing = Task.FromResult(false);
        // It is time as soon as the first was told to look for more, while its answer is on its way.
        _fake.Meanwhile = () =>
        {
            if (_node.Wallet.Keys.State.Ends.External == end || changing is not { IsCompletedSuccessfully: true, Result: false }) return;
            changing = allocator.WithoutOthersAsync(() => Task.FromResult(Use(nodes)), Cancel);
            Assert.False(changing.IsCompleted);
        };
        var made = await AskAsync(allocator, 0, many: 100);
        Assert.True(await changing);
        Assert.False(standby.Node.Wallet.IsMine([.. made[^1].Script.Span]));
        await allocator.CheckAsync(Cancel);
        Assert.True(standby.Node.Wallet.IsMine([.. made[^1].Script.Span]));
        Assert.NotNull(await RescanAsync());
    }

    [Fact]
    public async Task A_standby_that_looked_for_all_of_them_from_the_beginning_needs_no_rescan()
    {
        var (standby, nodes, allocator) = await WithStandbyAsync();
        await allocator.CheckAsync(Cancel);
        standby.Node.Restore(_node.Wallet.BackUp());
        await FollowAsync(standby);
        await AskAsync(allocator, 0, many: 10);
        await FollowAsync(standby);
        var made = await AskAsync(allocator, 1, many: 400);
        Use(nodes);
        await allocator.CheckAsync(Cancel);
        Assert.True(standby.Node.Wallet.IsMine([.. made[^1].Script.Span]));
        Assert.Null(await RescanAsync());
    }

    [Fact]
    public async Task A_standby_that_missed_some_is_rescanned_whatever_it_was_told_since()
    {
        var (standby, nodes, allocator) = await WithStandbyAsync();
        await allocator.CheckAsync(Cancel);
        standby.Node.Restore(_node.Wallet.BackUp());
        await FollowAsync(standby);
        await AskAsync(allocator, 0, many: 800);
        await FollowAsync(standby);
        await FollowAsync(standby);
        Use(nodes);
        Assert.Null(await RescanAsync());
        await allocator.CheckAsync(Cancel);
        Assert.NotNull(await RescanAsync());
    }

    [Fact]
    public async Task Whoever_gives_up_leaves_no_gap()
    {
        var allocator = NewAllocator();
        for (var i = 0; i < 5; i++)
        {
            using var cancel = new CancellationTokenSource();
            var end = _node.Wallet.Keys.State.Ends.External;
            _fake.Meanwhile = () =>
            {
                if (_node.Wallet.Keys.State.Ends.External > end) cancel.Cancel();
            };
            Assert.Equal(Outcome.Accepted, (await allocator.AssignAsync(NewId(), _wallets[0], Tenant, AddressPurpose.Deposit, 1_000, cancel.Token)).Outcome);
            Assert.True(cancel.IsCancellationRequested);
        }
        _fake.Meanwhile = static () => { };
        Assert.Equal((uint[])[5_000u], await AssignAsync(allocator, 1));
    }

    [Fact]
    public async Task While_the_chain_is_still_downloaded_none_is_given()
    {
        var (seam, node) = NodeOfCalls.Create();
        node.On(nameof(IBitcoinNode.GetBlockchainInfoAsync), (CancellationToken _) =>
            new BlockchainInfo("main", 5, 900, default, InitialBlockDownload: true));
        await using var allocator = new AddressAllocator(new SettlementTerm(_two.Set), seam, Settings, NullLogger.Instance);
        var refused = await Assert.ThrowsAsync<NodeUnavailableException>(() => AssignAsync(allocator, 0));
        Assert.Contains("downloading", refused.Message, StringComparison.Ordinal);
    }

    private static bool Use(NodeSwitch nodes)
    {
        nodes.Use(nodes.All[1]);
        return true;
    }

    private Task<bool> FollowAsync(Standby standby) =>
        new StandbyWallet(_two.Set, Settings.Network).FollowAsync(new BitcoinRpcNode(standby.Rpc, "wallet"), Cancel);

    /// <summary>An allocator that goes on with another node as soon as that is put in use.</summary>
    private async Task<(Standby Standby, NodeSwitch Nodes, AddressAllocator Allocator)> WithStandbyAsync()
    {
        _standby = new Standby();
        var nodes = new NodeSwitch([new NodeEndpoint("first", _rpc, "wallet"), new NodeEndpoint("second", _standby.Rpc, "wallet")]);
        _made.Add(new AddressAllocator(new SettlementTerm(_two.Set), new BitcoinRpcNode(nodes), Settings, NullLogger.Instance));
        await _made[^1].CheckAsync(Cancel);
        return (_standby, nodes, _made[^1]);
    }

    private sealed class Standby : IDisposable
    {
        private readonly FakeBitcoind _fake;

        public Standby()
        {
            _fake = new FakeBitcoind(Node);
            Rpc = _fake.Connect();
        }

        public FakeNode Node { get; } = new(seed: 1, "wallet") { IsWalletLoaded = true };
        public BitcoinRpc Rpc { get; }

        public void Dispose()
        {
            Rpc.Dispose();
            _fake.Dispose();
        }
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private static ByteString RuleScript(byte number) => new([0x51, 32, .. new byte[31], number]);

    private AddressAllocator NewAllocator()
    {
        _made.Add(new AddressAllocator(new SettlementTerm(_two.Set), new BitcoinRpcNode(_rpc, "wallet"), Settings, NullLogger.Instance));
        return _made[^1];
    }

    private Task<uint?> RescanAsync() => _two.Set.First.QueryAsync(ledger => ledger.Rescan);

    /// <summary>The indexes that a wallet of a partition is given.</summary>
    private async Task<uint[]> AssignAsync(AddressAllocator allocator, int partition, int? many = null) =>
        await CheckAsync(partition, await AskAsync(allocator, partition, many));

    private async Task<DerivedAddress[]> AskAsync(AddressAllocator allocator, int partition, int? many)
    {
        var answer = many is { } count
            ? await allocator.AssignAsync(NewId(), _wallets[partition], Tenant, AddressPurpose.Deposit, count, Cancel)
            : await allocator.AssignAsync(NewId(), _wallets[partition], Tenant, AddressPurpose.Deposit, Cancel);
        Assert.Equal(Outcome.Accepted, answer.Outcome);
        return answer.Entry!.Command switch
        {
            AssignAddresses a => [.. a.Addresses],
            AssignAddress a => [new DerivedAddress(a.Origin!.Value.Index, a.Script)],
            _ => [],
        };
    }

    /// <summary>That the node looks for them and the ledger knows whose they are.</summary>
    /// <returns>Their indexes.</returns>
    private async Task<uint[]> CheckAsync(int partition, DerivedAddress[] made)
    {
        foreach (var address in made)
        {
            Assert.Equal(_node.Wallet.Keys.ScriptOf(change: false, address.Index), address.Script);
            Assert.True(_node.Wallet.IsMine([.. address.Script.Span]));
            var known = await _two.Set[partition].QueryAsync(ledger => ledger.FindAddress(address.Script));
            Assert.Equal((_wallets[partition], address.Index), (known!.Wallet, known.Origin!.Value.Index));
        }
        return [.. made.Select(a => a.Index)];
    }
}
