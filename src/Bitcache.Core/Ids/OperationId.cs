using System.Buffers;
using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>The id that a client makes for whatever it creates or moves: a UUID of version 7 (RFC 9562),
/// whose first 48 bits are its Unix time in milliseconds. One id, one effect.</summary>
public readonly record struct OperationId(UInt128 Value)
{
    public const int Bytes = 16;
    private const int TextLength = 36;
    private static readonly SearchValues<char> TextCharacters = SearchValues.Create("0123456789abcdefABCDEF-");

    /// <summary>Whether it is no id at all.</summary>
    public bool IsNone => Value == 0;

    /// <summary>Whether version and variant are those of a UUIDv7.</summary>
    public bool IsWellFormed => (int)(Value >> 76 & 0xf) == 7 && (int)(Value >> 62 & 3) == 2;

    public UnixTime Time => new((long)(ulong)(Value >> 80));

    public static OperationId Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt128BigEndian(bytes));
    public void Write(Span<byte> bytes) => BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);

    /// <summary>Makes an id from a time and 74 random bits (the upper bits of <paramref name="random"/> are ignored).</summary>
    public static OperationId Create(UnixTime time, UInt128 random)
    {
        var high = ((ulong)time.Milliseconds << 16) | (7UL << 12) | (ulong)(random >> 62 & 0xfff);
        var low = (2UL << 62) | (ulong)(random & ((UInt128.One << 62) - 1));
        return new OperationId(new UInt128(high, low));
    }

    /// <summary>Reads the hyphenated form of 36 characters, and refuses anything that is not a UUIDv7.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out OperationId id)
    {
        id = default;
        // The framework's reader is more lenient: it takes blanks around the text, and "0x" or "+" before its parts.
        if (text.Length != TextLength || text.ContainsAnyExcept(TextCharacters)) return false;
        if (!Guid.TryParseExact(text, "D", out var guid)) return false;
        Span<byte> bytes = stackalloc byte[Bytes];
        guid.TryWriteBytes(bytes, bigEndian: true, out _);
        id = Read(bytes);
        return id.IsWellFormed;
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Write(bytes);
        return new Guid(bytes, bigEndian: true).ToString("D");
    }
}
