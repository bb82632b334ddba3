using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;

namespace Bitcache.Simulation;

/// <summary>How large everything is in one episode: small, and different from seed to seed, so that every bound is met.</summary>
internal sealed record EpisodeSettings(PartitionBounds Bounds, FileJournalSettings Journal, SnapshotSettings Snapshots)
{
    public const string DataFolder = "/data";
    public const string ArchiveFolder = "/slow";

    /// <summary>Enough for the largest command that clients of a simulation send.</summary>
    private const int RecordBytes = 4 << 10;

    public static EpisodeSettings Draw(Random random)
    {
        var bounds = new PartitionBounds
        {
            RecordBytes = RecordBytes,
            BatchBytes = RecordBytes + (1 << 10) + random.Next(8 << 10),
            BatchEntries = 5 + random.Next(60),
            BatchExpiries = 1 + random.Next(3),
            QueueItems = 40 + random.Next(200),
            WindowIds = random.Next(3) == 0 ? 150 + random.Next(300) : 1 << 20,
        };
        return new EpisodeSettings(bounds, new FileJournalSettings
        {
            SegmentBytes = ((2 * bounds.BatchBytes) + (8 << 10) + random.Next(24 << 10)) & -8,
            ArchiveFolder = random.Next(2) == 0 ? ArchiveFolder : null,
            ArchiveAfterSegments = 1 + random.Next(3),
            // With few bits most look-ups find candidates that are others' records.
            IdKeyBits = random.Next(2) == 0 ? 64 : 6,
        }, new SnapshotSettings { Entries = 20 + random.Next(400), Kept = 1 + random.Next(3), BytesPerSecond = 0 });
    }
}
