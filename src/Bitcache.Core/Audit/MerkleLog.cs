// The log that receipts are proven against: an append-only Merkle tree (RFC 6962) of which only every eighth
// level is kept, as C2SP tlog-tiles lays it out. Level 0 holds the leaf hashes; entry i of level L+1 is the root
// of entries 256i..256i+255 of level L. What lies between is hashed again when a proof asks for it.
//
// The store may lose hashes or give wrong ones. The unfinished tile of each level, which is all that new roots are made
// of, stays in memory; a full tile that is read counts only if it leads to the hash above it, which is believed by the
// same rule, up to an unfinished tile. One that does not is made again from what lies below it.

using System.Runtime.InteropServices;

namespace Bitcache.Core.Audit;

/// <summary>Makes leaf hashes again from what they are the hashes of.</summary>
/// <returns><paramref name="count"/> leaf hashes from <paramref name="first"/> on; they stand until the next call.</returns>
public delegate ReadOnlySpan<Hash256> LeafReader(long first, int count);

/// <summary>An append-only Merkle tree over a <see cref="IHashStore"/>. It has one owner and is not safe for use
/// by several threads at once. A root or proof at millions of leaves reads at most two tiles of each level. After an
/// exception out of the store it must be opened anew.</summary>
public sealed class MerkleLog
{
    public const int TileWidth = MerkleTile.Width;
    private const int LevelBits = 8;
    private const int LevelsMax = 8;
    private const int CachedTilesMax = 64;

    private readonly IHashStore _store;
    private readonly LeafReader? _leaves;
    // The unfinished tile of each level; never full.
    private readonly MerkleTile[] _edge = new MerkleTile[LevelsMax];
    // Full tiles that lead to the hashes above them.
    private readonly Dictionary<(int Level, long Number), MerkleTile> _tiles = [];
    // Tiles that were forgotten, to be filled again.
    private readonly Stack<MerkleTile> _spare = new();
    private readonly Sha256Lanes? _lanes = Sha256Lanes.For(TileWidth);

    /// <summary>Begins an empty log, whatever the store holds.</summary>
    /// <param name="leaves">For tiles that the store gives wrongly; null if one that is wrong is for the caller to know.</param>
    public MerkleLog(IHashStore store, LeafReader? leaves = null)
    {
        (_store, _leaves) = (store, leaves);
        for (var level = 0; level < LevelsMax; level++) _edge[level] = NewTile();
    }

    /// <summary>Goes on from the first <paramref name="size"/> leaves of what an earlier log left in the store; null if it
    /// does not hold them. Nothing of it is verified yet: that is done by whoever knows the root at this size or, after more
    /// leaves were appended, at a later one.</summary>
    public static MerkleLog? Open(IHashStore store, LeafReader? leaves, long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        var log = new MerkleLog(store, leaves) { Size = size };
        for (var level = 0; level < LevelsMax; level++)
        {
            var end = EntriesAt(level, size);
            var hashes = new Hash256[end % TileWidth];
            if (!store.TryRead(level, end - hashes.Length, hashes)) return null;
            log._edge[level].Add(hashes, log._lanes);
        }
        return log;
    }

    /// <summary>The number of leaves.</summary>
    public long Size { get; private set; }

    public void Append(Hash256 leaf) => Append([leaf]);

    /// <summary>Adds leaf hashes in order.</summary>
    public void Append(ReadOnlySpan<Hash256> leaves)
    {
        var before = Size;
        var above = new List<Hash256>?[LevelsMax];
        for (var rest = leaves; !rest.IsEmpty;)
        {
            var some = rest[..Math.Min(rest.Length, _edge[0].Room)];
            Append(0, some, above);
            rest = rest[some.Length..];
        }
        _store.Write(0, before, leaves);
        for (var level = 1; level < LevelsMax && above[level] is { } hashes; level++)
            _store.Write(level, EntriesAt(level, before), CollectionsMarshal.AsSpan(hashes));
    }

    public Hash256 Root() => Root(Size);

    /// <summary>The root that the tree had when it was <paramref name="size"/> leaves large.</summary>
    public Hash256 Root(long size)
    {
        CheckSize(size);
        return size == 0 ? Rfc6962.EmptyRoot : Root(0, size);
    }

