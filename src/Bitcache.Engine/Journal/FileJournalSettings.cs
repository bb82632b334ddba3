using System.Globalization;
using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>How one partition's file journal is laid out.</summary>
public sealed record FileJournalSettings
{
    /// <summary>The partition's number; its files are under <c>journal/pNNNN</c>.</summary>
    public int Partition { get; init; }

    /// <summary>Bytes of a new segment file, taken from the disk when it is made. A segment bounds the largest batch.</summary>
    public int SegmentBytes { get; init; } = 64 << 20;

    /// <summary>Whether the next segment's file is made ahead of time, on a thread of its own.</summary>
    public bool PreparesSegments { get; init; }

    /// <summary>An existing folder on a slower disk that takes closed segments, in a folder of its own for each
    /// partition; null to leave all of them where they are.</summary>
    public string? ArchiveFolder { get; init; }

    /// <summary>How many closed segments, the newest, are not moved to the archive.</summary>
    public int ArchiveAfterSegments { get; init; } = 16;

    /// <summary>Bits of a key in an id filter; tests take fewer, so that keys collide.</summary>
    internal int IdKeyBits { get; init; } = 64;

    internal string FolderName => string.Create(CultureInfo.InvariantCulture, $"p{Partition:D4}");

    /// <summary>The largest reservation for so many batches, as far as a new segment has room for it.</summary>
    internal int PayloadBytesMax(int batches) =>
        Math.Min(2 * Limits.BatchBytesMax, SegmentBytes - SegmentHeader.Bytes - RoomFor(0, batches) - FrameHeader.AlignmentBytes);

    /// <summary>What batches take at most in a segment. To one belong the seal after it and the closing frame; where
    /// there are several, each may also have a seal before it, if it is long in coming.</summary>
    internal static int RoomFor(int payloadBytes, int batches) =>
        FrameHeader.FrameBytes(payloadBytes) + ((batches - 1) * (FrameHeader.Bytes + FrameHeader.AlignmentBytes)) + (2 * batches * FrameHeader.Bytes);

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Partition);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Partition, Limits.PartitionsMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(SegmentBytes, Limits.SegmentBytesMin);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(SegmentBytes, Limits.SegmentBytesMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(ArchiveAfterSegments, 1);
    }
}
