// HMAC-SHA256 (RFC 2104) with keys of 32 bytes, and its parts.

namespace Bitcache.Core.Audit;

internal static class Hmac256
{
    /// <summary>A key fills one block of SHA-256.</summary>
    public const int BlockBytes = 64;
    public const int OuterBytes = BlockBytes + Hash256.Bytes;

    private const byte InnerPad = 0x36;
    private const byte OuterPad = 0x5c;

    public static Hash256 Of(Hash256 key, ReadOnlySpan<byte> message)
    {
        Span<byte> inner = stackalloc byte[BlockBytes + message.Length];
        WriteInnerKey(key, inner);
        message.CopyTo(inner[BlockBytes..]);
        Span<byte> outer = stackalloc byte[OuterBytes];
        WriteOuter(key, Sha256.Of(inner), outer);
        return Sha256.Of(outer);
    }

    /// <summary>The block before the message.</summary>
    public static void WriteInnerKey(Hash256 key, Span<byte> block) => WriteKey(key, InnerPad, block);

    /// <summary>The block before the inner hash.</summary>
    public static void WriteOuterKey(Hash256 key, Span<byte> block) => WriteKey(key, OuterPad, block);

    /// <summary>The block before the inner hash, and that: what the code is the hash of.</summary>
    public static void WriteOuter(Hash256 key, Hash256 inner, Span<byte> bytes)
    {
        WriteOuterKey(key, bytes);
        inner.Write(bytes[BlockBytes..]);
    }

    /// <summary>Takes the key out of what <see cref="WriteOuter"/> wrote; false if no key of 32 bytes was.</summary>
    public static bool TryReadOuter(ReadOnlySpan<byte> bytes, out Hash256 key, out Hash256 inner)
    {
        (key, inner) = (default, default);
        if (bytes.Length != OuterBytes || bytes[Hash256.Bytes..BlockBytes].ContainsAnyExcept(OuterPad)) return false;
        var pad = UInt128.MaxValue / byte.MaxValue * OuterPad;
        var padded = Hash256.Read(bytes);
        (key, inner) = (new Hash256(padded.High ^ pad, padded.Low ^ pad), Hash256.Read(bytes[BlockBytes..]));
        return true;
    }

    private static void WriteKey(Hash256 key, byte pad, Span<byte> block)
    {
        var repeated = UInt128.MaxValue / byte.MaxValue * pad;
        new Hash256(key.High ^ repeated, key.Low ^ repeated).Write(block);
        block[Hash256.Bytes..BlockBytes].Fill(pad);
    }
}
