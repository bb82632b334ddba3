using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>The bytes of a segment, read as far as somebody has asked for them and in pieces: whoever verifies a frame finds
/// it in the processor's cache, where the read has just put it, and not in memory. Owned by one thread.</summary>
/// <param name="file">Open for as long as something is asked.</param>
/// <param name="buffer">Room for the whole file.</param>
internal sealed class SegmentReader(IFile file, byte[] buffer, int length)
{
    private const int PieceBytes = 256 << 10;
    private int _read;

    /// <summary>Of the file, or less where reading has come to its end before.</summary>
    public int Length { get; private set; } = length;

    /// <summary>All bytes.</summary>
    public ReadOnlySpan<byte> All => From(0, Length);

    /// <summary>The bytes from a place on: so many, or as many as there are.</summary>
    public ReadOnlySpan<byte> From(int at, int count)
    {
        var end = (int)Math.Min((long)at + count, Length);
        while (_read < end)
        {
            var piece = buffer.AsSpan(_read, Math.Min(Length - _read, Math.Max(PieceBytes, end - _read)));
            var got = file.Read(_read, piece);
            _read += got;
            if (got < piece.Length) end = Math.Min(end, Length = _read);
        }
        return at >= end ? [] : buffer.AsSpan(at, end - at);
    }
}
