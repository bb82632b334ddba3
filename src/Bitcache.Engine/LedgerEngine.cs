// One node's engine, put together: the data folder, the journal and the ledger recovered from it, the log and its
// key, and the loop that ties them to Bitcoin.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

/// <summary>The node could not be asked for what only it can give. Nothing was changed; a retry is safe.</summary>
public sealed class NodeUnavailableException(string reason) : Exception($"the Bitcoin node cannot be asked now: {reason}");

public sealed class LedgerEngine : IAsyncDisposable
{
    /// <summary>A single node keeps all wallets in one partition: a payment is then one entry.</summary>
    private const int Partitions = 1;
    private static readonly TimeSpan HealthAgeMax = TimeSpan.FromSeconds(1);

    private readonly EngineSettings _settings;
    private readonly DataFolderLock _folder;
    private readonly CheckpointKey _key;
    private readonly LogKeeper _log;
    private readonly SettlementLoop _settlement;
    private readonly Receipts _receipts;
    private readonly IBitcoinNode _node;
    private readonly TimeProvider _time;
    private volatile Looked? _health;

    private sealed record Looked(EngineHealth Health, long Timestamp);

    private LedgerEngine(
        EngineSettings settings, DataFolderLock folder, Partition partition, CheckpointKey key, LogKeeper log, SettlementLoop settlement,
        IBitcoinNode node, TimeProvider time)
    {
        (_settings, _folder, Partition, _key, _log, _settlement, _node, _time) = (settings, folder, partition, key, log, settlement, node, time);
        _receipts = new Receipts(partition, log, key.Origin);
    }

    public Partition Partition { get; }
    public BitcoinNetwork Network => _settings.Network;
    public EngineSettings Settings => _settings;

    /// <summary>What recovery found; for the log and the operator.</summary>
    public required RecoveryReport Recovery { get; init; }

    /// <summary>The snapshot that recovery began with; null if it read the whole journal.</summary>
    public required JournalStart? RecoveredFrom { get; init; }

    /// <summary>The newest signed checkpoint (a signed note).</summary>
    public string Checkpoint => _log.Checkpoint;

