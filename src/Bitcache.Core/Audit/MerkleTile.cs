namespace Bitcache.Core.Audit;

/// <summary>Up to 256 hashes of one level of a <see cref="MerkleLog"/>, and the nodes over them, as far as these are
/// complete: row 0 holds the hashes, row h the roots of each 2^h of them.</summary>
internal sealed class MerkleTile
{
    public const int Width = 256;
    private const int Heights = 8;

    // One row after the other.
    private readonly Hash256[] _nodes = new Hash256[(2 * Width) - 1];

    public int Count { get; private set; }
    public bool IsFull => Count == Width;
    public int Room => Width - Count;
    public ReadOnlySpan<Hash256> Hashes => _nodes.AsSpan(0, Count);

    /// <summary>Of a full tile: its entry in the level above.</summary>
    public Hash256 Root => Node(Heights, 0);

    public Hash256 Node(int height, int index) => _nodes[RowStart(height) + index];

    public void Clear() => Count = 0;

    /// <param name="lanes">To hash several nodes at once; null to hash one after the other.</param>
    public void Add(ReadOnlySpan<Hash256> hashes, Sha256Lanes? lanes)
    {
        var before = Count;
        hashes.CopyTo(_nodes.AsSpan(before, Room));
        Count += hashes.Length;
        for (var height = 1; height <= Heights && before >> height < Count >> height; height++)
        {
            var (first, nodes) = (before >> height, (Count >> height) - (before >> height));
            Rfc6962.NodeHashes(
                _nodes.AsSpan(RowStart(height - 1) + (2 * first), 2 * nodes), _nodes.AsSpan(RowStart(height) + first, nodes), lanes);
        }
    }

    private static int RowStart(int height) => (2 * Width) - ((2 * Width) >> height);
}
