using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>What a user is owed at the close of an epoch is proven, up to a block, with nothing but the files of that epoch.</summary>
[Trait("suite", "core")]
public sealed class EpochBalanceTests : IAsyncLifetime
{
    private FakeNode _world = null!;
    private FakeBitcoind _fake = null!;
    private BitcoinRpc _rpc = null!;
    private LoopStage _stage = null!;

    public async ValueTask InitializeAsync()
    {
        _world = LoopStage.NewWorld();
        _fake = new FakeBitcoind(_world, new NodeFaults(seed: 1, oneIn: 0));
        _rpc = _fake.Connect();
        _stage = await LoopStage.CreateAsync(_world, new NodeSwitch([new NodeEndpoint("it", _rpc, LoopStage.WalletName)]));
    }

    public async ValueTask DisposeAsync()
    {
        await _stage.DisposeAsync();
        _rpc.Dispose();
        _fake.Dispose();
    }

    [Fact]
    public async Task Every_chunk_of_a_balance_is_anchored_and_together_they_are_what_was_owed()
    {
        await _stage.PayOperatorAsync(new Msat(1_234_567));
        var statement = await _stage.CloseAndTurnAsync();
        _world.Mine();
        await _stage.TurnAsync();

        var close = (await _stage.Receipts.FindAsync(0, (await _stage.AskAsync(ledger => ledger.FindEpoch(1)))!.Stated))!;
        var block = _world.Chain.BlockOf(close.AnchorTxid!.Value)!;
        var proofs = new ReceiptFiles(close.Leaf, Encoding.UTF8.GetBytes(close.TlogProof))
        {
            Timestamp = close.OpenTimestamps,
            Block = new HeaderAtHeight(block.Bytes, block.Height),
        };
        Assert.Equal(ReceiptVerdict.AnchoredInBlock, ReceiptVerifier.Verify(proofs, _stage.LogKey).Verdict);

        var owner = new BalanceOwner(_stage.Wallet, _stage.AccountKey(_stage.Wallet));
        var nonce = LiabilitySeed.Nonce(owner.AccountKey, statement.Height, LiabilitySeed.AccountNumber(owner.Wallet));
        var files = Files();
        var chunks = files.ChunksOf(_stage.Wallet);
        Assert.True(chunks.Count >= 2);
        Assert.Equal(600_000_000 - 1_234_567, chunks.Sum(chunk => chunk.Value.Value));
        foreach (var chunk in chunks)
        {
            var balance = files.Prove(chunk, nonce);
            Assert.Equal(new SumNode(statement.LiabilitiesRoot, statement.Total), balance.Root());
            var report = BalanceVerifier.Verify(
                proofs with { Leaf = balance.ToFile(), Timestamp = balance.ToTimestamp(close.Leaf, close.OpenTimestamps) }, _stage.LogKey, owner);
            Assert.True(report.Verdict == ReceiptVerdict.AnchoredInBlock, report.Steps[^1].Text);
            Assert.Equal(chunk.Value, report.Balance?.Value);
        }
    }

    private LiabilityFiles Files()
    {
        var (csv, allocation) = (_stage.Epochs.Read(1, EpochFolder.LiabilitiesName)!, _stage.Epochs.Read(1, EpochFolder.AllocationName)!);
        var index = new LineIndex();
        index.Add(csv);
        return new LiabilityFiles(Source(csv), index, Source(allocation), allocation.Length);

        static ByteSource Source(byte[] file) => (offset, bytes) =>
        {
            var count = (int)Math.Min(bytes.Length, file.Length - offset);
            file.AsSpan((int)offset, count).CopyTo(bytes);
            return count;
        };
    }
}
