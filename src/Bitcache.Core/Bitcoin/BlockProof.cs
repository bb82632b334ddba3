using Bitcache.Core.Audit;

namespace Bitcache.Core.Bitcoin;

/// <summary>A transaction's path to its block's Merkle root: Bitcoin's tree, where a row of odd length pairs its
/// last hash with itself.</summary>
public sealed record BlockProof(Txid Txid, int Position, IReadOnlyList<Hash256> Siblings)
{
    /// <summary>Makes the proof from all transaction ids of the block, in order.</summary>
    /// <exception cref="ArgumentException">The transaction is not in the block.</exception>
    public static BlockProof Build(IReadOnlyList<Txid> block, Txid txid)
    {
        var position = Enumerable.Range(0, block.Count).FirstOrDefault(i => block[i] == txid, -1);
        return position >= 0
            ? BuildAll(block, [position])[0]
            : throw new ArgumentException($"transaction {txid} is not in the block", nameof(txid));
    }

    /// <summary>The same for several, for which the tree is hashed once.</summary>
    /// <param name="positions">Of the transactions that are to be proven.</param>
    public static IReadOnlyList<BlockProof> BuildAll(IReadOnlyList<Txid> block, IReadOnlyList<int> positions)
    {
        var siblings = positions.Select(_ => new List<Hash256>()).ToArray();
        var row = block.Select(t => t.Hash).ToArray();
        for (var height = 0; row.Length > 1; height++)
        {
            for (var i = 0; i < siblings.Length; i++) siblings[i].Add(row[Math.Min((positions[i] >> height) ^ 1, row.Length - 1)]);
            row = NextRow(row);
        }
        return [.. positions.Zip(siblings, (position, path) => new BlockProof(block[position], position, path))];
    }

    /// <summary>The Merkle root of a block with these transactions.</summary>
    public static Hash256 MerkleRoot(IReadOnlyList<Txid> block)
    {
        ArgumentOutOfRangeException.ThrowIfZero(block.Count);
        var row = block.Select(t => t.Hash).ToArray();
        while (row.Length > 1) row = NextRow(row);
        return row[0];
    }

    /// <summary>The Merkle root to which this path leads.</summary>
    public Hash256 MerkleRoot()
    {
        var hash = Txid.Hash;
        for (var i = 0; i < Siblings.Count; i++) hash = IsRight(i) ? Join(Siblings[i], hash) : Join(hash, Siblings[i]);
        return hash;
    }

    public bool Verify(Hash256 merkleRoot) =>
        Siblings.Count <= Limits.BlockPathHashesMax && Position >> Siblings.Count == 0 && MerkleRoot() == merkleRoot;

    /// <summary>Whether the node on the path at this height is a right child.</summary>
    public bool IsRight(int height) => (Position >> height & 1) == 1;

    private static Hash256[] NextRow(Hash256[] row)
    {
        var next = new Hash256[(row.Length + 1) / 2];
        for (var i = 0; i < next.Length; i++) next[i] = Join(row[2 * i], row[Math.Min((2 * i) + 1, row.Length - 1)]);
        return next;
    }

    private static Hash256 Join(Hash256 left, Hash256 right)
    {
        Span<byte> pair = stackalloc byte[2 * Hash256.Bytes];
        left.Write(pair);
        right.Write(pair[Hash256.Bytes..]);
        return Sha256.Twice(pair);
    }
}
