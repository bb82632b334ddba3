using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>32 bytes of SHA-256, in the order in which they were hashed.</summary>
public readonly record struct Hash256(UInt128 High, UInt128 Low)
{
    public const int Bytes = 32;

    public static Hash256 Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt128BigEndian(bytes), BinaryPrimitives.ReadUInt128BigEndian(bytes[16..Bytes]));

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt128BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt128BigEndian(bytes[16..], Low);
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Bytes];
        Write(bytes);
        return bytes;
    }

    public static bool TryParse(ReadOnlySpan<char> hex, out Hash256 hash)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        hash = default;
        if (hex.Length != 2 * Bytes || Convert.FromHexString(hex, bytes, out _, out _) != System.Buffers.OperationStatus.Done) return false;
        hash = Read(bytes);
        return true;
    }

    /// <summary>The same bytes backwards: Bitcoin shows transaction and block hashes so.</summary>
    public Hash256 Reversed()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Write(bytes);
        bytes.Reverse();
        return Read(bytes);
    }

    public override string ToString() => Convert.ToHexStringLower(ToArray());
}

/// <summary>A Bitcoin transaction's id; as text in Bitcoin's reversed order.</summary>
public readonly record struct Txid(Hash256 Hash)
{
    public static bool TryParse(ReadOnlySpan<char> hex, out Txid txid)
    {
        var good = Hash256.TryParse(hex, out var hash);
        txid = new Txid(hash.Reversed());
        return good;
    }

    public override string ToString() => Hash.Reversed().ToString();
}

/// <summary>A Bitcoin block's hash; as text in Bitcoin's reversed order.</summary>
public readonly record struct BlockHash(Hash256 Hash)
{
    public static bool TryParse(ReadOnlySpan<char> hex, out BlockHash block)
    {
        var good = Hash256.TryParse(hex, out var hash);
        block = new BlockHash(hash.Reversed());
        return good;
    }

    public override string ToString() => Hash.Reversed().ToString();
}

/// <summary>One output of a transaction.</summary>
public readonly record struct OutPoint(Txid Txid, uint Index)
{
    public override string ToString() => $"{Txid}:{Index}";
}
