using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

/// <summary>The simulated network.</summary>
internal sealed class FakeStage : INodeStage, IDisposable
{
    private static readonly Sats Fee = new(1_000);
    private static readonly Sats HighFee = new(50_000);

    private readonly FakeNode _node;
    private readonly BitcoinRpc _rpc;
    private readonly NodeTrace _trace;

    /// <param name="blocks">How many blocks there are when the script begins.</param>
    public FakeStage(int seed, int blocks = 130)
    {
        _node = new FakeNode(seed, "wallet") { IsWalletLoaded = true };
        for (var i = 0; i < blocks; i++) _node.Mine();
        _rpc = new FakeBitcoind(_node).Connect();
        (Node, _trace) = NodeTrace.Of(new BitcoinRpcNode(_rpc, "wallet"), blocks);
    }

    public IBitcoinNode Node { get; }

    public IReadOnlyList<string> Trace => _trace.Lines;

    public Task<string> StrangerAsync() => Task.FromResult(_node.NewStranger());

    // What it watches it knows by the address alone.
    public Task<string> DescribeAsync(string address) => Task.FromResult($"addr({address})#00000000");

    public Task<Txid> PayAsync(string address, Sats amount)
    {
        var payment = _node.Payment(address, amount, Fee);
        Assert.Null(_node.Send(payment));
        return Task.FromResult(payment.Txid);
    }

    public Task<byte[]> ConflictAsync(Txid payment, string address, Sats amount)
    {
        var inputs = _node.Wallet.Find(payment)!.Transaction.Inputs.Select(i => i.Spent).ToArray();
        return Task.FromResult(FakeTransactions.Sign(_node.Payment(address, amount, HighFee, inputs)));
    }

    public Task<BlockHash> MineAsync(string? reward = null) => Task.FromResult(_node.Mine(reward).Hash);

    public Task<BlockHash> MineOnlyAsync(params byte[][] transactions) => Task.FromResult(_node.Mine(_node.Chain.Tip, [.. transactions.Select(Parse)]).Hash);

    public Task SettleAsync() => Task.CompletedTask;

    public Task InvalidateAsync(BlockHash block)
    {
        _node.Invalidate(_node.Chain.Find(block)!);
        return Task.CompletedTask;
    }

    public Task ReconsiderAsync(BlockHash block)
    {
        _node.Reconsider(_node.Chain.Find(block)!);
        return Task.CompletedTask;
    }

    public Task RestartAsync()
    {
        _node.Restart();
        return Task.CompletedTask;
    }

    public Task UnloadAsync()
    {
        _node.Unload();
        return Task.CompletedTask;
    }

    public Task LockWalletAsync() => SetLocked(true);

    public Task UnlockWalletAsync() => SetLocked(false);

    private Task SetLocked(bool isLocked)
    {
        _node.Wallet.IsLocked = isLocked;
        return Task.CompletedTask;
    }

    public Task<object> BackUpAsync() => Task.FromResult<object>(_node.Wallet.BackUp());

    public Task RestoreAsync(object backup)
    {
        _node.Restore((FakeBackup)backup);
        return Task.CompletedTask;
    }

    public Task EvictAsync(Txid txid)
    {
        _node.Evict(txid);
        return Task.CompletedTask;
    }

    public Task ForgetAsync(Txid txid)
    {
        _node.Wallet.Forget(txid);
        return Task.CompletedTask;
    }

    public void Dispose() => _rpc.Dispose();

    private static BitcoinTransaction Parse(byte[] raw)
    {
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        return transaction;
    }
}
