using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Bitcache.Core.Audit;

namespace Bitcache.Core.Bitcoin;

/// <summary>The 80 bytes that miners hash. The root is in the order in which it was hashed.</summary>
public sealed record BlockHeader(BlockHash Hash, BlockHash Previous, Hash256 MerkleRoot, UnixTime Time, uint Bits)
{
    public const int Bytes = 80;

    public static bool TryParse(ReadOnlySpan<char> hex, [NotNullWhen(true)] out BlockHeader? header)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        header = null;
        return hex.Length == 2 * Bytes && Convert.FromHexString(hex, bytes, out _, out _) == OperationStatus.Done && TryParse(bytes, out header);
    }

    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out BlockHeader? header)
    {
        header = null;
        if (bytes.Length != Bytes) return false;
        header = new BlockHeader(
            new BlockHash(Sha256.Twice(bytes)),
            new BlockHash(Hash256.Read(bytes[4..])),
            Hash256.Read(bytes[36..]),
            new UnixTime(1_000L * BinaryPrimitives.ReadUInt32LittleEndian(bytes[68..])),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[72..]));
        return true;
    }

    /// <summary>Whether the hash is at or below the target that the header itself states.</summary>
    public bool MeetsOwnTarget() => TryExpandTarget(Bits, out var target) && !IsAbove(Hash.Hash.Reversed(), target);

    /// <summary>Whether, besides, that target is one the network allows. This shows work, not that the block
    /// is in the best chain: only a node can tell that.</summary>
    public bool MeetsTarget(BitcoinNetwork network) =>
        MeetsOwnTarget() && TryExpandTarget(Bits, out var target)
        && TryExpandTarget(network.ProofOfWorkLimit(), out var limit) && !IsAbove(target, limit);

    /// <summary>The target that nBits stands for, as a big-endian number: a length in bytes, then the three leading
    /// bytes. Negative, zero and oversized targets are refused, as Bitcoin Core's CheckProofOfWork does.</summary>
    private static bool TryExpandTarget(uint bits, out Hash256 target)
    {
        target = default;
        var length = (int)(bits >> 24);
        var leading = bits & 0x007f_ffff;
        if ((bits & 0x0080_0000) != 0) return false;
        Span<byte> bytes = stackalloc byte[Hash256.Bytes];
        for (var i = 0; i < 3; i++)
        {
            var digit = (byte)(leading >> (8 * (2 - i)) & 0xff);
            var place = Hash256.Bytes - length + i;
            if (place is >= 0 and < Hash256.Bytes) bytes[place] = digit;
            else if (place < 0 && digit != 0) return false;
        }
        target = Hash256.Read(bytes);
        return target != default;
    }

    private static bool IsAbove(Hash256 a, Hash256 b) => a.High > b.High || (a.High == b.High && a.Low > b.Low);
}