    /// <summary>Opens the data folder, recovers the ledger, and begins to work. A new ledger needs the node once,
    /// for the script that its anchors will pay.</summary>
    /// <exception cref="SettingsException">The settings, the keys and the data folder do not fit together.</exception>
    /// <exception cref="DataFolderInUseException">Another process has the folder.</exception>
    /// <exception cref="JournalCorruptException">What was durable is damaged: nothing is opened.</exception>
    /// <exception cref="HistoryMismatchException">The journal is not the one that was signed for.</exception>
    /// <exception cref="SnapshotMismatchException">The journal is not the one that the snapshots were taken of.</exception>
    /// <exception cref="NodeUnavailableException">A new ledger, and no node to begin it with.</exception>
    public static async Task<LedgerEngine> OpenAsync(
        EngineSettings settings, IBitcoinNode node, TimeProvider time, ILoggerFactory logs, FatalHandler fatal, CancellationToken cancel)
    {
        if (settings.Problems() is { Count: > 0 } problems) throw new SettingsException(problems);
        var files = new LinuxFileSystem();
        Directory.CreateDirectory(settings.DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var folder = DataFolderLock.Take(files, settings.DataFolder, settings.ArchiveFolder);
        Partition? partition = null;
        LogKeeper? log = null;
        try
        {
            var logger = logs.CreateLogger("Bitcache.Engine");
            var keys = Path.Combine(settings.DataFolder, "keys");
            Directory.CreateDirectory(keys, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var mark = SignedMark.Open(files, keys);
            var (ledger, journal, snapshots, start) = Recover(settings, files, mark, logger);
            var isNew = ledger.Genesis is null;
            var key = CheckpointKey.Open(files, keys, settings.Origin, mayCreate: isNew);
            if (!isNew) CheckIdentity(settings, ledger.Genesis!, key);

            partition = new Partition(
                ledger, journal, new BatchClock(time, isNew ? null : ledger.Time), logger, fatal, snapshots: snapshots);
            partition.Start();
            snapshots.Start(fatal);
            journal.Upkeep.Start(cause => fatal("a closed segment or its folder cannot be relied on; restart to recover from what is durable", cause));
            if (isNew) await BeginAsync(settings, partition, node, key, logger, cancel);
            log = new LogKeeper(partition, key, mark, files, Path.Combine(settings.DataFolder, "log"));
            await log.ResumeAsync();
            var gate = new NodeGate(node, settings.Network.ChainName(), settings.Network.GenesisBlock());
            var settlement = new SettlementLoop(partition, log, node, gate, settings, time, logger, fatal);
            settlement.Start();
            return new LedgerEngine(settings, folder, partition, key, log, settlement, node, time) { Recovery = journal.Recovery, RecoveredFrom = start };
        }
        catch
        {
            log?.Dispose();
            if (partition is not null) await partition.DisposeAsync();
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Gives a wallet a fresh Bitcoin address, or the one that this id got before.</summary>
    /// <exception cref="NodeUnavailableException">There is no node to ask for an address.</exception>
    public async Task<Answer> AssignAddressAsync(
        OperationId id, WalletId wallet, uint tenant, AddressPurpose purpose, CancellationToken cancel)
    {
        // A retry does not cost an address: the id is looked up first.
        var (known, owner) = await Partition.QueryAsync(ledger => (ledger.FindId(wallet, id), ledger.FindWallet(wallet)?.Tenant));
        if (known is null && owner != tenant) return new Answer(Outcome.WalletNotFound, null, null, null);
        var script = known is null ? await FreshScriptAsync(_node, _settings.Network, cancel) : ByteString.Empty;
        return await Partition.SubmitAsync(new AssignAddress(id, wallet, purpose, script), tenant);
    }

    /// <summary>Closes the epoch now; the same id closes one epoch. The entry's command is an <see cref="EpochCut"/>.</summary>
    public Task<Answer> CloseEpochAsync(OperationId id, CancellationToken cancel) => _settlement.CloseEpochAsync(id, cancel);

    /// <summary>Looks at the chain and does what is due now, without waiting for the next turn.</summary>
    public Task SettleAsync(CancellationToken cancel) => _settlement.TakeTurnAsync(cancel);

    /// <summary>The receipt of a journaled entry; null while no signed checkpoint covers it.</summary>
    public Task<Receipt?> FindReceiptAsync(long sequence) => _receipts.FindAsync(sequence);

    /// <summary>What an auditor pins: name and key of the log, the anchor script, the first anchor.</summary>
    public Task<Pins> PinsAsync() => Partition.QueryAsync(ledger => new Pins(
        _key.Verifier, ledger.Genesis!.AnchorScript.Span.ToArray(), AnchorChain.First(ledger.Families()), Network));

    /// <summary>How everything was at most a second ago: what anybody may ask at any rate.</summary>
    public async Task<EngineHealth> RecentHealthAsync()
    {
        if (_health is { } known && _time.GetElapsedTime(known.Timestamp) < HealthAgeMax) return known.Health;
        var health = await HealthAsync();
        _health = new Looked(health, _time.GetTimestamp());
        return health;
    }

    /// <summary>How everything is now. The answer costs the partition's time.</summary>
    public async Task<EngineHealth> HealthAsync()
    {
        var chain = _settlement.Chain;
        return await Partition.QueryAsync(ledger => new EngineHealth(
            chain, Partition.IsStorageFull, Partition.IsClockTrusted, ledger.Totals, ledger.NextSequence, ledger.WalletCount,
            _log.CheckpointSize, ledger.Cursor, ledger.QueuedWithdrawals, ledger.LiveFamilies(), _settlement.Payouts.Waiting,
            _settlement.Payouts.OperatorFundsLow, ledger.OperatorWallet.Available, ledger.LastEpoch,
            (ledger.LastEpoch?.Number ?? 0) - NewestAnchored(ledger)));
    }

    /// <summary>Takes no more work, finishes what was taken, seals the journal, lets the folder go.</summary>
    public async ValueTask DisposeAsync()
    {
        await _settlement.DisposeAsync();
        await Partition.DisposeAsync();
        _log.Dispose();
        _folder.Dispose();
    }

    private static long NewestAnchored(Ledger ledger) =>
        ledger.Families().LastOrDefault(f => f.Anchor is not null && f.Confirmation is not null)?.Anchor!.Epoch ?? 0;

    private static RecoveredLedger Recover(EngineSettings settings, LinuxFileSystem files, SignedMark mark, ILogger logger)
    {
        var watch = Stopwatch.StartNew();
        var layout = new FileJournalSettings
        {
            SegmentBytes = settings.SegmentMebibytes << 20,
            PreparesSegments = true,
            ArchiveFolder = settings.ArchiveFolder,
            ArchiveAfterSegments = settings.ArchiveAfterSegments,
        };
        var policy = new SnapshotSettings { Entries = settings.SnapshotEntries, JournalBytes = (long)settings.SnapshotMebibytes << 20, Kept = settings.SnapshotsKept };
        var recovered = LedgerRecovery.Open(files, settings.DataFolder, layout, policy, ClientIds.DrawSecret(), logger, mark.CheckReaches);
        var ledger = recovered.Ledger;
        if (ledger.Genesis is not null) logger.LedgerRecovered(ledger.NextSequence, ledger.WalletCount, ledger.Time, watch.ElapsedMilliseconds);
        return recovered;
    }

    private static void CheckIdentity(EngineSettings settings, Genesis genesis, CheckpointKey key)
    {
        var problems = new List<string>();
        if (genesis.Origin != settings.Origin)
            problems.Add($"the ledger in {settings.DataFolder} is '{genesis.Origin}', the settings say origin '{settings.Origin}'");
        if (genesis.Network != (byte)settings.Network)
            problems.Add($"the ledger in {settings.DataFolder} is on {(BitcoinNetwork)genesis.Network}, the settings say network {settings.Network}");
        if (genesis.Partitions != Partitions)
            problems.Add($"the ledger in {settings.DataFolder} has {genesis.Partitions} partitions, a single node has {Partitions}");
        if (!genesis.Keys.Contains(key.Fingerprint))
            problems.Add("the checkpoint key is not the one that this ledger began with: restore that one from its backup");
        if (problems.Count > 0) throw new SettingsException(problems);
    }

    private static async Task BeginAsync(
        EngineSettings settings, Partition partition, IBitcoinNode node, CheckpointKey key, ILogger logger, CancellationToken cancel)
    {
        await EnsureWalletAsync(node, cancel);
        var script = await FreshScriptAsync(node, settings.Network, cancel);
        await partition.SubmitAsync(new Genesis(
            settings.Origin, (byte)settings.Network, Partitions, ClientIds.NextWallet(), script, [key.Fingerprint]));
        logger.LedgerBegun(settings.Origin, settings.Network, script);
    }

    /// <summary>Only a new ledger may make a new wallet: later, a missing one is an alarm.</summary>
    private static async Task EnsureWalletAsync(IBitcoinNode node, CancellationToken cancel)
    {
        try
        {
            if (!await node.LoadWalletAsync(cancel)) await node.CreateWalletAsync(cancel);
        }
        catch (NodeException e)
        {
            throw new NodeUnavailableException(e.Message);
        }
    }

    private static async Task<ByteString> FreshScriptAsync(IBitcoinNode node, BitcoinNetwork network, CancellationToken cancel)
    {
        try
        {
            var address = await node.GetNewAddressAsync(cancel);
            return BitcoinAddress.TryParse(address, network, out var script, out var refusal)
                ? new ByteString(script)
                : throw new NodeUnavailableException($"it gave the address {address}, which is not one of {network}: {refusal}");
        }
        catch (NodeException e)
        {
            throw new NodeUnavailableException(e.Message);
        }
    }
}
