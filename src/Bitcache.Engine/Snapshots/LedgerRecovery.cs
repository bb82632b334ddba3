// A ledger as it was: from the newest snapshot that is good and the journal behind it, or from the whole journal.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Snapshots;

/// <summary>A ledger, and what it goes on with.</summary>
/// <param name="Ledger">The state after the last durable entry.</param>
/// <param name="Journal">Open behind it.</param>
/// <param name="Snapshots">Takes the next ones; not started.</param>
/// <param name="Start">Where the journal was replayed from; null for its beginning.</param>
public sealed record RecoveredLedger<TJournal>(Ledger Ledger, TJournal Journal, SnapshotKeeper Snapshots, JournalStart? Start)
    where TJournal : IRecoveredJournal;

/// <summary>How a ledger is recovered, whatever its journal is kept in.</summary>
/// <param name="Snapshots">When they are taken.</param>
/// <param name="Secret">Keys the tables in memory.</param>
/// <param name="Accept">Told what was found; what it throws is thrown on, and nothing was changed.</param>
/// <param name="KeepsBalances">Whether somebody will read, and give back, the balances of epochs (<see cref="Ledger.KeepsBalances"/>).</param>
public sealed record RecoveryTerms(SnapshotSettings Snapshots, ulong Secret, Action<Ledger>? Accept = null, bool KeepsBalances = false);

public static class LedgerRecovery
{
    private delegate TJournal OpenJournal<TJournal>(ReplayBatch replay, Action<long> verified, JournalStart? start);

    /// <summary>Recovers one partition from files. The caller holds the data folder's lock.</summary>
    /// <exception cref="JournalCorruptException">The journal is damaged; nothing was changed.</exception>
    /// <exception cref="SnapshotMismatchException">A snapshot is another journal's, or the journal ends before it; nothing was changed.</exception>
    /// <exception cref="LedgerInvariantException">An entry does not follow from the state before it.</exception>
    public static RecoveredLedger<FileJournal> Open(
        IFileSystem files, string dataFolder, FileJournalSettings journalSettings, RecoveryTerms terms, ILogger logger) =>
        Open(new SnapshotFolder(files, dataFolder, journalSettings.Partition, logger), journalSettings.Partition, terms, logger,
            (replay, verified, start) => FileJournal.Open(files, dataFolder, journalSettings, replay, logger, verified, start));

    /// <summary>Recovers one partition from PostgreSQL: from here on this process is its writer.</summary>
    /// <param name="snapshots">The file system with the folder that holds <c>snapshots/</c>; null for the database itself.</param>
    /// <inheritdoc cref="Open(IFileSystem, string, FileJournalSettings, RecoveryTerms, ILogger)" path="/exception"/>
    /// <exception cref="JournalRefusedException">The database cannot be used.</exception>
    public static RecoveredLedger<PostgresJournal> Open(
        JournalDatabase database, int partition, (IFileSystem Files, string DataFolder)? snapshots, RecoveryTerms terms, ILogger logger)
    {
        var stored = new PostgresFiles(database, partition);
        var (files, dataFolder) = snapshots ?? (stored, "/");
        var recovered = Open(new SnapshotFolder(files, dataFolder, partition, logger), partition, terms, logger,
            (replay, verified, start) => PostgresJournal.Open(database, partition, replay, logger, verified, start));
        stored.Epoch = recovered.Journal.Recovery.WriterEpoch;
        return recovered;
    }

    private static RecoveredLedger<TJournal> Open<TJournal>(
        SnapshotFolder folder, int partition, RecoveryTerms terms, ILogger logger, OpenJournal<TJournal> open) where TJournal : IRecoveredJournal
    {
        var watch = Stopwatch.StartNew();
        var (ledger, start) = folder.Load(terms.Secret) is { } loaded ? (loaded.Ledger, (JournalStart?)loaded.Start) : (new Ledger(partition, terms.Secret), null);
        if (start is not null) logger.SnapshotLoaded(start.Name, start.NextSequence, watch.ElapsedMilliseconds);
        ledger.KeepsBalances = terms.KeepsBalances;
        using var replay = new ReplayPipeline(ledger);
        var journal = open(replay.Add, _ =>
        {
            replay.Finish();
            if (ledger.NextSequence > 0) ledger.CheckEveryBalance();
            terms.Accept?.Invoke(ledger);
        }, start);
        return new RecoveredLedger<TJournal>(ledger, journal, new SnapshotKeeper(folder, terms.Snapshots, start?.NextSequence ?? 0, logger), start);
    }
}
