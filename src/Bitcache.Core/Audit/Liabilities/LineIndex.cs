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

    /// <summary>Where the part with a line begins, and how many lines there are before it.</summary>
    internal (long Offset, int Before) Find(long line) => (_parts[(int)(line / LinesOfPart)], (int)(line % LinesOfPart));
}
