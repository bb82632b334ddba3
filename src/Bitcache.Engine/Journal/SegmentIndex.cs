// Finds a record by its sequence without an index on disk: one entry in memory for about 64 KiB of a segment.

using System.Buffers;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>
/// A segment cut into chunks of about 64 KiB, each beginning at a frame or at a record inside one, with a checksum of
/// its bytes as they were written or verified. So a look-up costs one read, however large the frame, and is checked.
/// Owned by <see cref="FileJournal"/>, which serialises <see cref="Add"/> and <see cref="Locate"/>.
/// </summary>
internal sealed class SegmentIndex(string path, long firstSequence)
{
    private const int ChunkBytes = 64 << 10;

    /// <param name="Sequence">That of the first record in it or after it.</param>
    /// <param name="Offset">In the file.</param>
    /// <param name="PayloadLeft">Bytes of the frame's payload from here on; 0 if a frame's header stands here.</param>
    private readonly record struct Chunk(long Sequence, int Offset, int PayloadLeft);

    /// <summary>Where a sequence is to be found: a chunk's place and checksum at the time of asking.</summary>
    internal readonly record struct Place(string Path, long Sequence, int Offset, int Length, int PayloadLeft, uint Crc);

    private Chunk[] _chunks = new Chunk[16];
    private uint[] _crcs = new uint[16];
    private int _count;
    private int _end;

    internal long FirstSequence => firstSequence;

    /// <summary>Takes in a frame that is durable, at its place in the file.</summary>
    internal void Add(ReadOnlySpan<byte> frame, int offset, in FrameHeader header)
    {
        if (_count == 0 || offset - _chunks[_count - 1].Offset >= ChunkBytes) Begin(new Chunk(header.FirstSequence, offset, 0));
        var sequence = header.FirstSequence;
        var payloadEnd = FrameHeader.Bytes + header.PayloadBytes;
        var summed = 0;
        for (var at = FrameHeader.Bytes; at < payloadEnd;)
        {
            if (offset + at - _chunks[_count - 1].Offset >= ChunkBytes)
            {
                _crcs[_count - 1] = Crc32C.Append(_crcs[_count - 1], frame[summed..at]);
                summed = at;
                Begin(new Chunk(sequence, offset + at, payloadEnd - at));
            }
            if (!JournalRecord.TryReadHeader(frame[at..payloadEnd], out var length, out var covers))
                throw new InvalidOperationException("A frame that was verified does not hold records.");
            at += length;
            sequence += covers;
        }
        _crcs[_count - 1] = Crc32C.Append(_crcs[_count - 1], frame[summed..]);
        _end = offset + frame.Length;
    }

    private void Begin(Chunk chunk)
    {
        if (_count == _chunks.Length)
        {
            Array.Resize(ref _chunks, 2 * _count);
            Array.Resize(ref _crcs, 2 * _count);
        }
        _chunks[_count] = chunk;
        _crcs[_count++] = 0;
    }

    /// <summary>The chunk that holds a sequence, which is not before the segment's first.</summary>
    internal Place Locate(long sequence)
    {
        var (low, high) = (0, _count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (_chunks[middle].Sequence <= sequence) low = middle;
            else high = middle - 1;
        }
        var chunk = _chunks[low];
        var end = low + 1 < _count ? _chunks[low + 1].Offset : _end;
        return new Place(path, chunk.Sequence, chunk.Offset, end - chunk.Offset, chunk.PayloadLeft, _crcs[low]);
    }

    /// <summary>Reads a chunk, checks it, and walks to the record that covers the sequence.</summary>
    internal static byte[] ReadRecord(IFileSystem files, in Place place, long sequence)
    {
        var rented = ArrayPool<byte>.Shared.Rent(place.Length);
        try
        {
            var chunk = rented.AsSpan(0, place.Length);
            using var file = files.Open(place.Path);
            if (file.Read(place.Offset, chunk) != place.Length || Crc32C.Compute(chunk) != place.Crc)
                throw Damaged(place, "other bytes");
            return Find(chunk, place, sequence);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static byte[] Find(ReadOnlySpan<byte> chunk, in Place place, long sequence)
    {
        var (at, left, next) = (0, place.PayloadLeft, place.Sequence);
        while (at < chunk.Length)
        {
            if (left == 0)
            {
                if (!FrameHeader.TryRead(chunk[at..], out var header)) throw Damaged(place, "no frame header");
                (left, next) = (header.PayloadBytes, header.FirstSequence);
                at += FrameHeader.Bytes;
                continue;
            }
            if (!JournalRecord.TryReadHeader(chunk[at..], out var length, out var covers)) throw Damaged(place, "no record");
            if (sequence < next + covers) return chunk.Slice(at, length).ToArray();
            next += covers;
            at += length;
            left -= length;
            if (left == 0) at += -(place.Offset + at) & (FrameHeader.AlignmentBytes - 1);
        }
        throw Damaged(place, $"no record of sequence {sequence}");
    }

    private static JournalCorruptException Damaged(in Place place, string found) =>
        new(place.Path, place.Offset, $"the {place.Length} bytes from sequence {place.Sequence} that were verified before", found);
}
