// Finds a record by its sequence without an index on disk: one entry in memory for about 64 KiB of a segment.

using System.Buffers;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>
/// A segment cut into chunks of about 64 KiB, each beginning at a frame or at a record inside one, with a checksum of
/// its bytes as they were written or verified. So a look-up costs one read, however large the frame, and is checked.
/// Owned by <see cref="SegmentList"/>, which serialises <see cref="Add"/> and <see cref="Locate"/>; a closed one changes
/// only its folder and its filter.
/// </summary>
internal sealed class SegmentIndex : RecordRun
{
    internal const int ChunkBytes = 64 << 10;
    private const int ChunksMin = 16;

    /// <param name="Sequence">That of the first record in it or after it.</param>
    /// <param name="Offset">In the file.</param>
    /// <param name="PayloadLeft">Bytes of the frame's payload from here on; 0 if a frame's header stands here.</param>
    private readonly record struct Chunk(long Sequence, int Offset, int PayloadLeft);

    /// <summary>Where a sequence is to be found: a chunk's place and checksum at the time of asking.</summary>
    /// <param name="Name">Of the file, or whatever else it stands in, for messages.</param>
    internal readonly record struct Place(string Name, long Sequence, int Offset, int Length, int PayloadLeft, uint Crc);

    private Chunk[] _chunks;
    private uint[] _crcs;
    private int _count;
    private int _end;
    private long _nextSequence;
    private volatile string _path;
    private readonly Lock _reading = new();
    private volatile bool _isRead = true;

    /// <param name="expectedBytes">Of the whole segment: what is known of it is not moved until it has more.</param>
    internal SegmentIndex(string path, long firstSequence, int expectedBytes = 0) : base(firstSequence)
    {
        (_path, _nextSequence) = (path, firstSequence);
        var chunks = Math.Max(ChunksMin, expectedBytes / ChunkBytes);
        (_chunks, _crcs) = (new Chunk[chunks], new uint[chunks]);
    }

    /// <summary>A closed segment that is known by its ends alone: it is read when somebody asks for what is in it.</summary>
    internal static SegmentIndex Unread(string path, long firstSequence, in FrameHeader closing, int closingOffset) => new(path, firstSequence)
    {
        _isRead = false,
        _end = closingOffset + FrameHeader.Bytes,
        _nextSequence = closing.FirstSequence,
        ClosingHash = closing.ChainHash,
    };

    internal override long NextSequence => _nextSequence;

    /// <summary>Whether it is known where its records stand.</summary>
    internal bool IsRead => _isRead;

    /// <summary>Of a closed one: the chain hash of its closing frame, which names all its bytes.</summary>
    internal Hash256 ClosingHash { get; private set; }

    /// <summary>Bytes in use, from the beginning of the file.</summary>
    internal int Bytes => _end;

    /// <summary>Of a closed one: what its id filter is made of.</summary>
    internal IdRun Run => new(FirstSequence, NextSequence, _end, ClosingHash);

    /// <summary>Where it is now. Whoever moves it leaves the old file until this says the new place.</summary>
    internal string Path { get => _path; set => _path = value; }

    /// <summary>Opens the segment, or the file of that extension beside it, wherever it is by now.</summary>
    internal IFile Open(IFileSystem files, string extension = SegmentHeader.Extension)
    {
        while (true)
        {
            var path = _path;
            try
            {
                return files.Open(System.IO.Path.ChangeExtension(path, extension));
            }
            catch (IOException) when (path != _path)
            {
                // It was moved to the archive meanwhile.
            }
        }
    }

    /// <summary>Reads and verifies it, if that was not done yet.</summary>
    /// <exception cref="JournalCorruptException">It is damaged.</exception>
    internal void EnsureRead(IFileSystem files)
    {
        lock (_reading)
        {
            if (_isRead) return;
            var read = new SegmentIndex(_path, FirstSequence);
            using var file = Open(files);
            if (SegmentCheck.FirstDamage(file, this, read.Add) is { } at)
                throw new JournalCorruptException(_path, at, "what its closing frame vouches for", "other bytes");
            (_chunks, _crcs, _count) = (read._chunks, read._crcs, read._count);
            _isRead = true;
        }
    }

