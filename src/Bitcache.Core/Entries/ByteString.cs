using System.Text;

namespace Bitcache.Core;

/// <summary>Immutable bytes that compare by content: scripts, references, raw transactions.</summary>
public readonly struct ByteString : IEquatable<ByteString>
{
    private readonly byte[]? _bytes;

    public ByteString(ReadOnlySpan<byte> bytes) => _bytes = bytes.ToArray();

    public static ByteString Empty => default;
    public int Length => _bytes?.Length ?? 0;
    public ReadOnlySpan<byte> Span => _bytes;

    public static ByteString FromUtf8(string text) => new(Encoding.UTF8.GetBytes(text));
    public string ToUtf8() => Encoding.UTF8.GetString(Span);
    public static ByteString FromHex(string hex) => new(Convert.FromHexString(hex));
    public override string ToString() => Convert.ToHexStringLower(Span);

    public bool Equals(ByteString other) => Span.SequenceEqual(other.Span);
    public override bool Equals(object? obj) => obj is ByteString other && Equals(other);
    public static bool operator ==(ByteString a, ByteString b) => a.Equals(b);
    public static bool operator !=(ByteString a, ByteString b) => !a.Equals(b);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Span);
        return hash.ToHashCode();
    }
}
