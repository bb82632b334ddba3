// Goal: whatever happens while a snapshot is written, the ledger that is recovered is the one that a replay from the
// first entry gives (P13), nothing acknowledged is lost, and a snapshot that a manifest names is good.
// Method: the same life of a ledger, stopped at each disk operation in turn (F18) or failing at each sync (F5).

using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Snapshots;

[Trait("suite", "faults")]
public sealed class SnapshotFaultTests
{
    private const int SeedsEach = 3;

    [Fact]
    public void Power_may_be_lost_at_any_operation()
    {
        var operations = WholeLife(1).Operations;
        Assert.True(operations > 100);
        Seeds.Run((int)operations * SeedsEach, seed => Check(seed, disk => disk.HaltAt = 1 + (seed / SeedsEach)));
    }

    [Fact]
    public void A_process_may_be_killed_at_any_operation()
    {
        var operations = WholeLife(1).Operations;
        Seeds.Run((int)operations, seed => Check(seed, disk => disk.HaltAt = seed, powerLoss: false));
    }

    [Fact]
    public void Any_sync_may_fail()
    {
        var syncs = WholeLife(1).Syncs;
        Assert.True(syncs > 30);
        Seeds.Run((int)syncs * SeedsEach, seed => Check(seed, disk => disk.FailSyncAt = 1 + (seed / SeedsEach), powerLoss: seed % 2 == 0));
    }

    [Theory]
    [InlineData(nameof(SnapshotBug.FileNotSynced))]
    [InlineData(nameof(SnapshotBug.FolderNotSynced))]
    [InlineData(nameof(SnapshotBug.OldOnesRemovedBeforeTheManifest))]
    public void A_planted_bug_is_found(string bug)
    {
        var plant = Enum.Parse<SnapshotBug>(bug);
        var operations = (int)WholeLife(1).Operations;
        Assert.NotNull(Seeds.FirstFailing(operations * SeedsEach, seed => Check(seed, disk => disk.HaltAt = 1 + (seed / SeedsEach), plant: files => new BuggySnapshotFiles(files, plant))));
    }

    [Fact]
    public void A_full_disk_costs_the_snapshot_and_nothing_else()
    {
        var disk = SnapshotBooks.NewDisk(1);
        var log = new EventLog();
        var book = SnapshotBooks.Open(disk, log);
        SnapshotBooks.Live(book, 6, _ => { });
        // The journal has its segment; there is no room for another file.
        disk.Full = true;
        SnapshotBooks.Live(book, 12, _ => { });
        Assert.Contains(EventLog.SnapshotNotTaken, log.Events);
        Assert.Equal(0, book.Snapshots.Taken);
        disk.Full = false;
        SnapshotBooks.Live(book, SnapshotBooks.All, _ => { });
        Assert.True(book.Snapshots.Taken > 1);
        SnapshotBooks.Close(book);
        disk.PowerLoss();
        Check(disk, disk, acknowledged: SnapshotBooks.Entries);
    }

    [Fact]
    public void The_disk_may_fill_at_any_operation()
    {
        var operations = WholeLife(1).Operations;
        var notTaken = 0;
        for (var at = 1L; at <= operations; at++)
        {
            var disk = SnapshotBooks.NewDisk((int)at);
            var log = new EventLog();
            // The first start makes the folders and the segment. From the moment on until the next snapshot there is no room.
            var book = SnapshotBooks.Open(disk, log);
            var files = new HookedFiles(disk);
            var folder = new Engine.Snapshots.SnapshotFolder(files, SnapshotBooks.DataFolder, 0, log);
            SnapshotBooks.Live(book, 6, _ => { });
            var begun = disk.Operations;
            files.Changed = () => disk.Full = disk.Operations - begun >= at;
            try
            {
                folder.Save(book.Ledger.Capture(), book.Journal.ChainHash, 2, _ => files.Changed());
                Assert.Contains(folder.Named, s => s.NextSequence == book.Ledger.NextSequence);
            }
            catch (NoSpaceException)
            {
                notTaken++;
                Assert.Empty(folder.Named);
                Assert.Empty(disk.List(SnapshotBooks.Folder.TrimEnd('/')));
            }
            SnapshotBooks.Close(book);
            if (disk.Operations - begun < at) break;
        }
        Assert.True(notTaken > 5, $"{notTaken} snapshots were not taken");
    }

