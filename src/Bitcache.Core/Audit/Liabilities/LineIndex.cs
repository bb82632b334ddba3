using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Audit;

/// <summary>Where the lines of a file begin, of one in each <see cref="LinesOfPart"/>: 32 KiB for a million lines. Made from the
/// bytes as they are written, or read again.</summary>
public sealed class LineIndex
{
    public const int LinesOfPart = 1 << 8;

    private readonly List<long> _parts = [0];
    private long _bytes;

    /// <summary>Lines that have ended.</summary>
    public long Lines { get; private set; }

    /// <summary>Takes what follows in the file.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        while (bytes.IndexOf((byte)'\n') is var length and >= 0)
        {
            _bytes += length + 1;
            if (++Lines % LinesOfPart == 0) _parts.Add(_bytes);
            bytes = bytes[(length + 1)..];
        }
        _bytes += bytes.Length;
    }

    /// <summary>What <see cref="TryRead"/> makes the same of: u64be each, lines that have ended, bytes, and where each part begins.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[(2 + _parts.Count) * sizeof(long)];
        var writer = new ByteWriter(bytes);
        writer.I64(Lines);
        writer.I64(_bytes);
        foreach (var part in _parts) writer.I64(part);
        return bytes;
    }

    /// <summary>Reads what <see cref="ToArray"/> gave.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out LineIndex? index)
    {
        index = null;
        if (bytes.Length % sizeof(long) != 0 || bytes.Length < 3 * sizeof(long)) return false;
        var reader = new ByteReader(bytes);
        var read = new LineIndex { Lines = reader.I64(), _bytes = reader.I64() };
        if (read.Lines < 0 || (bytes.Length / sizeof(long)) - 2 != 1 + (read.Lines / LinesOfPart) || reader.I64() != 0) return false;
        while (reader.Left > 0)
        {
            var part = reader.I64();
            if (part <= read._parts[^1] || part > read._bytes) return false;
            read._parts.Add(part);
        }
        index = read;
        return true;
    }

    /// <summary>Where the part with a line begins, and how many lines there are before it.</summary>
    internal (long Offset, int Before) Find(long line) => (_parts[(int)(line / LinesOfPart)], (int)(line % LinesOfPart));
}
