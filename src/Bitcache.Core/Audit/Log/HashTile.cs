namespace Bitcache.Core.Audit;

/// <summary>The bytes of a tile of hashes (C2SP tlog-tiles): one hash of 32 bytes after the other.</summary>
public static class HashTile
{
    public static byte[] Write(ReadOnlySpan<Hash256> hashes)
    {
        var bytes = new byte[hashes.Length * Hash256.Bytes];
        for (var i = 0; i < hashes.Length; i++) hashes[i].Write(bytes.AsSpan(i * Hash256.Bytes));
        return bytes;
    }

    /// <summary>Reads a tile; false if it does not hold exactly the hashes that its width says.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, int width, out Hash256[] hashes)
    {
        hashes = [];
        if (bytes.Length != width * Hash256.Bytes) return false;
        hashes = new Hash256[width];
        for (var i = 0; i < width; i++) hashes[i] = Hash256.Read(bytes[(i * Hash256.Bytes)..]);
        return true;
    }
}
