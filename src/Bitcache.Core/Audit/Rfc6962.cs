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

    /// <summary>The nodes over pairs of neighbours.</summary>
    /// <param name="children">Two for each node.</param>
    /// <param name="lanes">To hash several at once; null to hash one after the other.</param>
    internal static void NodeHashes(ReadOnlySpan<Hash256> children, Span<Hash256> nodes, Sha256Lanes? lanes)
    {
        if (lanes is null || nodes.Length < Sha256Lanes.MessagesMin)
        {
            for (var i = 0; i < nodes.Length; i++) nodes[i] = NodeHash(children[2 * i], children[(2 * i) + 1]);
            return;
        }
        Span<byte> pair = stackalloc byte[2 * Hash256.Bytes];
        for (var first = 0; first < nodes.Length; first += Sha256Lanes.Count)
        {
            var some = nodes[first..Math.Min(first + Sha256Lanes.Count, nodes.Length)];
            for (var i = first; i < first + some.Length; i++)
            {
                children[2 * i].Write(pair);
                children[(2 * i) + 1].Write(pair[Hash256.Bytes..]);
                lanes.Add(NodePrefix, pair);
            }
            lanes.Finish(some);
        }
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
