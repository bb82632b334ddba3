// The log that receipts are proven against: an append-only Merkle tree (RFC 6962) of which only every eighth
// level is kept, as C2SP tlog-tiles lays it out. Level 0 holds the leaf hashes; entry i of level L+1 is the root
// of entries 256i..256i+255 of level L. What lies between is hashed again when a proof asks for it.

namespace Bitcache.Core.Audit;

/// <summary>An append-only Merkle tree over a <see cref="IHashStore"/>. It has one owner and is not safe for use
/// by several threads at once. A root or proof at millions of leaves reads at most two tiles of each level.</summary>
public sealed class MerkleLog
{
    public const int TileWidth = 256;
    private const int LevelBits = 8;
    private const int LevelsMax = 8;
    private const int CachedTilesMax = 64;

    private readonly IHashStore _store;
    private Reader _reader;

    /// <summary>Opens the tree whose leaves the store holds, and completes the levels above: a crash may have come
    /// between the append of a leaf and the append of the tile root that it completed.</summary>
    /// <exception cref="InvalidOperationException">A level holds more hashes than the leaves account for.</exception>
    public MerkleLog(IHashStore store)
    {
        _store = store;
        _reader = new Reader(store, 0);
        Size = store.Count(0);
        for (var level = 1; level < LevelsMax; level++)
        {
            var due = EntriesAt(level, Size);
            if (store.Count(level) > due)
                throw new InvalidOperationException($"tile level {level} of the log has {store.Count(level)} hashes, but its {Size} leaves give {due}");
            while (store.Count(level) < due) CloseTile(level - 1, store.Count(level));
        }
    }

    /// <summary>The number of leaves.</summary>
    public long Size { get; private set; }

    public void Append(Hash256 leaf) => Append([leaf]);

    /// <summary>Adds leaf hashes in order.</summary>
    public void Append(ReadOnlySpan<Hash256> leaves)
    {
        while (!leaves.IsEmpty)
        {
            var run = Math.Min(leaves.Length, TileWidth - (int)(Size % TileWidth));
            _store.Append(0, leaves[..run]);
            Size += run;
            leaves = leaves[run..];
            var count = Size;
            for (var level = 0; count % TileWidth == 0; level++)
            {
                count /= TileWidth;
                CloseTile(level, count - 1);
            }
        }
    }

    public Hash256 Root() => Root(Size);

    /// <summary>The root that the tree had when it was <paramref name="size"/> leaves large.</summary>
    public Hash256 Root(long size)
    {
        CheckSize(size);
        return size == 0 ? Rfc6962.EmptyRoot : ReaderAt(size).Root(0, size);
    }

    /// <summary>The hashes from the leaf's sibling up to the root's child (RFC 6962, section 2.1.1).</summary>
    public IReadOnlyList<Hash256> InclusionProof(long index, long size)
    {
        CheckSize(size);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var reader = ReaderAt(size);
        var path = new List<Hash256>();
        long start = 0, end = size;
        while (end - start > 1)
        {
            var middle = start + SplitPoint(end - start);
            if (index < middle)
            {
                path.Add(reader.Root(middle, end));
                end = middle;
            }
            else
            {
                path.Add(reader.Root(start, middle));
                start = middle;
            }
        }
        path.Reverse();
        return path;
    }

    /// <summary>The hashes that show that the tree of <paramref name="oldSize"/> leaves is the beginning of the
    /// tree of <paramref name="size"/> leaves (RFC 6962, section 2.1.2); empty for equal sizes and from 0.</summary>
    public IReadOnlyList<Hash256> ConsistencyProof(long oldSize, long size)
    {
        CheckSize(size);
        ArgumentOutOfRangeException.ThrowIfNegative(oldSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(oldSize, size);
        if (oldSize == 0 || oldSize == size) return [];
        var reader = ReaderAt(size);
        var path = new List<Hash256>();
        long start = 0, end = size;
        while (end != oldSize)
        {
            var middle = start + SplitPoint(end - start);
            if (oldSize <= middle)
            {
                path.Add(reader.Root(middle, end));
                end = middle;
            }
            else
            {
                path.Add(reader.Root(start, middle));
                start = middle;
            }
        }
        // A subtree that begins at 0 is the whole old tree, whose root the verifier has.
        if (start != 0) path.Add(reader.Root(start, end));
        path.Reverse();
        return path;
    }

    private void CheckSize(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, Size);
    }

    /// <summary>Receipts are proven many at a time under one root: the tiles read for one serve the next.</summary>
    private Reader ReaderAt(long size) => _reader.Size == size ? _reader : _reader = new Reader(_store, size);

    private void CloseTile(int level, long tile)
    {
        var hashes = new Hash256[TileWidth];
        _store.Read(level, tile * TileWidth, hashes);
        _store.Append(level + 1, Rows(hashes)[^1]);
    }

    private static long EntriesAt(int level, long size) => size >> (LevelBits * level);

    /// <summary>The largest power of two below n: how many leaves the left child of n leaves has.</summary>
    private static long SplitPoint(long n) => 1L << (int)long.Log2(n - 1);

    /// <summary>The rows of nodes over a tile, up to the highest that has one: row h holds the roots of each 2^h
    /// hashes, as far as they are complete.</summary>
    private static Hash256[][] Rows(Hash256[] hashes)
    {
        var rows = new Hash256[1 + (int)long.Log2(hashes.Length)][];
        rows[0] = hashes;
        for (var height = 1; height < rows.Length; height++)
        {
            var below = rows[height - 1];
            var row = new Hash256[below.Length / 2];
            for (var i = 0; i < row.Length; i++) row[i] = Rfc6962.NodeHash(below[2 * i], below[(2 * i) + 1]);
            rows[height] = row;
        }
        return rows;
    }

    /// <summary>Computes subtrees of the tree at one size, and remembers the tiles it has read and hashed.</summary>
    private sealed class Reader(IHashStore store, long size)
    {
        private readonly Dictionary<(int Level, long Tile), Hash256[][]> _tiles = [];

        public long Size => size;

        /// <summary>The root over leaves start to end, a subtree of RFC 6962: perfect subtrees from the left,
        /// joined from the right.</summary>
        public Hash256 Root(long start, long end)
        {
            var height = (int)long.Log2(end - start);
            var left = Perfect(start, height);
            start += 1L << height;
            return start == end ? left : Rfc6962.NodeHash(left, Root(start, end));
        }

        private Hash256 Perfect(long start, int height)
        {
            var (level, row) = Math.DivRem(height, LevelBits);
            var first = EntriesAt(level, start);
            return Tile(level, first / TileWidth)[row][(int)(first % TileWidth) >> row];
        }

        private Hash256[][] Tile(int level, long tile)
        {
            if (_tiles.TryGetValue((level, tile), out var rows)) return rows;
            var start = tile * TileWidth;
            var hashes = new Hash256[Math.Min(TileWidth, EntriesAt(level, size) - start)];
            store.Read(level, start, hashes);
            if (_tiles.Count == CachedTilesMax) _tiles.Clear();
            return _tiles[(level, tile)] = Rows(hashes);
        }
    }
}
