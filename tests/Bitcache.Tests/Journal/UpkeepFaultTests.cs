using System.Collections.Concurrent;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Journal;

/// <summary>F5 and F18 for id filters and the archive: the machine stops, or a sync fails, at each operation.</summary>
[Trait("suite", "faults")]
public sealed class UpkeepFaultTests
{
    /// <summary>Workloads; each is run again for each of its operations.</summary>
    private static readonly int[] Workloads = [1, 2, 3, 4, 5, 6];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_stop_at_any_operation_loses_nothing(bool powerLoss)
    {
        foreach (var workload in Workloads)
        {
            var hits = new ConcurrentDictionary<string, int>();
            Seeds.Run((int)Clean(workload).Operations, operation => Stop(workload, operation, powerLoss, hits), $"of workload {workload}");
            if (Seeds.Only is null) Assert.All(["opening", "upkeep", "append"], what => Assert.True(hits.ContainsKey(what), what));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_failed_sync_loses_nothing(bool powerLoss)
    {
        foreach (var workload in Workloads)
        {
            Seeds.Run((int)Clean(workload).Syncs, sync =>
            {
                var simulation = new UpkeepSimulation(workload);
                simulation.Disk.FailSyncAt = sync;
                simulation.Run(powerLoss);
            }, $"of workload {workload}");
        }
    }

    /// <summary>The simulation is worth what it finds: each plausible mistake must make it fail.</summary>
    [Theory]
    [InlineData(nameof(UpkeepBug.CopyNotSynced))]
    [InlineData(nameof(UpkeepBug.ArchiveFolderNotSynced))]
    [InlineData(nameof(UpkeepBug.OriginalRemovedBeforeCopyIsSynced))]
    [InlineData(nameof(UpkeepBug.OriginalKept))]
    public void A_mistake_in_moving_is_found(string bug) => RequireFound((workload, operation) =>
    {
        var simulation = new UpkeepSimulation(workload, files => new BuggyUpkeepFiles(files, Enum.Parse<UpkeepBug>(bug)));
        simulation.Disk.HaltAt = operation;
        simulation.Run(powerLoss: true);
    });

    [Fact]
    public void A_filter_that_is_believed_without_the_record_is_found() => RequireFound((workload, _) =>
        new UpkeepSimulation(workload, find: TrustTheFilter).Run(powerLoss: false));

    [Fact]
    public void A_newest_segment_that_is_not_searched_is_found() => RequireFound((workload, _) =>
        new UpkeepSimulation(workload, find: SkipTheNewest).Run(powerLoss: false));

    /// <summary>A filter is derived: without any of its syncs it is made again, and tells nothing wrong.</summary>
    [Fact]
    public void A_filter_that_was_not_synced_harms_nothing()
    {
        Seeds.Run((int)Clean(1).Operations, operation =>
        {
            var simulation = new UpkeepSimulation(1, files => new BuggyUpkeepFiles(files, UpkeepBug.FilterNotSynced));
            simulation.Disk.HaltAt = operation;
            simulation.Run(powerLoss: true);
        });
    }

    /// <summary>F3: each bit of a filter, flipped while nothing runs or while its head is in memory.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_flipped_bit_of_a_filter_never_makes_a_wrong_answer(bool whileOpen)
    {
        const int ids = 205;
        var settings = new FileJournalSettings { SegmentBytes = 28 << 10 };
        var whole = IdJournal.NewDisk();
        using (var journal = IdJournal.Open(whole, settings))
        {
            IdJournal.Append(journal, ids);
            IdJournal.FillSegments(journal, 2);
            IdJournal.TakeTurns(journal);
        }
        var image = whole.Image();
        var path = Assert.Single(IdJournal.Names(whole, "/", IdFilter.Extension));
        Assert.InRange(8 * image[path]!.Length, 20_000, 100_000);
        Seeds.Run(8 * image[path]!.Length, seed =>
        {
            var bit = seed - 1;
            var flipped = (byte[])image[path]!.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            var disk = SimDisk.FromImage(image);
            if (!whileOpen) disk[path] = flipped;
            using var journal = IdJournal.Open(disk, settings);
            IdJournal.TakeTurns(journal);
            if (whileOpen) disk[path] = flipped;
            foreach (var number in new[] { 0, bit % ids, ids })
            {
                Assert.Equal(number, IdJournal.Find(journal, IdJournal.IdentityOf(number)));
                Assert.Null(IdJournal.Find(journal, IdJournal.IdentityOf(number) with { Owner = new WalletId(77) }));
            }
            IdJournal.TakeTurns(journal);
            // What is in memory already is looked at on the disk again by the next start only.
            var isInMemory = whileOpen && bit / 8 < IdFilter.HeaderBytes + IdFilter.TableEntryBytes;
            Assert.Equal(isInMemory ? flipped : image[path], disk[path]);
        });
    }

    private static void Stop(int workload, int operation, bool powerLoss, ConcurrentDictionary<string, int> hits)
    {
        var simulation = new UpkeepSimulation(workload);
        simulation.Disk.HaltAt = operation;
        simulation.Run(powerLoss);
        hits.AddOrUpdate(simulation.FirstHit, 1, (_, count) => count + 1);
    }

    private static void RequireFound(Action<int, int> run)
    {
        var operations = (int)Clean(1).Operations;
        Assert.NotNull(Seeds.FirstFailing(operations, operation => run(1, operation)));
    }

    /// <summary>A workload without a fault; how many operations it takes.</summary>
    private static SimDisk Clean(int workload)
    {
        var simulation = new UpkeepSimulation(workload);
        simulation.Run(powerLoss: true);
        return simulation.Disk;
    }

    private static long? TrustTheFilter(FileJournal journal, EntryId identity)
    {
        foreach (var segment in journal.Segments.ToArray().Reverse())
        {
            var candidates = new List<long>();
            if (segment.Filter is not { IsDamaged: false } filter || !filter.Spans(identity.Id.Time)) continue;
            using var file = segment.Open(journal.Files, IdFilter.Extension);
            if (filter.TryFind(file.Read, identity, candidates) && candidates.Count > 0) return candidates[0];
        }
        return journal.FindId(identity.Owner, identity.Id);
    }

    private static long? SkipTheNewest(FileJournal journal, EntryId identity) =>
        journal.FindId(identity.Owner, identity.Id) is { } found && found < journal.Segments.ToArray()[^1].FirstSequence ? found : null;
}

internal enum UpkeepBug
{
    CopyNotSynced,
    ArchiveFolderNotSynced,
    OriginalRemovedBeforeCopyIsSynced,
    OriginalKept,
    FilterNotSynced,
}

/// <summary>The mistakes, each as a file system that makes it for a sound upkeep.</summary>
internal sealed class BuggyUpkeepFiles(IFileSystem inner, UpkeepBug bug) : IFileSystem
{
    public bool FolderExists(string folder) => inner.FolderExists(folder);

    public void CreateFolder(string folder) => inner.CreateFolder(folder);

    public IReadOnlyList<string> List(string folder) => inner.List(folder);

    public IFile Create(string path) => new BuggyFile(inner, inner.Create(path), path, bug);

    public IFile Open(string path) => inner.Open(path);

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void Replace(string from, string to) => inner.Replace(from, to);

    public void Delete(string path)
    {
        var isOriginal = !path.StartsWith(UpkeepSimulation.Archive, StringComparison.Ordinal) && path.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal);
        if (bug != UpkeepBug.OriginalKept || !isOriginal) inner.Delete(path);
    }

    public void SyncFolder(string folder)
    {
        var skip = bug == UpkeepBug.ArchiveFolderNotSynced && folder.StartsWith(UpkeepSimulation.Archive + "/", StringComparison.Ordinal);
        if (!skip) inner.SyncFolder(folder);
    }

    public IDisposable? TryLock(string path) => inner.TryLock(path);

    private sealed class BuggyFile(IFileSystem files, IFile inner, string path, UpkeepBug bug) : IFile
    {
        private readonly bool _isCopy = path.StartsWith(UpkeepSimulation.Archive, StringComparison.Ordinal) && path.EndsWith(".segment.new", StringComparison.Ordinal);
        private readonly bool _isFilter = path.EndsWith(".ids.new", StringComparison.Ordinal);

        public long Length => inner.Length;

        public int Read(long offset, Span<byte> bytes) => inner.Read(offset, bytes);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => inner.Write(offset, bytes);

        public void SyncData()
        {
            if (_isCopy && bug == UpkeepBug.OriginalRemovedBeforeCopyIsSynced)
                files.Delete(Path.Combine("/data/journal/p0000", Path.GetFileNameWithoutExtension(path)));
            if ((_isCopy && bug == UpkeepBug.CopyNotSynced) || (_isFilter && bug == UpkeepBug.FilterNotSynced)) return;
            inner.SyncData();
        }

        public void Truncate(long length) => inner.Truncate(length);

        public void Preallocate(long length) => inner.Preallocate(length);

        public void Dispose() => inner.Dispose();
    }
}
