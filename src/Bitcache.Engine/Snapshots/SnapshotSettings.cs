using Bitcache.Core;

namespace Bitcache.Engine.Snapshots;

/// <summary>When a partition's snapshots are taken, and how many are kept.</summary>
public sealed record SnapshotSettings
{
    /// <summary>A snapshot is taken when so many entries were written since the last one, …</summary>
    public long Entries { get; init; } = 20_000_000;

    /// <summary>… or so many bytes of them.</summary>
    public long JournalBytes { get; init; } = 4L << 30;

    /// <summary>The newest so many are kept: should one be damaged, the one before it is used.</summary>
    public int Kept { get; init; } = 2;

    /// <summary>How fast one is written and read back, so that payments keep disk and processor; 0 for as fast as it can be.</summary>
    public long BytesPerSecond { get; init; } = 64L << 20;

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Entries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(JournalBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Kept, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Kept, Limits.SnapshotsKeptMax);
        ArgumentOutOfRangeException.ThrowIfNegative(BytesPerSecond);
    }
}