    /// <summary>Takes in a frame that is durable, at its place in the file, and holds records.</summary>
    internal void Add(ReadOnlySpan<byte> frame, int offset, in FrameHeader header)
    {
        if (!TryAdd(frame, offset, header)) throw new InvalidOperationException("A frame that was verified does not hold records.");
    }

    /// <summary>The same of a frame of which nobody has seen yet whether its payload is nothing but records, which together cover
    /// its sequences. False if not: then this index is of no use any more.</summary>
    internal bool TryAdd(ReadOnlySpan<byte> frame, int offset, in FrameHeader header)
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
            if (!JournalRecord.TryReadHeader(frame[at..payloadEnd], out var length, out var covers)) return false;
            at += length;
            sequence += covers;
        }
        if (sequence != header.FirstSequence + header.Sequences) return false;
        _crcs[_count - 1] = Crc32C.Append(_crcs[_count - 1], frame[summed..]);
        _end = offset + frame.Length;
        _nextSequence = sequence;
        if (header.IsClosing) ClosingHash = header.ChainHash;
        return true;
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

    /// <summary>Where its chunks begin, and what their bytes sum up to.</summary>
    internal void CopyChunks(out long[] sequences, out int[] offsets, out int[] crcs)
    {
        (sequences, offsets, crcs) = (new long[_count], new int[_count], new int[_count]);
        for (var i = 0; i < _count; i++) (sequences[i], offsets[i], crcs[i]) = (_chunks[i].Sequence, _chunks[i].Offset, unchecked((int)_crcs[i]));
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
        return new Place(_path, chunk.Sequence, chunk.Offset, end - chunk.Offset, chunk.PayloadLeft, _crcs[low]);
    }

    /// <summary>Reads a chunk, checks it, and walks to the record that covers the sequence.</summary>
    internal byte[] ReadRecord(IFileSystem files, in Place place, long sequence)
    {
        byte[]? found = null;
        ReadRecords(files, place, sequence, sequence + 1, record => found = record.ToArray());
        return found!;
    }

    /// <summary>Reads a chunk, checks it, and gives the reader its records from a sequence on, up to the end of the
    /// chunk or the sequence <paramref name="end"/>. Returns the sequence to go on with.</summary>
    internal long ReadRecords(IFileSystem files, in Place place, long first, long end, RecordReader reader)
    {
        var rented = ArrayPool<byte>.Shared.Rent(place.Length);
        try
        {
            var chunk = rented.AsSpan(0, place.Length);
            using var file = Open(files);
            return ReadRecords(chunk[..file.Read(place.Offset, chunk)], place, first, end, reader);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>The same with a chunk that was read already.</summary>
    internal static long ReadRecords(ReadOnlySpan<byte> chunk, in Place place, long first, long end, RecordReader reader) =>
        chunk.Length == place.Length && Crc32C.Compute(chunk) == place.Crc ? Walk(chunk, place, first, end, reader) : throw Damaged(place, "other bytes");

    private static long Walk(ReadOnlySpan<byte> chunk, in Place place, long first, long end, RecordReader reader)
    {
        var (at, left, next) = (0, place.PayloadLeft, place.Sequence);
        while (at < chunk.Length && next < end)
        {
            if (left == 0)
            {
                if (!FrameHeader.TryRead(chunk[at..], out var header)) throw Damaged(place, "no frame header");
                (left, next) = (header.PayloadBytes, header.FirstSequence);
                at += FrameHeader.Bytes;
                continue;
            }
            if (!JournalRecord.TryReadHeader(chunk[at..], out var length, out var covers)) throw Damaged(place, "no record");
            if (first < next + covers) reader(chunk.Slice(at, length));
            next += covers;
            at += length;
            left -= length;
            if (left == 0) at += -(place.Offset + at) & (FrameHeader.AlignmentBytes - 1);
        }
        return next > first ? next : throw Damaged(place, $"no record of sequence {first}");
    }

    private static JournalCorruptException Damaged(in Place place, string found) =>
        new(place.Name, place.Offset, $"the {place.Length} bytes from sequence {place.Sequence} that were verified before", found);
}
