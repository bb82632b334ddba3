using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Api;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>The whole settlement loop over simulated nodes, its turns taken when a test wants them. The journal and the log
/// are in memory.</summary>
internal sealed class LoopStage : IAsyncDisposable
{
    public const string WalletName = "wallet";
    public const int ToCredit = 2;
    public const int ToFinal = 3;

    public static readonly EngineSettings Settings = new()
    {
        DataFolder = "/nowhere",
        Origin = BegunLedger.Origin,
        ConfirmationsToCredit = [new ConfirmationRule(0, ToCredit)],
        FinalityDepth = ToFinal,
        FeeCapSat = 20_000,
        FallbackFeeRate = 2,
    };

    /// <summary>The system's, and further as a test wants it.</summary>
    public TwoClocks Time { get; } = new();

    private readonly GatedJournal _journal = new();
    private readonly TemporaryFolder _keys = new();
    private readonly OwnedPartition _partition;
    private readonly LogKeeper _log;
    private readonly IBitcoinNode _node;
    private readonly IBitcoinNode _seam;
    private readonly AddressAllocator _addresses;
    private readonly EngineSettings _settings;
    private readonly WalletId _operator = ClientIds.NextWallet();
    // Each goes to a script of its own.
    private readonly Dictionary<WithdrawalKey, (ByteString Script, Sats Amount)> _withdrawals = [];
    private long _deposited;

