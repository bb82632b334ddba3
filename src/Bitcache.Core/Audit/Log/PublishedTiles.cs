namespace Bitcache.Core.Audit;

/// <summary>Gets the bytes of a tile from wherever they are published; null if they are not there.</summary>
public delegate byte[]? TileReader(LogTile tile);

/// <summary>The published tiles of somebody's log, as a store of hashes to read from. A <see cref="MerkleLog"/> that is opened
/// over it at the size of a checkpoint, without leaves, has the checkpoint's root or does not; if it has, every tile that it
/// gives and every proof that it makes is the log's, and a tile that is not makes it throw.</summary>
public sealed class PublishedTiles(TileReader read) : IHashStore
{
    /// <summary>Opens a published log; null if tiles of its right edge are missing.</summary>
    /// <returns>Nothing of it is verified before its root is compared with a signed one.</returns>
    public static MerkleLog? Open(TileReader read, long size) => MerkleLog.Open(new PublishedTiles(read), leaves: null, size);

    public void Write(int level, long start, ReadOnlySpan<Hash256> hashes) => throw new NotSupportedException("the log is somebody else's");

    /// <summary>Reads what is a tile; a log asks for nothing else.</summary>
    public bool TryRead(int level, long start, Span<Hash256> hashes)
    {
        if (hashes.IsEmpty) return true;
        if (start % LogTile.WidthMax != 0) throw new ArgumentOutOfRangeException(nameof(start));
        var tile = new LogTile(level, start / LogTile.WidthMax, hashes.Length);
        if (read(tile) is not { } bytes || !HashTile.TryRead(bytes, tile.Width, out var found)) return false;
        found.CopyTo(hashes);
        return true;
    }
}
