// The engine of a silo: one of several processes that share a ledger over one database. It has a copy of every partition, writes
// those that it is told to (SharedPartition), and settles when it is told to. Who tells it is the cluster's affair; that nothing
// goes wrong when two are told at once, the writer epochs' and the term's.

using System.Globalization;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

public sealed partial class LedgerEngine
{
    /// <summary>A silo has many partitions, and each has two batches: so much of memory for all of them together.</summary>
    private const int BatchBytesOfSilo = 64 << 20;
    private const int BatchBytesMin = 256 << 10;

    private SettlementDuty? _duty;
    private long _terms;
    // Of a silo.
    private SharedLedger? _shared;

    /// <summary>Opens the database that the silos of a cluster share, without a ledger: for commands beside them.</summary>
    /// <exception cref="JournalRefusedException">It cannot be used.</exception>
    public static JournalDatabase OpenSharedDatabase(EngineSettings settings) => JournalDatabase.Open(JournalStore.ToPostgres(settings));

    /// <summary>Joins the ledger of a cluster: has a copy of every partition, up to date, and writes none.</summary>
    /// <param name="settings">With <see cref="EngineSettings.Cluster"/>. The data folder is this silo's own.</param>
    /// <param name="silo">A name that no other process has or had.</param>
    /// <param name="owner">The way to whoever writes a partition; nobody asks it before this is done.</param>
    /// <exception cref="SettingsException">The settings and the database do not fit together.</exception>
    /// <exception cref="DataFolderInUseException">Another process has the folder.</exception>
    /// <exception cref="JournalCorruptException">What was durable is damaged.</exception>
    /// <exception cref="JournalRefusedException">The database that the settings name cannot be used.</exception>
    /// <exception cref="JournalUnavailableException">The database cannot be asked now.</exception>
    public static async Task<LedgerEngine> JoinAsync(
        EngineSettings settings, string silo, IPartitionOwner owner, IBitcoinNode node, NodeSwitch? nodes, TimeProvider time, ILoggerFactory logs, FatalHandler fatal)
    {
        if (settings.Problems() is { Count: > 0 } problems) throw new SettingsException(problems);
        if (settings.Cluster.Length == 0) throw new SettingsException(["cluster must be given: the name of the cluster that this silo belongs to"]);
        var files = new LinuxFileSystem();
        DurableFolder.Ensure(files, settings.DataFolder);
        var folder = DataFolderLock.Take(files, settings.DataFolder);
        var logger = logs.CreateLogger("Bitcache.Engine");
        JoinedDatabase? joined = null;
        try
        {
            DurableFolder.Ensure(files, LedgerKeys.FolderIn(settings.DataFolder));
            joined = JoinedDatabase.Open(settings, logger, fatal);
            var shared = new SharedLedger(joined.Database, joined.Tail, owner, Terms(settings), time, logger, fatal, BoundsOfSilo(settings.Partitions));
            var partitions = new List<SharedPartition>();
            for (var number = 0; number < settings.Partitions; number++) partitions.Add(await SharedPartition.OpenAsync(number, shared));
            // They have the newest snapshots; and now the journals.
            await joined.Tail.FreshAsync();
            logger.LedgerJoined(settings.Cluster, joined.Database.Name, partitions.Sum(partition => partition.DurableSequence + 1));
            var engine = new LedgerEngine(settings, folder, joined, new PartitionSet(partitions, shared.Courier), node, time);
            engine._shared = shared;
            var fees = new WithdrawalFees(settings, time);
            engine._duty = new SettlementDuty(
                (ended, cancel) => engine.BeginDeskAsync(silo, joined.Database, nodes, fees, time, logger, ended, cancel), desk => engine._desk = desk, fatal, time, logger);
            return engine;
        }
        catch
        {
            joined?.Dispose();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Whether this machine has the keys that a ledger is settled with: without them another silo must. A ledger that
    /// was not begun has none, and whoever settles first makes them.</summary>
    public bool MaySettle => (LedgerKeys.AreIn(LedgerKeys.FolderIn(_settings.DataFolder)) || Partitions.First.DurableSequence < 0) && _duty is { IsRefused: false };

    /// <summary>Whether it is this silo's, as far as it knows: no more when another has taken it over.</summary>
    public bool IsSettling => _duty is { IsGoingOn: true };

    /// <summary>What the partitions of a silo have in common.</summary>
    public SharedLedger Shared => _shared ?? throw new InvalidOperationException("a single node shares nothing");

    /// <summary>Settlement is this silo's: it is begun as soon as it can be, and again if it was taken away, when this is called
    /// again. Until it is begun <see cref="Settles"/> is false.</summary>
    public void BeginSettling() => _duty!.Begin();

    /// <summary>Why settlement could not be begun here when that was tried last; null if it could, or was not tried.</summary>
    public string? SettlementTrouble => _duty?.Trouble;

    /// <summary>Why settlement is not begun here again before a restart; null as long as it may be.</summary>
    public string? SettlementBar => _duty?.Bar;

    /// <summary>Has settlement look at the chain and do what is due, soon; nothing while it is not begun here.</summary>
    public void WakeSettlement() => _desk?.Loop.Wake();

    /// <summary>Settlement is this silo's no more; done when nothing of it goes on here.</summary>
    public Task EndSettlingAsync() => _duty!.EndAsync();

    private async Task<SettlementDesk> BeginDeskAsync(
        string silo, JournalDatabase database, NodeSwitch? nodes, WithdrawalFees fees, TimeProvider time, ILogger logger, FatalHandler ended, CancellationToken cancel)
    {
        var files = new LinuxFileSystem();
        var folder = LedgerKeys.FolderIn(_settings.DataFolder);
        await LedgerGenesis.EnsureAsync(_settings, Partitions, _node, await OpenKeysAsync(), logger, cancel);
        // Another silo may have begun the ledger meanwhile, with keys of its own: then these are not the ledger's.
        var keys = await OpenKeysAsync();
        var shared = new SharedSettlement(PostgresFiles.OfSettlement(database), _settings.DataFolder);
        // Hashing the log takes long on a machine that settles for the first time. Without a mark nobody else has settled.
        if (shared.HasMark) await SettlementDesk.PrepareAsync(Tools(), Partitions, cancel);
        cancel.ThrowIfCancellationRequested();
        // A term of its own for each beginning: what a desk before has sent and was not answered is refused from here on, or stands
        // before the term's entry.
        var term = await SettlementTerm.TakeOverAsync(Partitions, ByteString.FromUtf8(string.Create(CultureInfo.InvariantCulture, $"{silo} {Interlocked.Increment(ref _terms)}")));
        keys = await OpenKeysAsync();
        shared = new SharedSettlement(PostgresFiles.OfSettlement(database, term.Number), _settings.DataFolder);
        if (!shared.HasMark)
        {
            var (isCut, epoch, stated) = await Partitions.First.QueryAsync(ledger => (ledger.LastLogCut is not null, ledger.LastEpoch?.Number ?? 0, ledger.LastStatedEpoch?.Number));
            // Before the first cut of a ledger that is begun here; or a single node had it before.
            if (!isCut) shared.BeginMark();
            else
            {
                shared.Adopt(epoch, stated, database.Name);
                logger.SettlementAdopted(_settings.DataFolder, database.Name);
            }
        }
        return await SettlementDesk.BeginAsync(Tools(), term, cancel);

        SettlementTools Tools() => new(_settings, files, _node, nodes, keys, shared.OpenMark(), shared.Epochs, fees, time, logger, ended);

        async Task<LedgerKeys> OpenKeysAsync()
        {
            var (genesis, rotations) = await Partitions.First.QueryAsync(ledger => (ledger.Genesis, ledger.KeyRotations.ToArray()));
            return LedgerKeys.Open(files, folder, _settings, genesis, rotations);
        }
    }

    private static RecoveryTerms Terms(EngineSettings settings) => new(
        new SnapshotSettings { Entries = settings.SnapshotEntries, JournalBytes = (long)settings.SnapshotMebibytes << 20, Kept = settings.SnapshotsKept },
        ClientIds.DrawSecret(), KeepsBalances: true);

    private static PartitionBounds BoundsOfSilo(int partitions) => new()
    {
        BatchBytes = Math.Clamp(BatchBytesOfSilo / (2 * partitions), BatchBytesMin, Limits.BatchBytesMax),
        WindowIds = Limits.WindowIdsMax / partitions,
        WindowBytes = Limits.WindowBytesMax / partitions,
    };

    /// <summary>What the copies of a silo rest on.</summary>
    private sealed class JoinedDatabase(JournalDatabase database, JournalTail tail) : IDisposable
    {
        public JournalDatabase Database => database;
        public JournalTail Tail => tail;

        public static JoinedDatabase Open(EngineSettings settings, ILogger logger, FatalHandler fatal)
        {
            var database = JournalDatabase.Open(JournalStore.ToPostgres(settings));
            return new JoinedDatabase(database, new JournalTail(database, logger, cause => fatal("a copy cannot follow its journal", cause)));
        }

        public void Dispose()
        {
            tail.Dispose();
            database.Dispose();
        }
    }
}
