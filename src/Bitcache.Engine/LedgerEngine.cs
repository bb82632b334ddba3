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

/// <param name="TreeSize">How large the log was behind it; with several partitions null until all have closed it and the log is cut there.</param>
public sealed record ClosedEpoch(Epoch Epoch, long? TreeSize);

public sealed class LedgerEngine : IAsyncDisposable
{
    /// <summary>How old an answer may be that anybody may ask for.</summary>
    private static readonly TimeSpan AnswerAgeMax = TimeSpan.FromSeconds(1);

    private readonly EngineSettings _settings;
    private readonly DataFolderLock _folder;
    private readonly JournalStore _journals;
    private readonly SettlementDesk _desk;
    private readonly IBitcoinNode _node;
    private readonly Recent<EngineHealth> _health;
    private readonly Recent<Pins> _pins;

    private LedgerEngine(
        EngineSettings settings, DataFolderLock folder, JournalStore journals, PartitionSet partitions, SettlementDesk desk, IBitcoinNode node, TimeProvider time)
    {
        (_settings, _folder, _journals, Partitions, _desk, _node) = (settings, folder, journals, partitions, desk, node);
        _health = new Recent<EngineHealth>(HealthAsync, AnswerAgeMax, time);
        _pins = new Recent<Pins>(AskPinsAsync, AnswerAgeMax, time);
    }

    public PartitionSet Partitions { get; }
    public BitcoinNetwork Network => _settings.Network;
    public EngineSettings Settings => _settings;

    /// <summary>The height of the chain when it was looked at last; null before that.</summary>
    public int? ChainHeight => _desk.Loop.Chain.Height;

    /// <summary>What users are quoted for the mining of their withdrawals.</summary>
    public WithdrawalFees WithdrawalFees => _desk.Loop.Fees;

    /// <summary>What recovery found in each partition; for the log and the operator.</summary>
    public required IReadOnlyList<RecoveryReport> Recovery { get; init; }

    /// <summary>The snapshot that the recovery of each partition began with; null if it read the whole journal.</summary>
    public required IReadOnlyList<JournalStart?> RecoveredFrom { get; init; }

    /// <summary>What is published of epochs.</summary>
    public EpochPublication Epochs => _desk.Epochs;

    /// <summary>The newest signed checkpoint (a signed note).</summary>
    public string Checkpoint => _desk.Log.Checkpoint;

    /// <inheritdoc cref="LogKeeper.Verifier"/>
    public VerifierKey Verifier => _desk.Log.Verifier;

