// Old segments on another disk: still read by everything, and safe on the way there.

using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

[Trait("suite", "core")]
public sealed class ArchiveTests
{
    [Fact]
    public void A_filter_that_somebody_took_away_is_made_again_and_the_segment_moved()
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk, IdJournal.WithArchive);
        IdJournal.FillSegments(journal, 2);
        IdJournal.TakeTurns(journal);
        disk.Delete(Assert.Single(IdJournal.Names(disk, IdJournal.InPlace, ".ids")));
        IdJournal.FillSegments(journal, 4);
        IdJournal.TakeTurns(journal);

        Assert.Equal(2, IdJournal.Names(disk, IdJournal.Archived, ".segment").Length);
        Assert.Equal(2, IdJournal.Names(disk, IdJournal.Archived, ".ids").Length);
        IdJournal.RequireAll(journal);
    }

    /// <summary>A sync that succeeds after one that failed says nothing: an original would be removed on the word of it.</summary>
    [Fact]
    public void After_a_failed_sync_of_the_archive_for_a_filter_nothing_is_moved()
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk, IdJournal.WithArchive);
        IdJournal.FillSegments(journal, 3);
        IdJournal.TakeTurns(journal);
        var archived = Assert.Single(IdJournal.Names(disk, IdJournal.Archived, ".segment"));
        journal.Segments.ToArray()[0].Filter!.IsDamaged = true;
        // The first is that of the filter's own bytes.
        disk.FailSyncAt = disk.Syncs + 2;
        Assert.False(journal.Upkeep.TakeTurn());
        Assert.True(disk.FolderSyncFailed);
        IdJournal.FillSegments(journal, 6);
        IdJournal.TakeTurns(journal);

        Assert.Equal([archived], IdJournal.Names(disk, IdJournal.Archived, ".segment"));
        IdJournal.RequireAll(journal);
    }

    [Fact]
    public void Old_segments_move_with_their_filters_and_are_still_read()
    {
        var disk = Filled(5);
        Assert.Equal(3, IdJournal.Names(disk, IdJournal.Archived, SegmentHeader.Extension).Length);
        Assert.Equal(3, IdJournal.Names(disk, IdJournal.Archived, IdFilter.Extension).Length);
        Assert.Equal(2, IdJournal.Names(disk, IdJournal.InPlace, SegmentHeader.Extension).Length);
        Assert.Single(IdJournal.Names(disk, IdJournal.InPlace, IdFilter.Extension));

        using var journal = IdJournal.Open(disk, IdJournal.WithArchive);
        Assert.Equal(5, journal.Recovery.Segments);
        IdJournal.TakeTurns(journal);
        IdJournal.RequireAll(journal);
        var read = 0;
        journal.ReadRecords(0, journal.DurableSequence + 1, _ => read++);
        Assert.Equal(journal.DurableSequence + 1, read);
    }

    [Fact]
    public void Without_the_archive_the_journal_is_refused_and_left_as_it_was()
    {
        var disk = Filled(4);
        var image = disk.Image();
        var missing = Assert.Throws<JournalCorruptException>(() => IdJournal.Open(disk));
        Assert.Equal(0, missing.Offset);
        Assert.Contains("no file; the next one is", missing.Message, StringComparison.Ordinal);
        Assert.Equal(image, disk.Image());

        disk = SimDisk.FromImage(image.With(IdJournal.Names(disk, IdJournal.Archived, SegmentHeader.Extension)[1], null));
        Assert.Throws<JournalCorruptException>(() => IdJournal.Open(disk, IdJournal.WithArchive));
    }

    [Fact]
    public void Of_a_segment_in_both_folders_the_original_is_used_and_moved_again()
    {
        var disk = Filled(4);
        var archived = IdJournal.Names(disk, IdJournal.Archived, SegmentHeader.Extension);
        var image = disk.Image().With(IdJournal.InPlace + Path.GetFileName(archived[1]), disk[archived[1]]);
        disk = SimDisk.FromImage(image);
        using var journal = IdJournal.Open(disk, IdJournal.WithArchive);
        IdJournal.RequireAll(journal);
        IdJournal.TakeTurns(journal);

        Assert.Equal(archived, IdJournal.Names(disk, IdJournal.Archived, SegmentHeader.Extension));
        IdJournal.RequireAll(journal);
    }

    [Fact]
    public void An_archive_that_is_the_journals_own_folder_is_refused_before_anything_is_removed()
    {
        var disk = Filled(3);
        var image = disk.Image();
        foreach (var path in IdJournal.Names(disk, IdJournal.InPlace, SegmentHeader.Extension)) image[IdJournal.Archived + Path.GetFileName(path)] = disk[path];
        disk = SimDisk.FromImage(image);

        var refusal = Assert.Throws<JournalCorruptException>(() => IdJournal.Open(disk, IdJournal.WithArchive));
        Assert.Contains("newest", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(image, disk.Image());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(SegmentHeader.Bytes)]
    [InlineData(-1)]
    public void An_archive_that_may_be_another_ledgers_is_refused_and_left_as_it_is(int change)
    {
        var disk = Filled(4);
        var archived = IdJournal.Names(disk, IdJournal.Archived, SegmentHeader.Extension)[0];
        var image = disk.Image().With(IdJournal.InPlace + Path.GetFileName(archived), disk[archived]);
        // A header alone is the same for every ledger's first segment.
        if (change < 0) image[archived] = image[archived]![..SegmentHeader.Bytes];
        else image[archived]![change + 50] ^= 1;
        disk = SimDisk.FromImage(image);

        Assert.Equal(archived, Assert.Throws<JournalCorruptException>(() => IdJournal.Open(disk, IdJournal.WithArchive)).File);
        Assert.Equal(image, disk.Image());
    }

    [Fact]
    public void A_damaged_segment_is_not_moved()
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk, IdJournal.WithArchive);
        IdJournal.FillSegments(journal, 2);
        IdJournal.TakeTurns(journal);
        IdJournal.FillSegments(journal, 3);
        var path = journal.Segments.ToArray()[0].Path;
        var bytes = disk[path];
        bytes[SegmentHeader.Bytes + FrameHeader.Bytes + 7] ^= 1;
        disk[path] = bytes;

        var damage = Assert.Throws<JournalCorruptException>(() => IdJournal.TakeTurns(journal));
        Assert.Equal((path, SegmentHeader.Bytes), (damage.File, damage.Offset));
        Assert.Equal(bytes, disk[path]);
        Assert.DoesNotContain(disk.Image().Keys, name => name.EndsWith(".new", StringComparison.Ordinal));
    }

    [Fact]
    public void A_segment_is_read_at_every_step_of_its_move()
    {
        var files = new HookedFiles(IdJournal.NewDisk());
        using var journal = IdJournal.Open(files, IdJournal.WithArchive);
        IdJournal.FillSegments(journal, 3);
        var looks = 0;
        files.Changed = () =>
        {
            IdJournal.RequireAll(journal);
            looks++;
        };
        IdJournal.TakeTurns(journal);

        Assert.StartsWith(IdJournal.Archived, journal.Segments.ToArray()[0].Path, StringComparison.Ordinal);
        Assert.InRange(looks, 10, 100);
    }

    [Fact]
    public void A_segment_that_is_moved_while_it_is_being_opened_is_found_where_it_went()
    {
        var files = new HookedFiles(IdJournal.NewDisk());
        using var journal = IdJournal.Open(files, IdJournal.WithArchive);
        IdJournal.FillSegments(journal, 3);
        // The filters come first.
        Assert.True(journal.Upkeep.TakeTurn());
        Assert.True(journal.Upkeep.TakeTurn());
        var original = journal.Segments.ToArray()[0].Path;
        files.Opening = path =>
        {
            if (path != original) return;
            files.Opening = _ => { };
            Assert.True(journal.Upkeep.TakeTurn());
        };

        Assert.True(journal.TryReadRecord(0, out var record));
        Assert.Equal(IdRecord.Of(IdJournal.IdentityOf(0), 0), record);
        Assert.NotEqual(original, journal.Segments.ToArray()[0].Path);
    }

    [Fact]
    public void A_full_archive_leaves_segments_in_place_until_there_is_room()
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk, IdJournal.WithArchive);
        IdJournal.FillSegments(journal, 4);
        disk.Full = true;
        IdJournal.TakeTurns(journal);
        Assert.Empty(IdJournal.Names(disk, IdJournal.Archived, ""));
        IdJournal.RequireAll(journal);
        disk.Full = false;
        IdJournal.TakeTurns(journal);

        Assert.Equal(2, IdJournal.Names(disk, IdJournal.Archived, SegmentHeader.Extension).Length);
        IdJournal.RequireAll(journal);
    }

    [Fact]
    public void A_journal_whose_folder_the_upkeep_could_not_sync_begins_no_segment()
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk);
        IdJournal.FillSegments(journal, 2);
        // The filter's own sync comes first.
        disk.FailSyncAt = disk.Syncs + 2;
        Assert.Throws<JournalFailedException>(() => journal.Upkeep.TakeTurn());

        Assert.Throws<JournalFailedException>(() => IdJournal.FillSegments(journal, 3));
    }

    [Fact]
    public async Task On_a_real_disk_records_and_ids_are_read_while_segments_are_closed_and_moved()
    {
        const int segments = 12;
        var root = Directory.CreateTempSubdirectory("bitcache-archive-").FullName;
        var slow = Directory.CreateDirectory(Path.Combine(root, "slow")).FullName;
        var settings = new FileJournalSettings { SegmentBytes = 64 << 10, ArchiveFolder = slow, ArchiveAfterSegments = 2 };
        try
        {
            var files = new LinuxFileSystem();
            // Doubled slashes must not make two folders of one.
            using (var journal = FileJournal.Open(files, root + "//", settings, _ => { }, NullLogger.Instance))
            {
                var fatal = new TaskCompletionSource<Exception>();
                journal.Upkeep.Start(cause => fatal.TrySetResult(cause));
                IdJournal.Append(journal, 1);
                var writing = true;
                var readers = Enumerable.Range(0, 2).Select(seed => Task.Run(() =>
                {
                    var random = new Random(seed);
                    while (Volatile.Read(ref writing)) ReadOne(journal, random.Next((int)journal.DurableSequence + 1));
                }, TestContext.Current.CancellationToken)).ToArray();
                while (journal.Segments.ToArray().Length < segments) IdJournal.Append(journal, 20);
                while (Directory.GetFiles(Path.Combine(slow, "p0000"), "*.segment").Length < segments - 3 && !fatal.Task.IsCompleted) await Task.Yield();
                Volatile.Write(ref writing, false);
                await Task.WhenAll(readers);
                Assert.False(fatal.Task.IsCompleted, fatal.Task.IsCompleted ? (await fatal.Task).ToString() : "");
            }
            using var again = FileJournal.Open(files, root, settings, _ => { }, NullLogger.Instance);
            Assert.Equal(segments, again.Recovery.Segments);
            IdJournal.TakeTurns(again);
            IdJournal.RequireAll(again);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static void ReadOne(FileJournal journal, long number)
    {
        Assert.True(journal.TryReadRecord(number, out var record));
        Assert.Equal(IdRecord.Of(IdJournal.IdentityOf(number), number), record);
        try
        {
            Assert.Equal(number, IdJournal.Find(journal, IdJournal.IdentityOf(number)));
        }
        catch (IdsNotIndexedException)
        {
            // The upkeep is behind; it says so.
        }
    }

    private static SimDisk Filled(int segments)
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk, IdJournal.WithArchive);
        IdJournal.FillSegments(journal, segments);
        IdJournal.TakeTurns(journal);
        return disk;
    }
}
