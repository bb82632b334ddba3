// Rebuilds a partition's ledger from its first entry, and holds it against every snapshot on the way (P13).

using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Snapshots;

/// <summary>What a replay came to.</summary>
/// <param name="Entries">In the whole journal, its archive included.</param>
/// <param name="Segments">Files of it; none in a database.</param>
/// <param name="TornBytes">Bytes of an unfinished write at its end, which were never acknowledged and are not part of it.</param>
/// <param name="Snapshots">Those that hold the state that the replay gave, the oldest first.</param>
public sealed record ReplayReport(
    int Partition, long Entries, int Segments, int Wallets, UnixTime Time, Hash256 StateHash, long TornBytes, IReadOnlyList<SnapshotName> Snapshots);

/// <summary>A snapshot does not hold what the entries before it give.</summary>
public sealed class ReplayDifferenceException(string message, Exception? inner = null) : Exception(message, inner);

public static class LedgerReplay
{
    /// <summary>Verifies the whole journal, replays it, and compares. Nothing is changed. The caller holds the folder's lock.</summary>
    /// <param name="progress">Told after each batch how many entries were replayed; may throw to give up.</param>
    /// <exception cref="ReplayDifferenceException">The first difference.</exception>
    /// <exception cref="JournalCorruptException">The journal is damaged.</exception>
    /// <exception cref="SnapshotMismatchException">The snapshots are another partition's.</exception>
    /// <exception cref="LedgerInvariantException">An entry does not follow from those before it.</exception>
    public static ReplayReport Run(IFileSystem files, string dataFolder, FileJournalSettings settings, ILogger logger, Action<long> progress) => Run(
        settings.Partition, new SnapshotFolder(files, dataFolder, settings.Partition, logger), batches => FileJournal.Read(files, dataFolder, settings, batches, logger), progress);

    /// <summary>The same of every partition of a ledger, wherever its journal is. No server may run.</summary>
    /// <inheritdoc cref="Run(IFileSystem, string, FileJournalSettings, ILogger, Action{long})" path="/exception"/>
    /// <exception cref="JournalRefusedException">The database cannot be used, or holds no ledger.</exception>
    /// <exception cref="DataFolderInUseException">A server runs.</exception>
    public static IEnumerable<ReplayReport> Run(EngineSettings settings, ILogger logger, Action<long> progress)
    {
        var files = new LinuxFileSystem();
        using var held = DataFolderLock.Take(files, settings.DataFolder, settings.ArchiveFolder);
        if (settings.Journal == JournalKind.Files)
        {
            for (var partition = 0; partition < settings.Partitions; partition++)
                yield return Run(files, settings.DataFolder, JournalStore.ToFiles(settings, partition), logger, progress);
            yield break;
        }
        var postgres = JournalStore.ToPostgres(settings);
        if (!JournalDatabase.HasLedger(postgres)) throw new JournalRefusedException("it holds no ledger");
        using var database = JournalDatabase.Open(postgres);
        for (var partition = 0; partition < settings.Partitions; partition++)
        {
            var number = partition;
            var folder = settings.SnapshotsInDatabase
                ? new SnapshotFolder(new PostgresFiles(database, number), "/", number, logger)
                : new SnapshotFolder(files, settings.DataFolder, number, logger);
            yield return Run(number, folder, batches => PostgresJournal.Read(database, number, batches), progress);
        }
    }

    private static ReplayReport Run(int partition, SnapshotFolder folder, Func<ReplayBatch, RecoveryReport> read, Action<long> progress)
    {
        var waiting = new Queue<SnapshotName>(folder.Named.OrderBy(s => s.NextSequence));
        var ledger = new Ledger(partition, ClientIds.DrawSecret());
        using var replay = new ReplayPipeline(ledger, after => Compare(after, waiting));
        var report = read(batch =>
        {
            replay.Add(batch);
            progress(batch.FirstSequence + batch.Sequences);
        });
        replay.Finish();
        if (waiting.TryPeek(out var beyond))
            throw new ReplayDifferenceException($"{beyond.FileName} holds the state of {beyond.NextSequence} entries, and the journal has {ledger.NextSequence}");
        if (ledger.NextSequence > 0) ledger.CheckEveryBalance();
        foreach (var named in folder.Named) Verify(folder, named);
        return new ReplayReport(
            partition, ledger.NextSequence, report.Segments, ledger.WalletCount, ledger.Time, ledger.StateHash(), report.TornBytes,
            [.. folder.Named.Reverse()]);
    }

    private static void Compare(Ledger ledger, Queue<SnapshotName> waiting)
    {
        if (!waiting.TryPeek(out var next) || ledger.NextSequence < next.NextSequence) return;
        waiting.Dequeue();
        if (ledger.NextSequence > next.NextSequence)
            throw new ReplayDifferenceException($"{next.FileName} holds the state of {next.NextSequence} entries, where no batch of the journal ends");
        if (ledger.StateHash() is var hash && hash != next.StateHash)
            throw new ReplayDifferenceException($"after {next.NextSequence} entries the state hash is {hash}, and {next.FileName} has {next.StateHash}");
    }

    private static void Verify(SnapshotFolder folder, SnapshotName named)
    {
        try
        {
            folder.Verify(named);
        }
        catch (IOException e) when (e is SnapshotDamagedException or FileNotFoundException)
        {
            throw new ReplayDifferenceException($"{folder.PathOf(named)} cannot be read: {e.Message}", e);
        }
    }
}
