using System.Security.Cryptography;

namespace Bitcache.Core.Audit;

/// <summary>The hashes of RFC 6962, section 2.1: SHA-256 with one byte in front that tells leaves from nodes.</summary>
public static class Rfc6962
{
    public const byte LeafPrefix = 0;
    public const byte NodePrefix = 1;

    /// <summary>The root of a tree without leaves: SHA-256 of nothing.</summary>
    public static Hash256 EmptyRoot { get; } = Hash256.Read(SHA256.HashData([]));

    /// <summary>SHA-256(00 || entry).</summary>
    public static Hash256 LeafHash(ReadOnlySpan<byte> entry)
    {
        Span<byte> stack = stackalloc byte[1024];
        var preimage = entry.Length < stack.Length ? stack[..(1 + entry.Length)] : new byte[1 + entry.Length];
        preimage[0] = LeafPrefix;
        entry.CopyTo(preimage[1..]);
        return Sha256.Of(preimage);
    }

    /// <summary>SHA-256(01 || left || right).</summary>
    public static Hash256 NodeHash(Hash256 left, Hash256 right)
    {
        Span<byte> preimage = stackalloc byte[1 + (2 * Hash256.Bytes)];
        preimage[0] = NodePrefix;
        left.Write(preimage[1..]);
        right.Write(preimage[(1 + Hash256.Bytes)..]);
        return Sha256.Of(preimage);
    }
}
