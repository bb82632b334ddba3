using System.Security.Cryptography;

namespace Bitcache.Core.Audit;

/// <summary>The one place through which proofs and transactions are hashed.</summary>
internal static class Sha256
{
    public static Hash256 Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[Hash256.Bytes];
        SHA256.HashData(bytes, hash);
        return Hash256.Read(hash);
    }

    /// <summary>SHA-256 twice, as Bitcoin hashes transactions and blocks.</summary>
    public static Hash256 Twice(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[Hash256.Bytes];
        SHA256.HashData(bytes, hash);
        return Of(hash);
    }
}
