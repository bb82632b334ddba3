// The simulated network's blocks, in a tree of which the longest valid branch counts.

using System.Buffers.Binary;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>A block, with the 80 bytes of its header as nodes give them.</summary>
internal sealed record FakeBlock(BlockHeader Header, byte[] Bytes, FakeBlock? Previous, int Height, IReadOnlyList<BitcoinTransaction> Transactions)
{
    public BlockHash Hash => Header.Hash;

    /// <summary>The whole block as nodes exchange it, without witnesses, of which these transactions have none.</summary>
    public byte[] ToBytes() => [.. Bytes, .. new BitcoinWriter().Count(Transactions.Count).Written, .. Transactions.SelectMany(t => t.Stripped)];

    /// <summary>Whether the node was told to take it, or one below it, for invalid.</summary>
    public bool IsInvalid { get; set; }
}

/// <summary>What became of the best chain: the blocks that left it, the highest first, and those that joined it, the lowest first.</summary>
internal sealed record Reorganisation(IReadOnlyList<FakeBlock> Left, IReadOnlyList<FakeBlock> Joined);

/// <summary>An output that a block of the best chain made and none spent.</summary>
internal readonly record struct FakeCoin(TransactionOutput Output, int Height, bool Coinbase);

/// <summary>Begins with the first block of regtest. The branch with more blocks is the best chain, and of two with as many the
/// one whose last block came first.</summary>
internal sealed class FakeChain
{
    private const uint FirstTime = 1_800_000_000;
    private const uint SecondsBetweenBlocks = 600;
    private const string Genesis =
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f2002000000";

    /// <summary>The outputs of a transaction from before the first block, as many as are asked for: the coins of the world outside.</summary>
    private static readonly Txid World = new(new Hash256(0, 1));

    private readonly Dictionary<BlockHash, FakeBlock> _blocks = [];
    private readonly List<FakeBlock> _inOrder = [];
    private readonly List<FakeBlock> _best = [];
    private readonly Dictionary<Txid, FakeBlock> _confirmed = [];
    private readonly HashSet<OutPoint> _spent = [];
    private uint _worldCoins;

    public FakeChain()
    {
        _best.Add(Add(Convert.FromHexString(Genesis), null, []));
        Must.Hold(Tip.Hash == BitcoinNetwork.Regtest.GenesisBlock(), "The first block is not regtest's.");
    }

    public static Sats Subsidy { get; } = new(50_0000_0000);

    public FakeBlock Tip => _best[^1];

    public FakeBlock? Find(BlockHash hash) => _blocks.GetValueOrDefault(hash);

    public FakeBlock? At(int height) => height >= 0 && height < _best.Count ? _best[height] : null;

    public bool IsBest(FakeBlock block) => At(block.Height) == block;

    /// <summary>The block of the best chain that holds a transaction.</summary>
    public FakeBlock? BlockOf(Txid txid) => _confirmed.GetValueOrDefault(txid);

    /// <summary>The newest block that is both on the best chain and below this one, or this one.</summary>
    public FakeBlock Fork(FakeBlock block)
    {
        while (!IsBest(block)) block = block.Previous!;
        return block;
    }

    /// <summary>A coin of the world outside, worth a <see cref="Subsidy"/>.</summary>
    public OutPoint NewWorldCoin() => new(World, _worldCoins++);

    public FakeCoin? FindCoin(OutPoint output)
    {
        if (_spent.Contains(output)) return null;
        if (output.Txid == World) return new FakeCoin(new TransactionOutput(Subsidy, []), 0, false);
        if (BlockOf(output.Txid) is not { } block) return null;
        var transaction = block.Transactions.First(t => t.Txid == output.Txid);
        return output.Index < transaction.Outputs.Count
            ? new FakeCoin(transaction.Outputs[(int)output.Index], block.Height, transaction == block.Transactions[0]) : null;
    }

