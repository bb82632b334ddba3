// The Merkle sum tree: node = SHA-256(left hash || le64(left sum) || right hash || le64(right sum)), with the sum of both. Each
// child's sum is bound on its own; Maxwell's form, which hashes their sum, can be cheated (eprint 2018/1139).

using System.Buffers.Binary;
using System.Numerics;

namespace Bitcache.Core.Audit;

/// <summary>A node of the tree, or a leaf: its hash and what is owed below it.</summary>
public readonly record struct SumNode(Hash256 Hash, Msat Sum)
{
    internal const int PreimageBytes = 2 * (Hash256.Bytes + sizeof(long));

    /// <summary>The node over two others.</summary>
    /// <exception cref="OverflowException">Together they are more than there is money.</exception>
    public static SumNode Over(SumNode left, SumNode right)
    {
        Span<byte> preimage = stackalloc byte[PreimageBytes];
        WritePreimage(left.Hash, left.Sum.Value, right.Hash, right.Sum.Value, preimage);
        return new SumNode(Sha256.Of(preimage), left.Sum + right.Sum);
    }

    internal static void WritePreimage(in Hash256 left, long leftSum, in Hash256 right, long rightSum, Span<byte> preimage)
    {
        left.Write(preimage);
        BinaryPrimitives.WriteInt64LittleEndian(preimage[Hash256.Bytes..], leftSum);
        right.Write(preimage[(Hash256.Bytes + sizeof(long))..]);
        BinaryPrimitives.WriteInt64LittleEndian(preimage[^sizeof(long)..], rightSum);
    }
}

/// <summary>A whole sum tree over 2^k leaves. Of its rows the leaves and each second one above them are kept; the others are
/// hashed again when they are asked for, which is fast, and saves a third of the memory.</summary>
internal sealed class SumTree
{
    private const int KeptEvery = 2;
    private const int BlockNodes = 1 << 10;

    private readonly Sha256Batch _batch = new();
    private readonly SumNodes _block;
    private readonly SumNodes[] _kept;

    /// <param name="hashes">Of the leaves; the tree takes them over.</param>
    /// <param name="sums">Theirs.</param>
    /// <exception cref="OverflowException">The leaves are worth more than there is money.</exception>
    public SumTree(Hash256[] hashes, long[] sums)
    {
        if (hashes.Length != sums.Length || !BitOperations.IsPow2(hashes.Length)) throw new ArgumentException("the leaves are a power of two", nameof(hashes));
        Height = BitOperations.Log2((uint)hashes.Length);
        _block = new SumNodes(BlockNodes << (KeptEvery - 1));
        _kept = new SumNodes[1 + (Height / KeptEvery)];
        _kept[0] = new SumNodes(hashes, sums);
        for (var i = 1; i < _kept.Length; i++)
        {
            _kept[i] = new SumNodes(_kept[i - 1].Count >> KeptEvery);
            for (var first = 0; first < _kept[i].Count; first += BlockNodes)
            {
                var count = Math.Min(BlockNodes, _kept[i].Count - first);
                var below = Row((i * KeptEvery) - 1, 2 * first, 2 * count);
                HashUp(below, _kept[i].Part(first, count));
            }
        }
        Root = this[Height, 0];
    }

    /// <summary>Rows above the leaves.</summary>
    public int Height { get; }

    public SumNode Root { get; }

    public int Leaves => 1 << Height;

    /// <summary>A node by its height above the leaves and its place in its row.</summary>
    public SumNode this[int height, int index] => Row(height, index, 1)[0];

    /// <summary>The most nodes that can be asked for at once.</summary>
    public static int RowPartMax => BlockNodes;

    /// <summary>Neighbours in a row; they stand until others are asked for.</summary>
    /// <param name="count">At most <see cref="RowPartMax"/>, or twice as many below a kept row.</param>
    public SumNodeSpan Row(int height, int first, int count)
    {
        var above = height % KeptEvery;
        var nodes = _kept[height / KeptEvery].Part(first << above, count << above);
        for (; above > 0; above--)
        {
            var next = _block.Part(0, nodes.Count / 2);
            HashUp(nodes, next);
            nodes = next;
        }
        return nodes;
    }

    /// <summary>The nodes over pairs; they may be written where the first of the pairs stand.</summary>
    private void HashUp(SumNodeSpan children, SumNodeSpan nodes)
    {
        Span<byte> preimage = stackalloc byte[SumNode.PreimageBytes];
        for (var first = 0; first < nodes.Count; first += Sha256Batch.Count)
        {
            var count = Math.Min(Sha256Batch.Count, nodes.Count - first);
            for (var i = first; i < first + count; i++)
            {
                var (left, right) = (2 * i, (2 * i) + 1);
                SumNode.WritePreimage(children.Hashes[left], children.Sums[left], children.Hashes[right], children.Sums[right], preimage);
                _batch.Add(preimage);
                nodes.Sums[i] = children.Sums[left] + children.Sums[right];
            }
            _batch.Finish().CopyTo(nodes.Hashes[first..]);
        }
    }
}

/// <summary>Hashes and sums of many nodes.</summary>
internal sealed class SumNodes(Hash256[] hashes, long[] sums)
{
    public SumNodes(int count)
        : this(TableMemory.AllocateAnyContent<Hash256>(count), TableMemory.AllocateAnyContent<long>(count))
    {
    }

    public int Count => sums.Length;

    public SumNodeSpan Part(int first, int count) => new(hashes.AsSpan(first, count), sums.AsSpan(first, count));
}

/// <summary>Some of them.</summary>
internal readonly ref struct SumNodeSpan(Span<Hash256> hashes, Span<long> sums)
{
    public Span<Hash256> Hashes { get; } = hashes;
    public Span<long> Sums { get; } = sums;
    public int Count => Sums.Length;
    public SumNode this[int index] => new(Hashes[index], new Msat(Sums[index]));
}
