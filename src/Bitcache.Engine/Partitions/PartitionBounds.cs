using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>How much a partition takes at a time and in all. Production has the bounds of <see cref="Limits"/>; a
/// simulation has small ones, so that each is met often.</summary>
public sealed record PartitionBounds
{
    /// <summary>Bytes of a batch; the journal must have room for two.</summary>
    public int BatchBytes { get; init; } = Limits.BatchBytesMax;

    /// <summary>Entries of a batch.</summary>
    public int BatchEntries { get; init; } = Limits.BatchEntriesMax;

    /// <summary>Holds that expire in one batch: each is an entry, and many at once are spread over batches, so that payments
    /// go on between them.</summary>
    public int BatchExpiries { get; init; } = 256;

    /// <summary>The largest record: a batch that has no room for one is full.</summary>
    public int RecordBytes { get; init; } = Limits.RecordBytesMax;

    /// <summary>Commands and questions that may wait.</summary>
    public int QueueItems { get; init; } = Limits.QueueItemsMax;

    /// <summary>Client ids that are remembered before the floor rises early.</summary>
    public int WindowIds { get; init; } = Limits.WindowIdsMax;

    /// <summary>How many of them may be ahead of time: more are refused.</summary>
    public int AheadIds => WindowIds / (Limits.WindowIdsMax / Limits.AheadIdsMax);

    /// <summary>Memory that they may take before it rises early.</summary>
    public long WindowBytes { get; init; } = Limits.WindowBytesMax;

    /// <summary>Over how many slices of the window those ahead may be spread.</summary>
    public int AheadSlices => (int)(WindowBytes / (Limits.WindowBytesMax / Limits.AheadSlicesMax));
}
