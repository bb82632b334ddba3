// A small ledger on a simulated disk: the golden journal in batches, with snapshots between them.

using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Journal;
using Bitcache.Tests.Ledgers;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Snapshots;

internal static class SnapshotBooks
{
    public const string DataFolder = "/data";
    public const string Folder = "/data/snapshots/p0000/";
    private const int BatchRecords = 3;
    private const int SnapshotEvery = 9;

    public static readonly FileJournalSettings JournalSettings = new() { SegmentBytes = 8 << 10 };
    public static readonly SnapshotSettings Settings = new() { BytesPerSecond = 0, Entries = 1 };
    private static readonly List<byte[]> Records = GoldenJournal.Read();
    /// <summary>The sequence of each record, and the one after the last; a record may cover several.</summary>
    private static readonly long[] Starts = [.. Enumerable.Range(0, Records.Count + 1).Select(n => Book.Replay(Records[..n]).NextSequence)];
    /// <summary>The state hash before each record, and after the last.</summary>
    private static readonly Hash256[] States = [.. Enumerable.Range(0, Records.Count + 1).Select(n => Book.Replay(Records[..n]).StateHash())];

    /// <summary>How many records there are.</summary>
    public static int All => Records.Count;

    /// <summary>How many entries they cover.</summary>
    public static long Entries => Starts[^1];

    public static SimDisk NewDisk(int seed)
    {
        var disk = new SimDisk(seed);
        disk.MakeDurableFolder(DataFolder);
        return disk;
    }

    public static RecoveredLedger<FileJournal> Open(IFileSystem files, EventLog log) =>
        LedgerRecovery.Open(files, DataFolder, JournalSettings, new RecoveryTerms(Settings, 1), log);

    /// <summary>Goes on with the journal up to a record, with a snapshot now and then; tells what is acknowledged.</summary>
    public static void Live(RecoveredLedger<FileJournal> book, int end, Action<long> acknowledged)
    {
        var scratch = new byte[Limits.RecordBytesMax];
        for (var at = RecordAt(book.Ledger); at < end; at = RecordAt(book.Ledger))
        {
            var some = Records[at..Math.Min(at + BatchRecords, end)];
            var first = book.Ledger.NextSequence;
            foreach (var record in some) book.Ledger.Replay(record, scratch);
            var payload = TestBatch.Payload([.. some]);
            var capture = at / SnapshotEvery != (at + some.Count) / SnapshotEvery ? book.Snapshots.EndBatch(book.Ledger, payload.Length) : null;
            Require(book.Journal.TryReserve(payload.Length), "There was space, and none was found.");
            book.Journal.Append(payload, first, (int)(book.Ledger.NextSequence - first));
            acknowledged(book.Ledger.NextSequence);
            if (capture is null) continue;
            book.Snapshots.Write(capture, book.Journal.ChainHash);
            book.Snapshots.TakeTurn();
        }
    }

    /// <summary>P13: the state is that of a replay from the first entry on.</summary>
    public static void RequireState(Ledger ledger) =>
        Require(ledger.StateHash() == States[RecordAt(ledger)], $"P13: another state after {ledger.NextSequence} entries.");

    /// <summary>Every record reads as it was written, those of segments that recovery passed over, too.</summary>
    public static void RequireRecords(FileJournal journal)
    {
        for (var i = 0; Starts[i] <= journal.DurableSequence; i++)
            Require(journal.TryReadRecord(Starts[i], out var record) && record.AsSpan().SequenceEqual(Records[i]), $"Record {i} reads otherwise.");
    }

    public static void Close(RecoveredLedger<FileJournal> book)
    {
        book.Snapshots.Dispose();
        book.Journal.Dispose();
    }

    private static int RecordAt(Ledger ledger) => Array.BinarySearch(Starts, ledger.NextSequence);

    /// <summary>The disk after all entries, with two snapshots.</summary>
    public static SortedDictionary<string, byte[]?> WholeImage()
    {
        var disk = NewDisk(1);
        var book = Open(disk, new EventLog());
        Live(book, All, _ => { });
        book.Journal.Seal();
        Close(book);
        return disk.Image();
    }

    public static void Require(bool holds, string what)
    {
        if (!holds) throw new SimulationFailedException(what);
    }
}
