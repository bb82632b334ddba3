// The engine of a single node: the data folder, the journal and the ledger recovered from it, the log and its key, and the
// loop that ties them to Bitcoin, for as long as the process runs.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

public sealed partial class LedgerEngine
{
    /// <summary>Opens the data folder, recovers the ledger, and begins to work. A new ledger needs the node once,
    /// for the script that its anchors will pay.</summary>
    /// <exception cref="SettingsException">The settings, the keys and the data folder do not fit together.</exception>
    /// <exception cref="DataFolderInUseException">Another process has the folder.</exception>
    /// <exception cref="JournalCorruptException">What was durable is damaged: nothing is opened.</exception>
    /// <exception cref="HistoryMismatchException">The journal is not the one that was signed for.</exception>
    /// <exception cref="SnapshotMismatchException">The journal is not the one that the snapshots were taken of.</exception>
    /// <exception cref="JournalRefusedException">The database that the settings name cannot be used.</exception>
    /// <exception cref="NodeUnavailableException">A new ledger, and no node to begin it with.</exception>
    public static Task<LedgerEngine> OpenAsync(
        EngineSettings settings, IBitcoinNode node, TimeProvider time, ILoggerFactory logs, FatalHandler fatal, CancellationToken cancel) =>
        OpenAsync(settings, node, null, time, logs, fatal, cancel);