    /// <summary>Puts a block on top of another. It is part of the best chain once that is <see cref="Activate"/>d.</summary>
    public FakeBlock Mine(FakeBlock parent, ByteString reward, IReadOnlyList<BitcoinTransaction> transactions)
    {
        List<BitcoinTransaction> all = [FakeTransactions.Coinbase(parent.Height + 1, _inOrder.Count, reward, Subsidy), .. transactions];
        var bytes = new byte[BlockHeader.Bytes];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, 0x2000_0000);
        parent.Hash.Hash.Write(bytes.AsSpan(4));
        BlockProof.MerkleRoot([.. all.Select(t => t.Txid)]).Write(bytes.AsSpan(36));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(68), FirstTime + (SecondsBetweenBlocks * (uint)(parent.Height + 1)));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(72), BitcoinNetwork.Regtest.ProofOfWorkLimit());
        // Every other number will do on regtest.
        for (uint nonce = 0; BlockHeader.TryParse(bytes, out var header) && !header.MeetsOwnTarget(); nonce++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(76), nonce);
        }
        return Add(bytes, parent, all);
    }

    /// <summary>Marks a block and all above it.</summary>
    public void Invalidate(FakeBlock block)
    {
        block.IsInvalid = true;
        foreach (var later in _inOrder) later.IsInvalid |= later.Previous is { IsInvalid: true };
    }

    /// <summary>Takes the mark from a block, from all above it and from all below.</summary>
    public void Reconsider(FakeBlock block)
    {
        var cleared = new HashSet<FakeBlock>(ReferenceEqualityComparer.Instance);
        for (var below = block; below is not null; below = below.Previous) below.IsInvalid = false;
        cleared.Add(block);
        foreach (var later in _inOrder)
        {
            if (later.Previous is not null && cleared.Contains(later.Previous)) cleared.Add(later);
        }
        foreach (var later in cleared) later.IsInvalid = false;
    }

    /// <summary>Makes the best branch the best chain.</summary>
    public Reorganisation Activate()
    {
        var best = Tip.IsInvalid ? _inOrder[0] : Tip;
        foreach (var block in _inOrder)
        {
            if (!block.IsInvalid && block.Height > best.Height) best = block;
        }
        // Of as many blocks the first that came.
        best = _inOrder.First(b => !b.IsInvalid && b.Height == best.Height);
        var joined = new List<FakeBlock>();
        for (var block = best; !IsBest(block); block = block.Previous!) joined.Add(block);
        joined.Reverse();
        var fork = Fork(best);
        var left = new List<FakeBlock>();
        while (Tip != fork) left.Add(Disconnect());
        foreach (var block in joined) Connect(block);
        return new Reorganisation(left, joined);
    }

    private FakeBlock Add(byte[] bytes, FakeBlock? parent, IReadOnlyList<BitcoinTransaction> transactions)
    {
        Must.Hold(BlockHeader.TryParse(bytes, out var header), "A header has other bytes.");
        var block = new FakeBlock(header!, bytes, parent, parent is null ? 0 : parent.Height + 1, transactions)
        {
            IsInvalid = parent is { IsInvalid: true },
        };
        _blocks.Add(block.Hash, block);
        _inOrder.Add(block);
        return block;
    }

    private void Connect(FakeBlock block)
    {
        foreach (var transaction in block.Transactions)
        {
            if (transaction != block.Transactions[0])
            {
                foreach (var input in transaction.Inputs)
                {
                    Must.Hold(FindCoin(input.Spent) is not null, $"Block {block.Hash} spends {input.Spent}, which is not there.");
                    _spent.Add(input.Spent);
                }
            }
            _confirmed.Add(transaction.Txid, block);
        }
        _best.Add(block);
    }

    private FakeBlock Disconnect()
    {
        var block = Tip;
        foreach (var transaction in block.Transactions)
        {
            _confirmed.Remove(transaction.Txid);
            foreach (var input in transaction.Inputs) _spent.Remove(input.Spent);
        }
        _best.RemoveAt(_best.Count - 1);
        return block;
    }
}