    private static SimDisk WholeLife(int seed)
    {
        var disk = SnapshotBooks.NewDisk(seed);
        var book = SnapshotBooks.Open(disk, new EventLog());
        SnapshotBooks.Live(book, SnapshotBooks.All, _ => { });
        SnapshotBooks.Close(book);
        return disk;
    }

    private static void Check(int seed, Action<SimDisk> plan, bool powerLoss = true, Func<IFileSystem, IFileSystem>? plant = null)
    {
        var disk = SnapshotBooks.NewDisk(seed);
        var files = plant?.Invoke(disk) ?? disk;
        var acknowledged = 0L;
        plan(disk);
        try
        {
            var book = SnapshotBooks.Open(files, new EventLog());
            SnapshotBooks.Live(book, SnapshotBooks.All, through => acknowledged = through);
        }
        catch (Exception e) when (e is MachineStoppedException or (IOException and not JournalCorruptException))
        {
            // The process ends: nothing is tried again.
        }
        if (powerLoss) disk.PowerLoss();
        else disk.Restart();
        Check(disk, files, acknowledged);
    }

    private static void Check(SimDisk disk, IFileSystem files, long acknowledged)
    {
        // Twice, for what the first start repairs and removes; the second time the ledger has gone on.
        for (var start = 0; start < 2; start++)
        {
            var log = new EventLog();
            var book = SnapshotBooks.Open(files, log);
            SnapshotBooks.Require(book.Ledger.NextSequence >= acknowledged, "P1: an acknowledged entry is missing.");
            SnapshotBooks.Require(!log.Events.Contains(EventLog.SnapshotPassedOver), "A snapshot that the manifest names is not good.");
            SnapshotBooks.Require(!log.Events.Contains(EventLog.ManifestRefused), "The manifest is half written.");
            SnapshotBooks.RequireState(book.Ledger);
            SnapshotBooks.RequireRecords(book.Journal);
            SnapshotBooks.Live(book, SnapshotBooks.All, through => acknowledged = through);
            SnapshotBooks.RequireState(book.Ledger);
            SnapshotBooks.Close(book);
            disk.PowerLoss();
        }
    }
}

internal enum SnapshotBug
{
    FileNotSynced,
    FolderNotSynced,
    OldOnesRemovedBeforeTheManifest,
}

/// <summary>The mistakes, each as a file system that makes it for sound snapshots.</summary>
internal sealed class BuggySnapshotFiles(IFileSystem inner, SnapshotBug bug) : IFileSystem
{
    public bool FolderExists(string folder) => inner.FolderExists(folder);

    public void CreateFolder(string folder) => inner.CreateFolder(folder);

    public IReadOnlyList<string> List(string folder) => inner.List(folder);

    public IFile Create(string path)
    {
        if (bug == SnapshotBug.OldOnesRemovedBeforeTheManifest && path.EndsWith("manifest.new", StringComparison.Ordinal))
        {
            var all = inner.List(Path.GetDirectoryName(path)!).Where(n => n.EndsWith(".snapshot", StringComparison.Ordinal)).Order().ToArray();
            foreach (var old in all[..^1]) inner.Delete(SnapshotBooks.Folder + old);
        }
        var file = inner.Create(path);
        return bug == SnapshotBug.FileNotSynced && path.EndsWith(".snapshot.new", StringComparison.Ordinal) ? new UnsyncedFile(file) : file;
    }

    public IFile Open(string path) => inner.Open(path);

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void Replace(string from, string to) => inner.Replace(from, to);

    public void Delete(string path) => inner.Delete(path);

    public void SyncFolder(string folder)
    {
        if (bug != SnapshotBug.FolderNotSynced || folder + "/" != SnapshotBooks.Folder) inner.SyncFolder(folder);
    }

    public IDisposable? TryLock(string path) => inner.TryLock(path);

    private sealed class UnsyncedFile(IFile inner) : IFile
    {
        public long Length => inner.Length;

        public int Read(long offset, Span<byte> bytes) => inner.Read(offset, bytes);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => inner.Write(offset, bytes);

        public void SyncData()
        {
        }

        public void Truncate(long length) => inner.Truncate(length);

        public void Preallocate(long length) => inner.Preallocate(length);

        public void Dispose() => inner.Dispose();
    }
}
