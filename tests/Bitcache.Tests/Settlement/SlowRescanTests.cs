using System.Text.Json;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>A rescan whose runs outlast the node's time to answer: it goes on in the node, and ends, also where another node
/// stands by, which would have to begin it anew.</summary>
[Trait("suite", "core")]
public sealed class SlowRescanTests : IDisposable
{
    private const int Blocks = 1_100;
    private const int BlocksInTime = 60;
    private const int BlocksInTurn = 5;
    private const int TurnsMax = 1_000;

    private readonly FakeNode[] _worlds = [LoopStage.NewWorld(), new FakeNode(1, LoopStage.WalletName) { IsWalletLoaded = true }];
    private readonly List<SlowNode> _slow = [];
    private readonly List<BitcoinRpc> _rpc = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task It_ends_with_the_node_that_it_began_with(int count)
    {
        var nodes = new NodeSwitch([.. _worlds.Take(count).Select(Endpoint)]);
        await using var stage = await LoopStage.CreateAsync(_worlds[0], nodes);
        for (var i = 0; i < Blocks; i++) _worlds[0].Mine();
        Follow();
        await TurnAsync(stage);
        Assert.Null(stage.Loop.Chain.Trouble);
        Assert.All(stage.Failover.Health.Standbys, standby => Assert.Null(standby.Trouble));

        await stage.Partitions.First.SubmitAsync(new MarkRescan(1, Done: false));
        var turns = 0;
        while (await stage.AskAsync(ledger => ledger.Rescan) is not null)
        {
            Assert.True(++turns < TurnsMax, $"{turns} turns, {_slow[0].Runs} runs: {stage.Loop.Chain.Trouble}");
            await TurnAsync(stage);
            Assert.Equal("0", nodes.Used.Name);
        }
        Assert.True(_slow[0].TimedOut > 0 && _slow[0].Runs > _slow[0].TimedOut);
        await TurnAsync(stage);
        Assert.Null(stage.Loop.Chain.Trouble);
    }

    private async Task TurnAsync(LoopStage stage)
    {
        await stage.Loop.TakeTurnAsync(Cancel);
        await stage.Failover.Looking;
        foreach (var slow in _slow) slow.WorkOn();
    }

    /// <summary>The second has the blocks of the first, and a copy of its wallet.</summary>
    private void Follow()
    {
        var (first, second) = (_worlds[0], _worlds[1]);
        for (var i = 0; i < 20; i++) second.Wallet.NewScript(change: false);
        while (second.Chain.Tip.Height < first.Chain.Tip.Height)
            second.Mine(second.Chain.Tip, [.. first.Chain.At(second.Chain.Tip.Height + 1)!.Transactions.Skip(1)]);
        Assert.Equal(first.Chain.Tip.Hash, second.Chain.Tip.Hash);
    }

    private NodeEndpoint Endpoint(FakeNode world, int number)
    {
        _slow.Add(new SlowNode(world));
        _rpc.Add(new BitcoinRpc(new BitcoinRpcOptions(new Uri("http://node.invalid/"), RpcCredentials.None, TimeSpan.FromMinutes(1)), _slow[^1]));
        return new NodeEndpoint($"{number}", _rpc[^1], LoopStage.WalletName);
    }

    public void Dispose()
    {
        foreach (var rpc in _rpc) rpc.Dispose();
        foreach (var slow in _slow) slow.Dispose();
    }

    /// <summary>Answers a rescan of so many blocks in time; of more it goes on by itself, and says that it scans until it is done.</summary>
    private sealed class SlowNode(FakeNode world) : DelegatingHandler(new FakeBitcoind(world))
    {
        private int _left;

        public int Runs { get; private set; }
        public int TimedOut { get; private set; }

        public void WorkOn()
        {
            _left = Math.Max(0, _left - BlocksInTurn);
            world.Wallet.IsScanning = _left > 0;
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            using var body = JsonDocument.Parse(await request.Content!.ReadAsByteArrayAsync(cancellationToken));
            if (body.RootElement.GetProperty("method").GetString() != "rescanblockchain") return await base.SendAsync(request, cancellationToken);
            Runs++;
            var range = body.RootElement.GetProperty("params");
            _left = range[1].GetInt32() - range[0].GetInt32() + 1 - BlocksInTime;
            if (_left <= 0) return await base.SendAsync(request, cancellationToken);
            TimedOut++;
            world.Wallet.IsScanning = true;
            throw new OperationCanceledException("no answer in time");
        }
    }
}
