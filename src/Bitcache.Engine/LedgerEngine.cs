// The engine, put together: the partitions, and the settlement that ties them to Bitcoin. A single node has both for itself
// (LedgerEngine.Single.cs); a silo shares the partitions with others, and settles when it is told to (LedgerEngine.Cluster.cs).

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;

namespace Bitcache.Engine;

/// <summary>The node could not be asked for what only it can give. Nothing was changed; a retry is safe.</summary>
public sealed class NodeUnavailableException(string reason) : Exception($"the Bitcoin node cannot be asked now: {reason}");

/// <param name="TreeSize">How large the log was behind it; with several partitions null until all have closed it and the log is cut there.</param>
public sealed record ClosedEpoch(Epoch Epoch, long? TreeSize);

/// <summary>Another silo of the cluster settles, or none does now: it cannot be asked here.</summary>
public sealed class SettledElsewhereException() : Exception("settlement is not done here now");

public sealed partial class LedgerEngine : IAsyncDisposable
{
    /// <summary>How old an answer may be that anybody may ask for.</summary>
    private static readonly TimeSpan AnswerAgeMax = TimeSpan.FromSeconds(1);

    private readonly EngineSettings _settings;
    private readonly DataFolderLock _folder;
    // What the journals are kept in: disposed of after the partitions.
    private readonly IDisposable _journals;
    private readonly IBitcoinNode _node;
    private readonly Recent<EngineHealth> _health;
    private readonly Recent<Pins> _pins;
    // Of a silo null while it does not settle.
    private volatile SettlementDesk? _desk;

    private LedgerEngine(
        EngineSettings settings, DataFolderLock folder, IDisposable journals, PartitionSet partitions, IBitcoinNode node, TimeProvider time)
    {
        (_settings, _folder, _journals, Partitions, _node) = (settings, folder, journals, partitions, node);
        _health = new Recent<EngineHealth>(HealthAsync, AnswerAgeMax, time);
        _pins = new Recent<Pins>(AskPinsAsync, AnswerAgeMax, time);
        partitions.Term = () => Desk.Term;
    }

    public PartitionSet Partitions { get; }

    /// <summary>Whether settlement is done here. Of a silo that may change at any moment; what needs it says
    /// <see cref="SettledElsewhereException"/> then.</summary>
    public bool Settles => _desk is not null;

    private SettlementDesk Desk => _desk ?? throw new SettledElsewhereException();

    public BitcoinNetwork Network => _settings.Network;
    public EngineSettings Settings => _settings;

    /// <summary>The height of the chain when it was looked at last; null before that.</summary>
    public int? ChainHeight => Desk.Loop.Chain.Height;

    /// <summary>What users are quoted for the mining of their withdrawals.</summary>
    public WithdrawalFees WithdrawalFees => Desk.Loop.Fees;

    /// <summary>What recovery found in each partition; for the log and the operator. Of a silo nothing.</summary>
    public IReadOnlyList<RecoveryReport> Recovery { get; private init; } = [];

    /// <summary>The snapshot that the recovery of each partition began with; null if it read the whole journal. Of a silo nothing.</summary>
    public IReadOnlyList<JournalStart?> RecoveredFrom { get; private init; } = [];

    /// <inheritdoc cref="EpochPublication.IndexAsync"/>
    public Task<byte[]> EpochIndexAsync() => Desk.AskAsync(desk => desk.Epochs.IndexAsync().AsTask());

    /// <inheritdoc cref="EpochPublication.FindAsync"/>
    public Task<PublishedFile?> FindEpochFileAsync(long number, string name) => Desk.AskAsync(desk => desk.Epochs.FindAsync(number, name));

    /// <inheritdoc cref="EpochPublication.FindBalanceAsync"/>
    public Task<StatedBalance?> FindBalanceAsync(long number, WalletId wallet) => Desk.AskAsync(desk => desk.Epochs.FindBalanceAsync(number, wallet));

    /// <inheritdoc cref="EpochPublication.KeyOf"/>
    public Hash256 LiabilityKeyOf(WalletId wallet) => Desk.Epochs.KeyOf(wallet);

    /// <summary>The newest signed checkpoint (a signed note).</summary>
    public string Checkpoint => Desk.Log.Checkpoint;

    /// <inheritdoc cref="LogKeeper.Verifier"/>
    public VerifierKey Verifier => Desk.Log.Verifier;

    /// <inheritdoc cref="LogKeeper.KeyRotations"/>
    public string KeyRotations => Desk.Log.KeyRotations;

