// Ids that the ledger has forgotten are found in the journal, at the price that IdSearch states.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Tests.Ledgers;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Journal;

[Trait("suite", "core")]
public sealed class IdFilterTests
{
    [Fact]
    public void The_identity_of_a_record_is_that_of_its_command()
    {
        var named = 0;
        foreach (var record in GoldenJournal.Read())
        {
            var command = Entry.Read(record).Command as ClientCommand;
            Assert.Equal(command is { IsNamed: true }, EntryId.TryRead(record, out var identity));
            if (command is not { IsNamed: true }) continue;
            named++;
            Assert.Equal(new EntryId(command.Owner, command.Id), identity);
        }
        Assert.True(named > 10);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(12)]
    [InlineData(1)]
    public void Ids_are_found_in_filters_of_many_blocks_however_their_keys_collide(int keyBits)
    {
        const int count = 3 * IdFilter.BlockKeys;
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk, new FileJournalSettings { SegmentBytes = 512 << 10, IdKeyBits = keyBits });
        IdJournal.Append(journal, count);
        IdJournal.Append(journal, count);
        IdJournal.TakeTurns(journal);

        var closed = Assert.Single(journal.Segments.ToArray()[..^1]);
        Assert.Equal((count, IdFilter.FileBytes(count)), (closed.NextSequence, disk[Assert.Single(IdJournal.Names(disk, "/", ".ids"))].Length));
        for (var number = 0; number < 2 * count; number += keyBits == 1 ? 499 : 1)
        {
            Assert.Equal(number, IdJournal.Find(journal, IdJournal.IdentityOf(number)));
            Assert.Null(IdJournal.Find(journal, IdJournal.IdentityOf(number) with { Owner = new WalletId(77) }));
        }
    }

    [Fact]
    public void A_look_up_reads_one_block_of_one_filter_and_the_record()
    {
        var reads = new List<string>();
        var files = new HookedFiles(IdJournal.NewDisk()) { Reading = path => reads.Add(Path.GetExtension(path)) };
        using var journal = IdJournal.Open(files);
        IdJournal.FillSegments(journal, 6);
        IdJournal.TakeTurns(journal);
        var newest = journal.Segments.ToArray()[^1].FirstSequence;
        for (var number = 0L; number < newest; number++)
        {
            reads.Clear();
            Assert.Equal(number, IdJournal.Find(journal, IdJournal.IdentityOf(number)));
            Assert.Equal([IdFilter.Extension, SegmentHeader.Extension], reads);
        }

        // What is in no segment's times is in none; the newest one is read once, and then only what is new in it.
        Assert.Null(IdJournal.Find(journal, IdRecord.Identity(0, IdRecord.Time - 1)));
        reads.Clear();
        Assert.Null(IdJournal.Find(journal, IdRecord.Identity(0, IdRecord.Time - 1)));
        Assert.Empty(reads);
        IdJournal.Append(journal, 1);
        Assert.Equal(journal.DurableSequence, IdJournal.Find(journal, IdJournal.IdentityOf(journal.DurableSequence)));
        Assert.Equal([SegmentHeader.Extension], reads);
    }

    [Fact]
    public void Filters_are_there_again_after_a_restart_and_none_is_made_twice()
    {
        var disk = Filled(4);
        var made = Filters(disk);
        var before = disk.Operations;
        using var journal = IdJournal.Open(disk);
        var opened = disk.Operations;
        IdJournal.TakeTurns(journal);

        Assert.Equal((3, opened), (made.Count, disk.Operations));
        Assert.True(opened > before);
        IdJournal.RequireAll(journal);
    }

    [Fact]
    public void A_missing_or_cut_or_swapped_filter_is_made_again()
    {
        var whole = Filled(5);
        var made = Filters(whole);
        var paths = made.Keys.ToArray();
        var disk = SimDisk.FromImage(whole.Image()
            .With(paths[0], null).With(paths[1], made[paths[2]]).With(paths[2], made[paths[1]]).With(paths[3], made[paths[3]][..^1]));
        using var journal = IdJournal.Open(disk);
        IdJournal.TakeTurns(journal);

        Assert.Equal(made, Filters(disk));
        IdJournal.RequireAll(journal);
    }

    [Fact]
    public void A_filter_without_its_segment_is_removed()
    {
        var whole = Filled(3);
        var stray = IdJournal.InPlace + "00000000000000000003.ids";
        var disk = SimDisk.FromImage(whole.Image().With(stray, [1]));
        using var journal = IdJournal.Open(disk);
        IdJournal.TakeTurns(journal);

        Assert.Equal(Filters(whole), Filters(disk));
    }

    [Fact]
    public void Too_many_missing_filters_make_a_look_up_wait()
    {
        using var journal = IdJournal.Open(IdJournal.NewDisk());
        IdJournal.FillSegments(journal, Limits.SegmentsScannedMax);
        IdJournal.RequireAll(journal);
        IdJournal.FillSegments(journal, Limits.SegmentsScannedMax + 1);
        Assert.Throws<IdsNotIndexedException>(() => IdJournal.Find(journal, IdJournal.IdentityOf(0)));

        Assert.True(journal.Upkeep.TakeTurn());
        IdJournal.RequireAll(journal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    public void Ids_of_the_newest_segment_that_are_not_remembered_are_read_again(int rememberedMax)
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk);
        IdJournal.FillSegments(journal, 2);
        var ids = new SegmentIdSearch(disk, journal.Segments, journal.Upkeep, rememberedMax);
        for (var more = 0; more < 10; more++)
        {
            IdJournal.Append(journal, 1);
            for (long number = 0; number <= journal.DurableSequence; number++)
                Assert.Equal(number, ids.Find(IdJournal.IdentityOf(number), journal.DurableSequence + 1));
            Assert.Null(ids.Find(IdJournal.IdentityOf(journal.DurableSequence + 1), journal.DurableSequence + 1));
        }
    }

    [Fact]
    public void Without_space_for_a_filter_ids_are_found_by_reading_and_it_is_made_later()
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk);
        IdJournal.FillSegments(journal, 2);
        disk.Full = true;
        // A full disk sometimes has room for one more empty file.
        while (journal.Upkeep.TakeTurn()) disk.Delete(Assert.Single(IdJournal.Names(disk, "/", ".ids")));
        IdJournal.RequireAll(journal);
        disk.Full = false;
        journal.Segments.ToArray()[0].Filter = null;
        IdJournal.TakeTurns(journal);

        Assert.Single(Filters(disk));
        IdJournal.RequireAll(journal);
    }

    [Fact]
    public void A_damaged_segment_is_found_when_its_filter_is_made()
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk);
        IdJournal.FillSegments(journal, 2);
        var path = journal.Segments.ToArray()[0].Path;
        var bytes = disk[path];
        bytes[5_000] ^= 1;
        disk[path] = bytes;

        Assert.Equal(path, Assert.Throws<JournalCorruptException>(() => journal.Upkeep.TakeTurn()).File);
    }

    private static SimDisk Filled(int segments)
    {
        var disk = IdJournal.NewDisk();
        using var journal = IdJournal.Open(disk);
        IdJournal.FillSegments(journal, segments);
        IdJournal.TakeTurns(journal);
        return disk;
    }

    private static SortedDictionary<string, byte[]> Filters(SimDisk disk) =>
        new(IdJournal.Names(disk, "/", IdFilter.Extension).ToDictionary(path => path, path => disk[path]), StringComparer.Ordinal);
}
