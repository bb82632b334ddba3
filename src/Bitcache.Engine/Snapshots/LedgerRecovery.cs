// A ledger as it was: from the newest snapshot that is good and the journal behind it, or from the whole journal.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Snapshots;

/// <param name="Ledger">The state after the last durable entry.</param>
/// <param name="Journal">Open behind it.</param>
/// <param name="Snapshots">Takes the next ones; not started.</param>
/// <param name="Start">Where the journal was replayed from; null for its beginning.</param>
public sealed record RecoveredLedger(Ledger Ledger, FileJournal Journal, SnapshotKeeper Snapshots, JournalStart? Start);

public static class LedgerRecovery
{
    /// <summary>Recovers one partition. The caller holds the data folder's lock.</summary>
    /// <param name="secret">Keys the tables in memory.</param>
    /// <param name="accept">Told what was found; what it throws is thrown on, and nothing was changed.</param>
    /// <param name="keepsBalances">Whether somebody will read, and give back, the balances of epochs (<see cref="Ledger.KeepsBalances"/>).</param>
    /// <exception cref="JournalCorruptException">The journal is damaged; nothing was changed.</exception>
    /// <exception cref="SnapshotMismatchException">A snapshot is another journal's, or the journal ends before it; nothing was changed.</exception>
    /// <exception cref="LedgerInvariantException">An entry does not follow from the state before it.</exception>
    public static RecoveredLedger Open(
        IFileSystem files, string dataFolder, FileJournalSettings journalSettings, SnapshotSettings settings, ulong secret, ILogger logger,
        Action<Ledger>? accept = null, bool keepsBalances = false)
    {
        var watch = Stopwatch.StartNew();
        var folder = new SnapshotFolder(files, dataFolder, journalSettings.Partition, logger);
        var (ledger, start) = folder.Load(secret) is { } loaded ? (loaded.Ledger, (JournalStart?)loaded.Start) : (new Ledger(journalSettings.Partition, secret), null);
        if (start is not null) logger.SnapshotLoaded(start.Name, start.NextSequence, watch.ElapsedMilliseconds);
        ledger.KeepsBalances = keepsBalances;
        using var replay = new ReplayPipeline(ledger);
        var journal = FileJournal.Open(files, dataFolder, journalSettings, replay.Add, logger, _ =>
        {
            replay.Finish();
            if (ledger.NextSequence > 0) ledger.CheckEveryBalance();
            accept?.Invoke(ledger);
        }, start);
        return new RecoveredLedger(ledger, journal, new SnapshotKeeper(folder, settings, start?.NextSequence ?? 0, logger), start);
    }
}