    /// <inheritdoc cref="AddressAllocator.AssignAsync(OperationId, WalletId, uint, AddressPurpose, CancellationToken)"/>
    public Task<Answer> AssignAddressAsync(OperationId id, WalletId wallet, uint tenant, AddressPurpose purpose, CancellationToken cancel) =>
        Desk.AskAsync(desk => desk.Addresses.AssignAsync(id, wallet, tenant, purpose, cancel));

    /// <inheritdoc cref="AddressAllocator.AssignAsync(OperationId, WalletId, uint, AddressPurpose, int, CancellationToken)"/>
    public Task<Answer> AssignAddressesAsync(OperationId id, WalletId wallet, uint tenant, AddressPurpose purpose, int count, CancellationToken cancel) =>
        Desk.AskAsync(desk => desk.Addresses.AssignAsync(id, wallet, tenant, purpose, count, cancel));

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
        return await Desk.AskAsync(async desk =>
        {
            await desk.Loop.MarkRescanAsync(fromHeight);
            var pending = await Partitions.First.QueryAsync(ledger => ledger.Rescan);
            desk.Loop.RescanAnew();
            desk.Loop.Wake();
            // It may be over by now.
            return (uint?)(pending < fromHeight ? pending.Value : fromHeight);
        });
    }

    /// <summary>Closes the epoch now; the same id closes one epoch. The entry's command is an <see cref="EpochCut"/>.</summary>
    public Task<Answer> CloseEpochAsync(OperationId id, CancellationToken cancel) => Desk.AskAsync(desk => desk.Loop.CloseEpochAsync(id, cancel));

    /// <inheritdoc cref="LogKeeper.RotateKeyAsync"/>
    public Task<Answer> RotateCheckpointKeyAsync(OperationId id, CancellationToken cancel) => Desk.AskAsync(desk => desk.Loop.RotateCheckpointKeyAsync(id, cancel));

    /// <summary>Looks at the chain and does what is due now, without waiting for the next turn.</summary>
    public Task SettleAsync(CancellationToken cancel) => Desk.AskAsync(async desk =>
    {
        await desk.Loop.TakeTurnAsync(cancel);
        return true;
    });

    /// <summary>Transactions that wait to be signed elsewhere.</summary>
    public Task<IReadOnlyList<SigningRequest>> ListSigningAsync() => Desk.AskAsync(desk => desk.Loop.ListSigningAsync());

    /// <summary>Takes back a transaction that was signed elsewhere.</summary>
    /// <exception cref="NodeUnavailableException">The node cannot say whether it is complete. Nothing was taken.</exception>
    public Task<SignedOutcome> TakeSignedAsync(Txid txid, string psbt, CancellationToken cancel) => AskNodeAsync(Desk.AskAsync(desk => desk.Loop.TakeSignedAsync(txid, psbt, cancel)));

    /// <inheritdoc cref="ReservesProver.FindAsync"/>
    public Task<Proving> FindReservesProofAsync(long epoch, CancellationToken cancel) => Desk.AskAsync(desk => desk.Prover.FindAsync(epoch, cancel));

    /// <summary>Has the node's wallet sign what it can of an epoch's proof of reserves.</summary>
    /// <exception cref="NodeUnavailableException">The node cannot sign now. Nothing was changed.</exception>
    public Task<Proving> SignReservesAsync(long epoch, CancellationToken cancel) => AskNodeAsync(Desk.AskAsync(desk => desk.Prover.SignAsync(epoch, cancel)));

    /// <summary>Takes back what others signed of it.</summary>
    /// <exception cref="NodeUnavailableException">The node cannot check it now. Nothing was taken.</exception>
    public Task<Proving> TakeReservesAsync(long epoch, IReadOnlyList<string> psbts, CancellationToken cancel) => AskNodeAsync(Desk.AskAsync(desk => desk.Prover.TakeAsync(epoch, psbts, cancel)));

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
    public Task<Receipt?> FindReceiptAsync(int partition, long sequence) => Desk.AskAsync(desk => desk.Receipts.FindAsync(partition, sequence));

    /// <inheritdoc cref="LogKeeper.FindTile"/>
    public byte[]? FindTile(LogTile tile) => Desk.Log.FindTile(tile);

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
        var log = Desk.Log;
        var closed = await Partitions.QueryAllAsync(ledger => epochs.Select(epoch => ledger.FindEpoch(epoch.Number)?.Entries - 1).ToArray());
        return [.. epochs.Select((epoch, i) =>
        {
            var through = closed.Select(of => of[i]).OfType<long>().ToArray();
            return new ClosedEpoch(epoch, through.Length == Partitions.Count ? log.FindSize(through) : null);
        })];
    }

    /// <summary>Everybody who owns a wallet. It costs a walk over all wallets: for a start.</summary>
    public async Task<IReadOnlyCollection<uint>> TenantsAsync() =>
        (await Partitions.QueryAllAsync(ledger => ledger.Tenants())).SelectMany(tenants => tenants).ToHashSet();

    /// <summary>What an auditor pins: name and key of the log, the anchor script, the first anchor; as it was at most a
    /// second ago.</summary>
    public ValueTask<Pins> PinsAsync() => _pins.GetAsync();

    private Task<Pins> AskPinsAsync() => AskPinsAsync(Desk.Key);

    private Task<Pins> AskPinsAsync(CheckpointKey key) => Partitions.First.QueryAsync(ledger => new Pins(
        key.First, ledger.Genesis!.AnchorScript.Span.ToArray(), AnchorChain.First(ledger.FirstFinalAnchor), Network));

    /// <summary>How everything was at most a second ago: what anybody may ask at any rate.</summary>
    public ValueTask<EngineHealth> RecentHealthAsync() => _health.GetAsync();

    /// <summary>How everything is now. The answer costs the partition's time.</summary>
    public async Task<EngineHealth> HealthAsync()
    {
        var desk = Desk;
        var chain = desk.Loop.Chain;
        var views = await Partitions.QueryAllAsync(ledger => (
            Totals: ledger.Totals, ledger.NextSequence, ledger.WalletCount, ledger.QueuedWithdrawals, Live: ledger.LiveFamilies(),
            Operator: ledger.OperatorWallet.Available, Awaiting: ledger.AwaitingWithdrawals().Count, ledger.WithdrawalsStopped,
            Dead: ledger.DeadFamilies()));
        var (cursor, epoch, anchored, stop) = await Partitions.First.QueryAsync(ledger => (ledger.Cursor, ledger.LastEpoch, ledger.NewestConfirmedAnchor?.Anchor!.Epoch ?? 0, ledger.SettlementStop));
        var payouts = desk.Loop.Payouts;
        // Each partition has an account of the operator's wallet.
        return new EngineHealth(
            chain, Partitions.IsStorageFull, Partitions.IsClockTrusted, Totals.Sum(views.Select(v => v.Totals)), views.Sum(v => v.NextSequence),
            views.Sum(v => v.WalletCount) - (Partitions.Count - 1), desk.Log.CheckpointSize, cursor, views.Sum(v => v.QueuedWithdrawals),
            [.. views.SelectMany((v, partition) => v.Live.Select(family => new LiveFamily(partition, family, payouts[partition].Waiting.GetValueOrDefault(family.Number))))],
            payouts.Any(p => p.OperatorFundsLow), views.Aggregate(Msat.Zero, (sum, v) => sum + v.Operator), epoch, (epoch?.Number ?? 0) - anchored,
            Partitions.LegsInFlight)
        {
            Nodes = desk.Loop.Nodes,
            // The others follow the first.
            WithdrawalsStopped = views[0].WithdrawalsStopped,
            AwaitingWithdrawals = views.Sum(v => v.Awaiting),
            DeadFamilies = [.. views.SelectMany((v, partition) => v.Dead.Select(f => new DeadFamily(partition, f.Number, f.Spend!)))],
            SettlementStop = stop,
            AnchorAlarm = desk.Loop.AnchorAlarm,
            WalletsHealth = desk.Loop.Wallets,
            Books = desk.Loop.Books,
        };
    }

    /// <summary>Ends the turn of settlement that is under way, and has none follow by itself: for a process that ends, before nobody
    /// reaches the brakes any more. Requests are answered as before.</summary>
    public async Task EndTurnsAsync()
    {
        if (_desk is not { } settling) return;
        try
        {
            await settling.AskAsync(async desk =>
            {
                await desk.Loop.StopAsync();
                return true;
            });
        }
        catch (SettledElsewhereException)
        {
            // It ends by itself.
        }
    }

    /// <summary>Takes no more work, finishes what was taken, seals the journal, lets the folder go.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_duty is not null) await _duty.DisposeAsync();
        if (_desk is not null) await _desk.DisposeAsync();
        await Partitions.DisposeAsync();
        _journals.Dispose();
        _folder.Dispose();
    }
}