    /// <inheritdoc cref="LogKeeper.KeyRotations"/>
    public string KeyRotations => _desk.Log.KeyRotations;

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
        var files = new LinuxFileSystem();
        DurableFolder.Ensure(files, settings.DataFolder);
        var folder = DataFolderLock.Take(files, settings.DataFolder, settings.ArchiveFolder);
        RecoveredLedger<IRecoveredJournal>[] recovered = [];
        JournalStore? journals = null;
        PartitionSet? partitions = null;
        try
        {
            var logger = logs.CreateLogger("Bitcache.Engine");
            var keys = Path.Combine(settings.DataFolder, "keys");
            DurableFolder.Ensure(files, keys);
            var mark = SignedMark.Open(files, keys);
            journals = JournalStore.Open(settings, files, mark, logger);
            recovered = Recover(settings, journals, mark, logger);
            var genesis = recovered[0].Ledger.Genesis;
            if (genesis is null) mark.CheckReaches(0);
            var key = CheckpointKey.Open(files, keys, settings.Origin, mayCreate: genesis is null, recovered[0].Ledger.KeyRotations);
            // Ledgers of before have no fingerprint of this one, and make it when they first need it.
            var liabilities = LiabilityKey.Open(files, keys, mayCreate: genesis is null || genesis.Keys.All(k => k.Purpose != KeyPurpose.Liabilities));
            if (genesis is not null) CheckIdentity(settings, genesis, key, liabilities);

            partitions = Begin(settings, recovered, time, logger, fatal);
            await WriteGenesisAsync(settings, recovered, partitions, node, [key.Fingerprint, liabilities.Fingerprint], logger, cancel);
            // All partitions are here, and each journal has one writer: a single node needs no term of its own.
            var term = await SettlementTerm.TakeOverAsync(partitions, ByteString.Empty);
            var desk = await SettlementDesk.BeginAsync(new SettlementTools(settings, files, node, nodes, key, liabilities, mark, time, logger, fatal), term);
            desk.Start();
            return new LedgerEngine(settings, folder, journals, partitions, desk, node, time)
            {
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

    /// <inheritdoc cref="AddressAllocator.AssignAsync(OperationId, WalletId, uint, AddressPurpose, CancellationToken)"/>
    public Task<Answer> AssignAddressAsync(OperationId id, WalletId wallet, uint tenant, AddressPurpose purpose, CancellationToken cancel) =>
        _desk.Addresses.AssignAsync(id, wallet, tenant, purpose, cancel);

    /// <inheritdoc cref="AddressAllocator.AssignAsync(OperationId, WalletId, uint, AddressPurpose, int, CancellationToken)"/>
    public Task<Answer> AssignAddressesAsync(OperationId id, WalletId wallet, uint tenant, AddressPurpose purpose, int count, CancellationToken cancel) =>
        _desk.Addresses.AssignAsync(id, wallet, tenant, purpose, count, cancel);

    /// <summary>Has the node's wallet rescanned from a block on, and everything from there looked at again. Until that is done
    /// deposits and withdrawals wait.</summary>
    /// <returns>From where it is: further below if that was to be done already. Null if the chain has no such block.</returns>
    /// <exception cref="NodeUnavailableException">The node cannot be asked now, or has pruned the block.</exception>
    public async Task<uint?> RescanAsync(uint fromHeight, CancellationToken cancel)
    {
        try
        {
            if (fromHeight > int.MaxValue || await _node.GetBlockHashAsync((int)fromHeight, cancel) is not { } block) return null;
            // A wallet that cannot be rescanned would keep everything waiting: those above it are there if this one is.
            await _node.GetBlockTxidsAsync(block, cancel);
        }
        catch (NodeException e)
        {
            throw new NodeUnavailableException(e.Message);
        }
        await _desk.Loop.MarkRescanAsync(fromHeight);
        var pending = await Partitions.First.QueryAsync(ledger => ledger.Rescan);
        _desk.Loop.RescanAnew();
        _desk.Loop.Wake();
        // It may be over by now.
        return pending < fromHeight ? pending : fromHeight;
    }

    /// <summary>Closes the epoch now; the same id closes one epoch. The entry's command is an <see cref="EpochCut"/>.</summary>
    public Task<Answer> CloseEpochAsync(OperationId id, CancellationToken cancel) => _desk.Loop.CloseEpochAsync(id, cancel);

    /// <inheritdoc cref="LogKeeper.RotateKeyAsync"/>
    public Task<Answer> RotateCheckpointKeyAsync(OperationId id, CancellationToken cancel) => _desk.Loop.RotateCheckpointKeyAsync(id, cancel);

    /// <summary>Looks at the chain and does what is due now, without waiting for the next turn.</summary>
    public Task SettleAsync(CancellationToken cancel) => _desk.Loop.TakeTurnAsync(cancel);

    /// <summary>Transactions that wait to be signed elsewhere.</summary>
    public Task<IReadOnlyList<SigningRequest>> ListSigningAsync() => _desk.Loop.ListSigningAsync();

    /// <summary>Takes back a transaction that was signed elsewhere.</summary>
    /// <exception cref="NodeUnavailableException">The node cannot say whether it is complete. Nothing was taken.</exception>
    public Task<SignedOutcome> TakeSignedAsync(Txid txid, string psbt, CancellationToken cancel) => AskNodeAsync(_desk.Loop.TakeSignedAsync(txid, psbt, cancel));

    /// <inheritdoc cref="ReservesProver.FindAsync"/>
    public Task<Proving> FindReservesProofAsync(long epoch, CancellationToken cancel) => _desk.Prover.FindAsync(epoch, cancel);

    /// <summary>Has the node's wallet sign what it can of an epoch's proof of reserves.</summary>
    /// <exception cref="NodeUnavailableException">The node cannot sign now. Nothing was changed.</exception>
    public Task<Proving> SignReservesAsync(long epoch, CancellationToken cancel) => AskNodeAsync(_desk.Prover.SignAsync(epoch, cancel));

    /// <summary>Takes back what others signed of it.</summary>
    /// <exception cref="NodeUnavailableException">The node cannot check it now. Nothing was taken.</exception>
    public Task<Proving> TakeReservesAsync(long epoch, IReadOnlyList<string> psbts, CancellationToken cancel) => AskNodeAsync(_desk.Prover.TakeAsync(epoch, psbts, cancel));

    private static async Task<T> AskNodeAsync<T>(Task<T> question)
    {
        try
        {
            return await question;
        }
        catch (NodeException e)
        {
            throw new NodeUnavailableException(e.Message);
        }
    }

    /// <summary>The receipt of a journaled entry; null while no signed checkpoint covers it.</summary>
    public Task<Receipt?> FindReceiptAsync(int partition, long sequence) => _desk.Receipts.FindAsync(partition, sequence);

    /// <inheritdoc cref="LogKeeper.FindTile"/>
    public byte[]? FindTile(LogTile tile) => _desk.Log.FindTile(tile);

    /// <summary>Closed epochs before a place among them, newest first.</summary>
    public async Task<RecordPage<ClosedEpoch>> EpochsAsync(long before, int most)
    {
        var page = await Partitions.First.QueryAsync(ledger => ledger.Epochs(before, most));
        return new RecordPage<ClosedEpoch>(await CloseAsync(page.Items), page.Next);
    }

    public async Task<ClosedEpoch?> FindEpochAsync(long number) =>
        await Partitions.First.QueryAsync(ledger => ledger.FindEpoch(number)) is { } epoch ? (await CloseAsync([epoch]))[0] : null;

    /// <summary>How large the log was behind each of these: the other partitions may not have closed one yet.</summary>
    private async Task<ClosedEpoch[]> CloseAsync(IReadOnlyList<Epoch> epochs)
    {
        var closed = await Partitions.QueryAllAsync(ledger => epochs.Select(epoch => ledger.FindEpoch(epoch.Number)?.Entries - 1).ToArray());
        return [.. epochs.Select((epoch, i) =>
        {
            var through = closed.Select(of => of[i]).OfType<long>().ToArray();
            return new ClosedEpoch(epoch, through.Length == Partitions.Count ? _desk.Log.FindSize(through) : null);
        })];
    }

    /// <summary>Everybody who owns a wallet. It costs a walk over all wallets: for a start.</summary>
    public async Task<IReadOnlyCollection<uint>> TenantsAsync() =>
        (await Partitions.QueryAllAsync(ledger => ledger.Tenants())).SelectMany(tenants => tenants).ToHashSet();

    /// <summary>What an auditor pins: name and key of the log, the anchor script, the first anchor; as it was at most a
    /// second ago.</summary>
    public ValueTask<Pins> PinsAsync() => _pins.GetAsync();

    private Task<Pins> AskPinsAsync() => Partitions.First.QueryAsync(ledger => new Pins(
        _desk.Key.First, ledger.Genesis!.AnchorScript.Span.ToArray(), AnchorChain.First(ledger.FirstFinalAnchor), Network));

    /// <summary>How everything was at most a second ago: what anybody may ask at any rate.</summary>
    public ValueTask<EngineHealth> RecentHealthAsync() => _health.GetAsync();

    /// <summary>How everything is now. The answer costs the partition's time.</summary>
    public async Task<EngineHealth> HealthAsync()
    {
        var chain = _desk.Loop.Chain;
        var views = await Partitions.QueryAllAsync(ledger => (
            Totals: ledger.Totals, ledger.NextSequence, ledger.WalletCount, ledger.QueuedWithdrawals, Live: ledger.LiveFamilies(),
            Operator: ledger.OperatorWallet.Available, Awaiting: ledger.AwaitingWithdrawals().Count, ledger.WithdrawalsStopped,
            Dead: ledger.DeadFamilies()));
        var (cursor, epoch, anchored, stop) = await Partitions.First.QueryAsync(ledger => (ledger.Cursor, ledger.LastEpoch, ledger.NewestConfirmedAnchor?.Anchor!.Epoch ?? 0, ledger.SettlementStop));
        var payouts = _desk.Loop.Payouts;
        // Each partition has an account of the operator's wallet.
        return new EngineHealth(
            chain, Partitions.IsStorageFull, Partitions.IsClockTrusted, Totals.Sum(views.Select(v => v.Totals)), views.Sum(v => v.NextSequence),
            views.Sum(v => v.WalletCount) - (Partitions.Count - 1), _desk.Log.CheckpointSize, cursor, views.Sum(v => v.QueuedWithdrawals),
            [.. views.SelectMany((v, partition) => v.Live.Select(family => new LiveFamily(partition, family, payouts[partition].Waiting.GetValueOrDefault(family.Number))))],
            payouts.Any(p => p.OperatorFundsLow), views.Aggregate(Msat.Zero, (sum, v) => sum + v.Operator), epoch, (epoch?.Number ?? 0) - anchored,
            Partitions.LegsInFlight)
        {
            Nodes = _desk.Loop.Nodes,
            // The others follow the first.
            WithdrawalsStopped = views[0].WithdrawalsStopped,
            AwaitingWithdrawals = views.Sum(v => v.Awaiting),
            DeadFamilies = [.. views.SelectMany((v, partition) => v.Dead.Select(f => new DeadFamily(partition, f.Number, f.Spend!)))],
            SettlementStop = stop,
            AnchorAlarm = _desk.Loop.AnchorAlarm,
            WalletsHealth = _desk.Loop.Wallets,
            Books = _desk.Loop.Books,
        };
    }

    /// <summary>Takes no more work, finishes what was taken, seals the journal, lets the folder go.</summary>
    public async ValueTask DisposeAsync()
    {
        await _desk.DisposeAsync();
        await Partitions.DisposeAsync();
        _journals.Dispose();
        _folder.Dispose();
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

    private static void CheckIdentity(EngineSettings settings, Genesis genesis, CheckpointKey key, LiabilityKey liabilities)
    {
        var problems = new List<string>();
        if (genesis.Origin != settings.Origin)
            problems.Add($"the ledger in {settings.DataFolder} is '{genesis.Origin}', the settings say origin '{settings.Origin}'");
        if (genesis.Network != (byte)settings.Network)
            problems.Add($"the ledger in {settings.DataFolder} is on {(BitcoinNetwork)genesis.Network}, the settings say network {settings.Network}");
        if (!genesis.Keys.Contains(key.Fingerprint))
            problems.Add("the checkpoint key is not the one that this ledger began with: restore that one from its backup");
        if (genesis.Keys.Any(k => k.Purpose == KeyPurpose.Liabilities && k != liabilities.Fingerprint))
            problems.Add("the key of the liabilities is not the one that this ledger began with: restore that one from its backup");
        if (problems.Count > 0) throw new SettingsException(problems);
    }

    /// <summary>Begins a new ledger. The first partition's genesis entry says what it is; the others have the same, and those
    /// that lack it because the process ended in between, get it now.</summary>
    private static async Task WriteGenesisAsync(
        EngineSettings settings, RecoveredLedger<IRecoveredJournal>[] recovered, PartitionSet partitions, IBitcoinNode node, KeyFingerprint[] keys, ILogger logger, CancellationToken cancel)
    {
        if (recovered[0].Ledger.Genesis is not { } genesis)
        {
            await EnsureWalletAsync(node, cancel);
            var script = await FreshScriptAsync(node, settings.Network, cancel);
            genesis = new Genesis(
                settings.Origin, (byte)settings.Network, settings.Partitions, ClientIds.NextWallet(0, settings.Partitions), script, keys);
            await partitions.First.SubmitAsync(genesis);
            logger.LedgerBegun(settings.Origin, settings.Network, script);
        }
        for (var number = 1; number < partitions.Count; number++)
        {
            var known = recovered[number].Ledger.Genesis;
            if (known is null && recovered[0].Ledger.LastLogCut is not null)
                throw new HistoryMismatchException($"Partition {number} in {settings.DataFolder} has no journal, and entries of it were signed for.");
            if (known is null) await partitions[number].SubmitAsync(genesis);
            else if (known.Operator != genesis.Operator) throw new HistoryMismatchException($"Partition {number} in {settings.DataFolder} is one of another ledger.");
        }
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
