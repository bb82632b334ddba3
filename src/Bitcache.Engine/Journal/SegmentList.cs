using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>The segments of one journal, oldest first, shared by its writer, its readers and its upkeep.</summary>
internal sealed class SegmentList(IFileSystem files, List<SegmentIndex> segments)
{
    private readonly Lock _lock = new();

    /// <summary>Takes a frame that is durable into the newest segment.</summary>
    internal void AddFrame(ReadOnlySpan<byte> frame, int offset, in FrameHeader header)
    {
        lock (_lock) segments[^1].Add(frame, offset, header);
    }

    internal void Begin(SegmentIndex segment)
    {
        lock (_lock) segments.Add(segment);
    }

    /// <summary>The segments as they are now; all but the newest are closed.</summary>
    internal SegmentIndex[] ToArray()
    {
        lock (_lock) return [.. segments];
    }

    /// <summary>The record that covers a durable sequence.</summary>
    internal byte[] ReadRecord(long sequence)
    {
        var (segment, place) = Locate(sequence);
        return segment.ReadRecord(files, place, sequence);
    }

    /// <summary>Reads one chunk, and gives its records from a durable sequence on to a reader. Returns the sequence to
    /// go on with.</summary>
    internal long ReadChunk(long first, long end, RecordReader reader)
    {
        var (segment, place) = Locate(first);
        return segment.ReadRecords(files, place, first, end, reader);
    }

    /// <summary>Gives the records of a run of durable sequences to a reader, each with its sequence.</summary>
    /// <param name="goOn">Asked after each chunk.</param>
    /// <returns>The sequence to go on with.</returns>
    internal long ReadIds(long first, long end, IdReader reader, Func<bool> goOn)
    {
        var next = first;
        while (next < end && goOn())
        {
            var sequence = next;
            next = ReadChunk(next, end, record =>
            {
                if (EntryId.TryRead(record, out var identity)) reader(identity, sequence);
                JournalRecord.TryReadHeader(record, out _, out var covers);
                sequence += covers;
            });
        }
        return next;
    }

    private (SegmentIndex Segment, SegmentIndex.Place Place) Locate(long sequence)
    {
        SegmentIndex segment;
        lock (_lock)
        {
            segment = Find(sequence);
            if (segment.IsRead) return (segment, segment.Locate(sequence));
        }
        // It is closed and takes no frame any more; the others go on meanwhile.
        segment.EnsureRead(files);
        return (segment, segment.Locate(sequence));
    }

    private SegmentIndex Find(long sequence)
    {
        var (low, high) = (0, segments.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (segments[middle].FirstSequence <= sequence) low = middle;
            else high = middle - 1;
        }
        return segments[low];
    }
}

/// <summary>Takes the identity of one record, with the record's sequence.</summary>
internal delegate void IdReader(in EntryId identity, long sequence);

/// <summary>Gives the ids of a run of sequences to a reader, for as long as it may go on; returns the sequence to go on with.</summary>
internal delegate long IdScan(long first, long end, IdReader reader, Func<bool> goOn);