    /// <summary>The hashes from the leaf's sibling up to the root's child (RFC 6962, section 2.1.1).</summary>
    public IReadOnlyList<Hash256> InclusionProof(long index, long size)
    {
        CheckSize(size);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var path = new List<Hash256>();
        long start = 0, end = size;
        while (end - start > 1)
        {
            var middle = start + SplitPoint(end - start);
            if (index < middle)
            {
                path.Add(Root(middle, end));
                end = middle;
            }
            else
            {
                path.Add(Root(start, middle));
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
        var path = new List<Hash256>();
        long start = 0, end = size;
        while (end != oldSize)
        {
            var middle = start + SplitPoint(end - start);
            if (oldSize <= middle)
            {
                path.Add(Root(middle, end));
                end = middle;
            }
            else
            {
                path.Add(Root(start, middle));
                start = middle;
            }
        }
        // A subtree that begins at 0 is the whole old tree, whose root the verifier has.
        if (start != 0) path.Add(Root(start, end));
        path.Reverse();
        return path;
    }

    /// <summary>The hashes of a tile, which is in the tree.</summary>
    public ReadOnlySpan<Hash256> Tile(in LogTile tile)
    {
        if (tile.IsBundle || !tile.IsIn(Size)) throw new ArgumentOutOfRangeException(nameof(tile));
        return Tile(tile.Level, tile.Number).Hashes[..tile.Width];
    }

    private void CheckSize(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, Size);
    }

    /// <summary>The root over leaves start to end, a subtree of RFC 6962: perfect subtrees from the left, joined from the
    /// right.</summary>
    private Hash256 Root(long start, long end)
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
        return Tile(level, first / TileWidth).Node(row, (int)(first % TileWidth) >> row);
    }

    /// <param name="hashes">No more than the level's unfinished tile has room for.</param>
    private void Append(int level, ReadOnlySpan<Hash256> hashes, List<Hash256>?[] above)
    {
        if (level == 0) Size += hashes.Length;
        else (above[level] ??= []).AddRange(hashes);
        _edge[level].Add(hashes, _lanes);
        if (!_edge[level].IsFull) return;
        // What was booked last is asked for most.
        var full = Remember(level, (EntriesAt(level, Size) - 1) / TileWidth, _edge[level]);
        _edge[level] = NewTile();
        Append(level + 1, [full.Root], above);
    }

    /// <summary>A tile of which everything can be believed.</summary>
    private MerkleTile Tile(int level, long number)
    {
        if (number == EntriesAt(level, Size) / TileWidth) return _edge[level];
        if (_tiles.TryGetValue((level, number), out var known)) return known;
        var root = Tile(level + 1, number / TileWidth).Node(0, (int)(number % TileWidth));
        if (Read(level, number) is not { } tile || tile.Root != root)
        {
            tile = Mend(level, number, root);
            _store.Write(level, number * TileWidth, tile.Hashes);
        }
        return Remember(level, number, tile);
    }

    private MerkleTile Remember(int level, long number, MerkleTile tile)
    {
        if (_tiles.Count == CachedTilesMax)
        {
            foreach (var forgotten in _tiles.Values) _spare.Push(forgotten);
            _tiles.Clear();
        }
        return _tiles[(level, number)] = tile;
    }

    private MerkleTile? Read(int level, long number)
    {
        var hashes = new Hash256[TileWidth];
        return _store.TryRead(level, number * TileWidth, hashes) ? NewTile(hashes) : null;
    }

    /// <summary>A tile is larger than what the log costs else for each of its hashes: those that are not needed any more serve
    /// again.</summary>
    private MerkleTile NewTile(ReadOnlySpan<Hash256> hashes = default)
    {
        if (!_spare.TryPop(out var tile)) tile = new MerkleTile();
        tile.Clear();
        tile.Add(hashes, _lanes);
        return tile;
    }

    /// <summary>Makes a tile again whose root is known: from the tiles below it as they are stored or, where they are wrong
    /// as well, from the leaves.</summary>
    /// <exception cref="LedgerInvariantException">The leaves are others than were appended, or there are none to look at.</exception>
    private MerkleTile Mend(int level, long number, Hash256 root)
    {
        if (_leaves is null) throw new LedgerInvariantException($"tile {number} at level {level} of the log is damaged");
        if (FromBelow(level, number) is { } tile && tile.Root == root) return tile;
        tile = FromLeaves(level, number);
        return tile.Root == root
            ? tile
            : throw new LedgerInvariantException($"tile {number} at level {level} of the log is not over the entries that the log was made of");
    }

    private MerkleTile? FromBelow(int level, long number)
    {
        if (level == 0) return null;
        var tile = NewTile();
        for (var i = 0; i < TileWidth; i++)
        {
            if (Read(level - 1, (number * TileWidth) + i) is not { } below) return null;
            tile.Add([below.Root], _lanes);
        }
        return tile;
    }

    private MerkleTile FromLeaves(int level, long number)
    {
        if (level == 0) return NewTile(_leaves!(number * TileWidth, TileWidth));
        var tile = NewTile();
        for (var i = 0; i < TileWidth; i++) tile.Add([FromLeaves(level - 1, (number * TileWidth) + i).Root], _lanes);
        return tile;
    }

    private static long EntriesAt(int level, long size) => size >> (LevelBits * level);

    /// <summary>The largest power of two below n: how many leaves the left child of n leaves has.</summary>
    private static long SplitPoint(long n) => 1L << (int)long.Log2(n - 1);
}
