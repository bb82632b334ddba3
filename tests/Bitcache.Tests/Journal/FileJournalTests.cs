// What is a file journal's own: the real disk, its lock, its space. What every journal promises is in JournalContract.

using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

[Trait("suite", "core")]
public sealed class FileJournalTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bitcache-journal-").FullName;
    private readonly LinuxFileSystem _files = new();
    private static readonly FileJournalSettings Settings = new() { SegmentBytes = 1 << 20, Partition = 7 };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_data_folder_has_one_owner()
    {
        using (DataFolderLock.Take(_files, _folder))
        {
            var refusal = Assert.Throws<DataFolderInUseException>(() => DataFolderLock.Take(_files, _folder));
            Assert.Contains(_folder, refusal.Message, StringComparison.Ordinal);
        }
        using var again = DataFolderLock.Take(_files, _folder);
    }

    [Fact]
    public void An_archive_has_one_owner_with_its_data_folder()
    {
        var (one, other, archive) = (Folder("one"), Folder("other"), Folder("archive"));
        using (DataFolderLock.Take(_files, one, archive))
        {
            var refusal = Assert.Throws<DataFolderInUseException>(() => DataFolderLock.Take(_files, other, archive));
            Assert.Equal(archive, refusal.Folder);
        }
        using (DataFolderLock.Take(_files, other)) Assert.Throws<DataFolderInUseException>(() => DataFolderLock.Take(_files, other, archive));
        using var again = DataFolderLock.Take(_files, other, archive);

        string Folder(string name) => Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
    }

    [Fact]
    public void An_archive_that_is_not_mounted_is_refused_before_anything_is_made_in_its_place()
    {
        var (data, archive) = (Path.Combine(_folder, "data"), Path.Combine(_folder, "slow"));
        Directory.CreateDirectory(archive);
        var journal = Directory.CreateDirectory(Path.Combine(data, "journal", "p0000")).FullName;
        DataFolderLock.Take(_files, data, archive).Dispose();
        File.Delete(Path.Combine(archive, "lock"));
        // The first segment is in the archive.
        File.WriteAllText(Path.Combine(journal, SegmentHeader.FileName(20)), "");
        Assert.Contains("Mount", Assert.Throws<ArchiveMissingException>(() => DataFolderLock.Take(_files, data, archive)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(archive));
        DataFolderLock.Take(_files, data).Dispose();
        Directory.CreateDirectory(Path.Combine(archive, "p0000"));
        DataFolderLock.Take(_files, data, archive).Dispose();
    }

    [Fact]
    public void A_sync_that_the_kernel_refuses_is_an_error()
    {
        using var file = _files.Open("/dev/null");
        Assert.Contains("fdatasync", Assert.Throws<IOException>(file.SyncData).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hint_about_the_cache_does_not_fail_while_another_thread_removes_the_file()
    {
        var path = Path.Combine(_folder, "segment");
        _files.Uncache(path);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var begun = new ManualResetEventSlim();
        Exception? failure = null;
        var other = new Thread(() => failure = Record.Exception(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                File.WriteAllBytes(path, [1]);
                _files.Delete(path);
                begun.Set();
            }
        }));
        other.Start();
        begun.Wait(TestContext.Current.CancellationToken);
        for (var calls = 0; calls < 20_000; calls++) _files.Uncache(path);
        stop.Cancel();
        other.Join();
        Assert.Null(failure);
    }

    [Fact]
    public void Space_that_is_not_there_is_told_apart_from_other_failures()
    {
        // Memory file systems refuse what is larger than they are before they take any of it.
        const string memory = "/dev/shm";
        if (!Directory.Exists(memory) || new DriveInfo(memory).DriveFormat != "tmpfs") Assert.Skip("No tmpfs at /dev/shm.");
        var path = Path.Combine(memory, Path.GetFileName(_folder));
        using var file = _files.Create(path);
        try
        {
            Assert.Throws<NoSpaceException>(() => file.Preallocate(new DriveInfo(memory).TotalSize + (1L << 30)));
        }
        finally
        {
            _files.Delete(path);
        }
    }

    [Fact]
    public void Without_space_for_a_segment_nothing_is_harmed_and_work_goes_on_when_there_is_some()
    {
        var disk = SimDisk.FromImage(SampleJournal.Write(1, seal: false));
        using var journal = SampleJournal.Journal(disk);
        var next = (int)journal.DurableSequence + 1;
        disk.Full = true;
        while (journal.TryReserve(1_000)) SampleJournal.Append(journal, next++);

        Assert.False(journal.TryReserve(1_000));
        Assert.True(journal.TryReadRecord(next - 1, out _));
        journal.Seal();
        disk.Full = false;
        SampleJournal.Append(journal, next);

        Assert.Equal(next, journal.DurableSequence);
        Assert.DoesNotContain(disk.Image().Keys, path => path.EndsWith(".new", StringComparison.Ordinal));
    }

    /// <summary>The second batch may be full already when the disk turns out to be: it was promised its place.</summary>
    [Fact]
    public void Where_two_batches_were_reserved_both_find_room_with_their_seals_on_a_disk_that_fills()
    {
        const int BatchBytes = 1_001;
        var tight = 0;
        for (var filled = 1; filled < 600; filled++)
        {
            var disk = new SimDisk(1);
            disk.MakeDurableFolder(SampleJournal.DataFolder);
            using var journal = FileJournal.Open(disk, SampleJournal.DataFolder, new FileJournalSettings { SegmentBytes = 8 << 10 }, _ => { }, NullLogger.Instance);
            var next = 0;
            Append(600 + filled);
            disk.Full = true;
            if (!journal.TryReserve(2 * BatchBytes, batches: 2)) continue;
            journal.Seal();
            Append(BatchBytes);
            if (!journal.TryReserve(2 * BatchBytes, batches: 2))
            {
                tight++;
                Assert.True(journal.TryReserve(BatchBytes));
            }
            journal.Seal();
            Append(BatchBytes);
            journal.Seal();
            // The closing frame, which comes when there is room for another segment, has its place here, too.
            disk.Full = false;
            while (disk.Image().Keys.Count(path => path.EndsWith(".segment", StringComparison.Ordinal)) == 1) Append(BatchBytes);
            Assert.Equal(8 << 10, disk.Image().First(file => file.Key.EndsWith(".segment", StringComparison.Ordinal)).Value!.Length);

            void Append(int bytes)
            {
                Assert.True(journal.TryReserve(bytes));
                journal.Append(TestBatch.Record(bytes, 1, next), next++, 1);
            }
        }
        Assert.True(tight > 100, $"{tight} times there was room for these two and no more");
    }

    [Fact]
    public void A_seal_is_written_once_after_each_batch()
    {
        var disk = SimDisk.FromImage(SampleJournal.Write(1, seal: true));
        using var journal = SampleJournal.Journal(disk);
        var before = disk.Operations;
        journal.Seal();
        Assert.Equal(before, disk.Operations);

        SampleJournal.Append(journal, (int)journal.DurableSequence + 1);
        journal.Seal();
        before = disk.Operations;
        journal.Seal();
        Assert.Equal(before, disk.Operations);
    }

    [Fact]
    public void A_batch_that_no_segment_has_room_for_is_refused()
    {
        using var journal = Open();
        Assert.Throws<ArgumentOutOfRangeException>(() => journal.TryReserve(Settings.SegmentBytes));
    }

    private FileJournal Open() => FileJournal.Open(_files, _folder, Settings, _ => { }, NullLogger.Instance);
}
