// A data folder with a partition at work on it, as the benchmarks of recovery and of snapshots need it.

using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks;

internal static class LedgerBook
{
    /// <summary>Runs something in a folder of its own, and removes it.</summary>
    public static async Task<T> InFolderAsync<T>(string parent, Func<string, Task<T>> run)
    {
        var folder = Path.Combine(parent, $"bitcache-bench-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        try
        {
            return await run(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Recovers what the folder holds. Snapshots are taken only when they are asked for.</summary>
    public static RecoveredLedger<FileJournal> Open(string folder, long bytesPerSecond = 0) => LedgerRecovery.Open(
        new LinuxFileSystem(), folder, new FileJournalSettings { PreparesSegments = true },
        new RecoveryTerms(new SnapshotSettings { Entries = long.MaxValue, JournalBytes = long.MaxValue, BytesPerSecond = bytesPerSecond }, (ulong)Random.Shared.NextInt64()),
        NullLogger.Instance);

    public static Partition Start(RecoveredLedger<FileJournal> book, int windowIds)
    {
        var partition = new OwnedPartition(
            book.Ledger, book.Journal, new BatchClock(TimeProvider.System, book.Ledger.Genesis is null ? null : book.Ledger.Time),
            NullLogger.Instance, Fail, bounds: new PartitionBounds { WindowIds = windowIds }, snapshots: book.Snapshots);
        partition.Start();
        book.Snapshots.Start(Fail);
        return partition;
    }

    private static void Fail(string why, Exception cause) => Environment.FailFast(why, cause);
}
