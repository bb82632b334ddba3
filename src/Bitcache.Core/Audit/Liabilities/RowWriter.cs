using System.Buffers.Text;
using System.Text;

namespace Bitcache.Core.Audit;

/// <summary>Takes the bytes of a file as they are written, one piece after the other.</summary>
public delegate void ByteSink(ReadOnlySpan<byte> bytes);

/// <summary>Lines of text, handed on in large pieces.</summary>
internal sealed class RowWriter(ByteSink sink)
{
    private const int BufferBytes = 1 << 16;
    /// <summary>What is written at once is shorter.</summary>
    private const int PartBytesMax = 256;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _length;

    public void Hex(in Hash256 hash)
    {
        Span<byte> bytes = stackalloc byte[Hash256.Bytes];
        hash.Write(bytes);
        Convert.TryToHexStringLower(bytes, Room(), out var written);
        _length += written;
    }

    public void Number(long number)
    {
        Utf8Formatter.TryFormat(number, Room(), out var written);
        _length += written;
    }

    public void Number(ulong number)
    {
        Utf8Formatter.TryFormat(number, Room(), out var written);
        _length += written;
    }

    public void Character(char ascii)
    {
        Room()[0] = (byte)ascii;
        _length++;
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room());
        _length += bytes.Length;
    }

    public void Text(string text)
    {
        var written = Encoding.UTF8.GetBytes(text, Room());
        _length += written;
    }

    public void Finish()
    {
        sink(_buffer.AsSpan(0, _length));
        _length = 0;
    }

    private Span<byte> Room()
    {
        if (_length > BufferBytes - PartBytesMax) Finish();
        return _buffer.AsSpan(_length);
    }
}