    /// <summary>The same with several nodes, or with one that announces its blocks.</summary>
    /// <param name="node">Whoever makes calls to the node in use.</param>
    /// <param name="nodes">All of them; null if there is nothing to choose from and to listen to.</param>
    public static async Task<LedgerEngine> OpenAsync(
        EngineSettings settings, IBitcoinNode node, NodeSwitch? nodes, TimeProvider time, ILoggerFactory logs, FatalHandler fatal, CancellationToken cancel)
    {
        if (settings.Problems() is { Count: > 0 } problems) throw new SettingsException(problems);
        if (settings.Cluster.Length > 0) throw new SettingsException([$"these are the settings of a silo of the cluster {settings.Cluster}: start it with bitcache silo"]);
        var files = new LinuxFileSystem();
        DurableFolder.Ensure(files, settings.DataFolder);
        var folder = DataFolderLock.Take(files, settings.DataFolder, settings.ArchiveFolder);
        RecoveredLedger<IRecoveredJournal>[] recovered = [];
        JournalStore? journals = null;
        PartitionSet? partitions = null;
        try
        {
            var logger = logs.CreateLogger("Bitcache.Engine");
            var folderOfKeys = LedgerKeys.FolderIn(settings.DataFolder);
            DurableFolder.Ensure(files, folderOfKeys);
            var mark = SignedMark.Open(files, folderOfKeys);
            journals = JournalStore.Open(settings, files, mark, logger);
            recovered = Recover(settings, journals, mark, logger);
            var first = recovered[0].Ledger;
            if (first.Genesis is null) mark.CheckReaches(0);
            var keys = LedgerKeys.Open(files, folderOfKeys, settings, first.Genesis, first.KeyRotations);

            partitions = Begin(settings, recovered, time, logger, fatal);
            await LedgerGenesis.EnsureAsync(settings, partitions, node, keys, logger, cancel);
            // All partitions are here, and each journal has one writer: a single node needs no term of its own.
            var term = await SettlementTerm.TakeOverAsync(partitions, ByteString.Empty);
            var epochs = new EpochFolder(files, Path.Combine(settings.DataFolder, "epochs"));
            var desk = await SettlementDesk.BeginAsync(new SettlementTools(settings, files, node, nodes, keys, mark, epochs, new WithdrawalFees(settings, time), time, logger, fatal), term, cancel);
            desk.Start();
            return new LedgerEngine(settings, folder, journals, partitions, node, time)
            {
                _desk = desk,
                Recovery = [.. recovered.Select(r => r.Journal.Recovery)],
                RecoveredFrom = [.. recovered.Select(r => r.Start)],
            };
        }
        catch
        {
            if (partitions is not null) await partitions.DisposeAsync();
            else Close(recovered);
            journals?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Recovers every partition that the settings name. Which ones there must be, the genesis entry says.</summary>
    private static RecoveredLedger<IRecoveredJournal>[] Recover(EngineSettings settings, JournalStore journals, SignedMark mark, ILogger logger)
    {
        var watch = Stopwatch.StartNew();
        var policy = new SnapshotSettings { Entries = settings.SnapshotEntries, JournalBytes = (long)settings.SnapshotMebibytes << 20, Kept = settings.SnapshotsKept };
        var recovered = new List<RecoveredLedger<IRecoveredJournal>>();
        try
        {
            for (var number = 0; number < settings.Partitions; number++)
            {
                recovered.Add(journals.Recover(
                    number, new RecoveryTerms(policy, ClientIds.DrawSecret(), found => Accept(found, settings, mark, journals.Name), KeepsBalances: true)));
                if (recovered[^1].Ledger is { Genesis: not null } ledger)
                    logger.LedgerRecovered(number, ledger.NextSequence, ledger.WalletCount, ledger.Time, watch.ElapsedMilliseconds);
            }
            if (recovered[0].Ledger.Genesis is null && recovered.Exists(r => r.Ledger.Genesis is not null))
                throw new HistoryMismatchException($"Partition 0 in {journals.Name} has no journal, and another partition has one.");
        }
        catch
        {
            Close(recovered);
            throw;
        }
        return [.. recovered];
    }

    /// <summary>Ends what runs behind journals that no partition has taken over.</summary>
    private static void Close(IReadOnlyList<RecoveredLedger<IRecoveredJournal>> recovered)
    {
        foreach (var opened in recovered) opened.Journal.Dispose();
    }

    /// <summary>What is refused before anything is repaired.</summary>
    private static void Accept(Ledger found, EngineSettings settings, SignedMark mark, string journals)
    {
        if (found.Genesis is { } genesis && genesis.Partitions != settings.Partitions)
            throw new SettingsException([$"the ledger in {journals} has {genesis.Partitions} partitions for ever, the settings say partitions {settings.Partitions}"]);
        // With one partition its entries are the log's; with several that is seen when all are there (LogKeeper).
        if (settings.Partitions == 1) mark.CheckReaches(found.NextSequence);
    }

    private static PartitionSet Begin(EngineSettings settings, RecoveredLedger<IRecoveredJournal>[] recovered, TimeProvider time, ILogger logger, FatalHandler fatal)
    {
        var courier = recovered.Length > 1 ? new LegCourier(time, fatal) : null;
        // The process has so much memory for ids, however many partitions share it.
        var bounds = new PartitionBounds
        {
            WindowIds = Limits.WindowIdsMax / recovered.Length,
            WindowBytes = Limits.WindowBytesMax / recovered.Length,
        };
        var partitions = recovered.Select(r => new OwnedPartition(
            r.Ledger, r.Journal, new BatchClock(time, r.Ledger.Genesis is null ? null : r.Ledger.Time), logger, fatal, bounds: bounds,
            snapshots: r.Snapshots, courier: courier)).ToArray();
        try
        {
            courier?.Connect(partitions, [.. recovered.Select(r => r.Ledger)]);
        }
        catch (LedgerInvariantException e)
        {
            throw new HistoryMismatchException($"The partitions in {settings.DataFolder} do not belong together: {e.Message}.");
        }
        for (var number = 0; number < partitions.Length; number++)
        {
            partitions[number].Start();
            recovered[number].Snapshots.Start(fatal);
            recovered[number].Journal.StartUpkeep(cause => fatal("a closed segment or its folder cannot be relied on; restart to recover from what is durable", cause));
        }
        courier?.Retry();
        return new PartitionSet(partitions, courier);
    }
}