    private LoopStage(FakeNode world, NodeSwitch nodes, int feeTargetBlocks, OutflowLimits? limits, Func<IBitcoinNode, IBitcoinNode>? between, FatalHandler? fatal)
    {
        var settings = Settings with { FeeTargetBlocks = feeTargetBlocks, WithdrawalLimits = limits ?? new() };
        World = world;
        _node = new BitcoinRpcNode(nodes);
        _seam = between?.Invoke(_node) ?? _node;
        _partition = BegunLedger.Over(_journal, Time, new Ledger(0) { KeepsBalances = true }, fatal);
        _partition.Start();
        Partitions = new PartitionSet([_partition]);
        var (system, disk) = (new LinuxFileSystem(), LogBook.NewDisk());
        var key = CheckpointKey.Open(system, _keys.Path, BegunLedger.Origin, mayCreate: true);
        _log = new LogKeeper(new SettlementTerm(Partitions), key, SignedMark.Open(disk, "/data"), disk, LogBook.Folder);
        Failover = new NodeFailover(nodes, Partitions, settings, NullLogger.Instance);
        _addresses = new AddressAllocator(new SettlementTerm(Partitions), _seam, settings, NullLogger.Instance);
        (_settings, Epochs) = (settings, new EpochFolder(disk, "/data/epochs"));
        var (cold, books) = (new ColdWallet(_seam, settings), NewBooks());
        Loop = new SettlementLoop(
            new SettlementTerm(Partitions), _log, _seam, new NodeGate(_seam, "regtest", BitcoinNetwork.Regtest.GenesisBlock()), _addresses, cold, books, settings, Time, NullLogger.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause), new WithdrawalFees(settings, Time), Failover);
    }

    /// <summary>The node that everything is held against: the one in use.</summary>
    public FakeNode World { get; set; }
    public PartitionSet Partitions { get; }
    public SettlementLoop Loop { get; }
    public NodeFailover Failover { get; }
    public EpochFolder Epochs { get; }
    public WalletId Wallet { get; } = ClientIds.NextWallet();
    public int Withdrawals => _withdrawals.Count;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A chain with an empty hot wallet.</summary>
    public static FakeNode NewWorld(int seed = 1)
    {
        var world = new FakeNode(seed, WalletName) { IsWalletLoaded = true };
        for (var i = 0; i < 20; i++) world.Mine();
        return world;
    }

    /// <summary>A ledger whose operator has money for fees and whose one user has bitcoin, all of it final.</summary>
    /// <param name="feeTargetBlocks">After so many blocks without it a transaction is replaced.</param>
    /// <param name="limits">On withdrawals; null for none.</param>
    /// <param name="between">Stands between the loop and the node; null for nothing.</param>
    /// <param name="fatal">Told when the partition stops, which fails the test if nobody is.</param>
    public static async Task<LoopStage> CreateAsync(
        FakeNode world, NodeSwitch nodes, int feeTargetBlocks = 6, OutflowLimits? limits = null, Func<IBitcoinNode, IBitcoinNode>? between = null, FatalHandler? fatal = null)
    {
        var stage = new LoopStage(world, nodes, feeTargetBlocks, limits, between, fatal);
        await stage.DoAsync(new Genesis(BegunLedger.Origin, (byte)BitcoinNetwork.Regtest, 1, stage._operator, world.Wallet.NewScript(change: false), []));
        await stage.DoAsync(new CreateWallet(stage.NewId(), 1, stage.Wallet), tenant: 1);
        await stage._log.ResumeAsync();
        for (var i = 0; i < 10; i++) await stage.PayInAsync(stage._operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        for (var i = 0; i < 3; i++) await stage.DepositAsync();
        for (var i = 0; i <= ToFinal; i++) world.Mine();
        await stage.TurnAsync();
        Assert.Null(stage.Loop.Chain.Trouble);
        return stage;
    }

    /// <summary>Somebody pays the user from outside; it waits for a block.</summary>
    public async Task DepositAsync() => _deposited += await PayInAsync(Wallet, AddressPurpose.Deposit, tenant: 1);

    private async Task<long> PayInAsync(WalletId wallet, AddressPurpose purpose, uint tenant)
    {
        var script = World.Wallet.NewScript(change: false);
        await DoAsync(new AssignAddress(NewId(), wallet, purpose, script), tenant);
        var amount = new Sats(200_000);
        Assert.Null(World.Send(World.Payment(FakeNode.AddressOf(script), amount, new Sats(1_000))));
        return amount.ToMsat().Value;
    }

    public async Task WithdrawAsync()
    {
        var (id, amount) = (NewId(), new Sats(30_000 + _withdrawals.Count));
        var script = new ByteString(FakeNode.ScriptOf(World.NewStranger()));
        await DoAsync(new RequestWithdrawal(id, Wallet, script, amount, Max: false), tenant: 1);
        _withdrawals.Add(new WithdrawalKey(Wallet, id), (script, amount));
    }

    /// <summary>The books as another process would go on with them.</summary>
    public EpochBooks NewBooks() => new(
        new SettlementTerm(Partitions), _seam, _log, new ColdWallet(_seam, _settings), LiabilityKey.Open(new LinuxFileSystem(), _keys.Path, mayCreate: true), Epochs, _settings,
        Time, NullLogger.Instance);

    /// <summary>What another process settles with: it has the same keys and the same node, and all else of its own.</summary>
    public SettlementTools NewTools()
    {
        var (system, disk) = (new LinuxFileSystem(), LogBook.NewDisk());
        return new SettlementTools(
            _settings with { DataFolder = "/data" }, disk, _node, null,
            new LedgerKeys(CheckpointKey.Open(system, _keys.Path, BegunLedger.Origin, mayCreate: false), LiabilityKey.Open(system, _keys.Path, mayCreate: true)),
            SignedMark.Open(disk, "/data"), new EpochFolder(disk, "/data/epochs"), new WithdrawalFees(_settings, Time), Time, NullLogger.Instance, (why, cause) => throw new InvalidOperationException(why, cause));
    }

    public Receipts Receipts => new(Partitions, _log, BegunLedger.Origin);

    /// <summary>What an auditor knows of the log.</summary>
    public VerifierKey LogKey => CheckpointKey.Open(new LinuxFileSystem(), _keys.Path, BegunLedger.Origin, mayCreate: false).Verifier;

    /// <summary>What the operator gives to a wallet's owner, once.</summary>
    public Hash256 AccountKey(WalletId wallet) => LiabilityKey.Open(new LinuxFileSystem(), _keys.Path, mayCreate: false).Seed.AccountKey(wallet);
    /// <summary>What is published of epochs, with nothing remembered.</summary>
    public EpochPublication NewPublication() => new(
        Partitions, Receipts, Epochs, LiabilityKey.Open(new LinuxFileSystem(), _keys.Path, mayCreate: true), BegunLedger.Origin,
        Time);

    /// <summary>Everybody who has a wallet.</summary>
    public Task<WalletId[]> WalletsAsync() => Task.FromResult<WalletId[]>([Wallet, _operator]);

    /// <summary>Has a checkpoint cover what was stated last.</summary>
    public Task LogAdvancesAsync() => _log.AdvanceAsync();

    /// <summary>The user pays the operator.</summary>
    public Task PayOperatorAsync(Msat amount) => DoAsync(new Transfer(NewId(), Wallet, _operator, amount, 0, ByteString.Empty), tenant: 1);

    /// <summary>Closes an epoch, about which something is stated in the turn that follows.</summary>
    public async Task<EpochStatement> CloseAndTurnAsync()
    {
        await CloseEpochAsync();
        await TurnAsync();
        return (await AskAsync(ledger => ledger.LastEpoch!.Statement)) ?? throw new InvalidOperationException("nothing is stated");
    }

    public Task CloseEpochAsync() => Loop.CloseEpochAsync(NewId(), Cancel);

    /// <summary>Takes a turn, and holds everything against what must be true after any.</summary>
    public async Task TurnAsync()
    {
        await Loop.TakeTurnAsync(Cancel);
        // The simulated nodes are for one caller at a time.
        await Failover.Looking;
        await CheckAsync();
    }

    /// <summary>Money is conserved, nothing is in the node's wallet that was not durable before, nobody is paid twice.</summary>
    public async Task CheckAsync()
    {
        var (totals, attempts) = await AskAsync(ledger =>
        {
            ledger.CheckEveryBalance();
            return (ledger.Totals, ledger.Families().SelectMany(f => f.Attempts).Select(a => a.Txid).ToHashSet());
        });
        Assert.True(totals.IsConserved);
        foreach (var known in World.Wallet.Known.Where(k => World.Wallet.IsFromMe(k.Transaction))) Assert.Contains(known.Txid, attempts);
        var paid = PaidByTheChain().ToLookup(script => script);
        Assert.All(_withdrawals, w => Assert.InRange(paid[w.Value.Script].Count(), 0, 1));
    }

    /// <summary>Everybody is paid, once, in the books and on the chain, and every deposit is credited once.</summary>
    public async Task CheckSettledAsync()
    {
        await CheckAsync();
        var (totals, states) = await AskAsync(ledger => (ledger.Totals, _withdrawals.Keys.Select(k => ledger.FindWithdrawal(k)!.State).ToArray()));
        Assert.All(states, state => Assert.Equal(WithdrawalState.Paid, state));
        Assert.Equal(_withdrawals.Values.Sum(w => w.Amount.ToMsat().Value), totals.Withdrawn);
        var paid = PaidByTheChain().ToLookup(script => script);
        Assert.All(_withdrawals, w => Assert.Single(paid[w.Value.Script]));
        var deposits = await AskAsync(ledger => ledger.DepositsOf(Wallet));
        Assert.Equal(_deposited, deposits.Where(d => d.State == DepositState.Final).Sum(d => d.Amount.ToMsat().Value));
        Assert.Null(Loop.Chain.Trouble);
    }

    public Task<T> AskAsync<T>(Func<Ledger, T> question) => _partition.QueryAsync(question);

    /// <summary>As whoever has settlement now.</summary>
    private async Task DoAsync(Command command, uint tenant = Ledger.OperatorTenant) =>
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(command, tenant, command is Genesis ? 0 : await AskAsync(ledger => ledger.Term))).Outcome);

    /// <summary>The scripts that the wallet's transactions pay in the best chain.</summary>
    private IEnumerable<ByteString> PaidByTheChain() => World.Wallet.Known
        .Where(k => World.Wallet.Confirmations(k) > 0).SelectMany(k => k.Transaction.Outputs).Select(o => new ByteString(o.Script));

    private OperationId NewId() => ClientIds.Next(Time);

    public async ValueTask DisposeAsync()
    {
        await Loop.DisposeAsync();
        await _addresses.DisposeAsync();
        await _partition.DisposeAsync();
        _log.Dispose();
        _journal.Dispose();
        _keys.Dispose();
    }
}
