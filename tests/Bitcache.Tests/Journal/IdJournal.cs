using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

/// <summary>A journal of transfers on a simulated disk, with an archive, whose upkeep takes its turns when it is told to.</summary>
internal static class IdJournal
{
    public const string DataFolder = "/data";
    public const string InPlace = "/data/journal/p0000/";
    public const string Archived = "/slow/p0000/";
    public static readonly FileJournalSettings NoArchive = new() { SegmentBytes = 8 << 10 };
    public static readonly FileJournalSettings WithArchive = NoArchive with { ArchiveFolder = "/slow", ArchiveAfterSegments = 1 };

    public static SimDisk NewDisk()
    {
        var disk = new SimDisk(1);
        disk.MakeDurableFolder(DataFolder);
        disk.MakeDurableFolder("/slow");
        return disk;
    }

    public static FileJournal Open(IFileSystem files, FileJournalSettings? settings = null) =>
        FileJournal.Open(files, DataFolder, settings ?? NoArchive, _ => { }, NullLogger.Instance);

    /// <summary>Appends transfers of consecutive numbers, one in a batch, until there are that many segments.</summary>
    public static void FillSegments(FileJournal journal, int segments)
    {
        while (journal.Segments.ToArray().Length < segments) Append(journal, 1);
    }

    /// <summary>Appends one batch of transfers; the number of each is its sequence.</summary>
    public static void Append(FileJournal journal, int count)
    {
        var first = (int)journal.DurableSequence + 1;
        var payload = TestBatch.Payload([.. Enumerable.Range(first, count).Select(number => IdRecord.Of(IdentityOf(number), number))]);
        Assert.True(journal.TryReserve(payload.Length));
        journal.Append(payload, first, count);
    }

    /// <summary>One second after the other.</summary>
    public static EntryId IdentityOf(long number) => IdRecord.Identity((int)number, IdRecord.Time + (number * 1_000));

    public static void TakeTurns(FileJournal journal)
    {
        while (journal.Upkeep.TakeTurn())
        {
        }
    }

    public static long? Find(FileJournal journal, EntryId identity) => journal.FindId(identity.Owner, identity.Id);

    /// <summary>Every record reads as it was written and is found by its id; ids that nobody used are not.</summary>
    public static void RequireAll(FileJournal journal)
    {
        for (long number = 0; number <= journal.DurableSequence; number++)
        {
            Assert.True(journal.TryReadRecord(number, out var record));
            Assert.Equal(IdRecord.Of(IdentityOf(number), number), record);
            Assert.Equal(number, Find(journal, IdentityOf(number)));
            Assert.Null(Find(journal, IdentityOf(number) with { Owner = new WalletId(77) }));
        }
        Assert.Null(Find(journal, IdentityOf(journal.DurableSequence + 1)));
    }

    public static string[] Names(SimDisk disk, string folder, string extension) =>
        [.. disk.Image().Keys.Where(path => path.StartsWith(folder, StringComparison.Ordinal) && path.EndsWith(extension, StringComparison.Ordinal))];
}
