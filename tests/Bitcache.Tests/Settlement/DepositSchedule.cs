// Goal: whatever a chain does and however its node answers, every output is credited at most once, only with enough
// confirmations, and taken back when it left the chain for good (P9); money is conserved after every look (P6).
// Method: a simulated node and the engine's own watcher on one thread. A seed draws what happens in the world, between
// looks and in the middle of one, which calls fail and how, and when the process ends. After every look the books are held
// against how deep each output has ever been; after a look that nothing disturbed each deposit must be where its
// transaction is.

using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

internal sealed class DepositSchedule : NodeSchedule
{
    // What a schedule may meet.
    public const string DoubleSpends = "double spends";
    public const string Credited = "deposits credited";
    public const string Reversed = "deposits reversed";

    private const int Rounds = 25;
    private const int Wallets = 3;
    private static readonly EngineSettings Settings = new()
    {
        DataFolder = "/nowhere",
        Origin = "ledger.test/log",
        ConfirmationsToCredit = [new ConfirmationRule(0, 1), new ConfirmationRule(1_000_000, 3)],
        FinalityDepth = 6,
    };

    private static readonly Disturbances Disturbances = new(FaultOneIn: 15, ChangeOneIn: 12, EndOneIn: 6, EndWithin: 6);

    private readonly DepositWorld _world;
    private readonly List<WalletId> _wallets = [];

    public DepositSchedule(int seed, NodeBug bug = NodeBug.None) : this(new Random(seed), bug)
    {
    }

    private DepositSchedule(Random random, NodeBug bug) : this(random, new DepositWorld(random.Next()), bug)
    {
    }

    private DepositSchedule(Random random, DepositWorld world, NodeBug bug) : base(random, world.Node, Disturbances, bug) => _world = world;

    protected override void Play()
    {
        Begin();
        for (var round = 0; round < Rounds; round++)
        {
            for (var steps = 1 + Draw.Next(3); steps > 0; steps--) _world.Step();
            Disturb();
            CheckBooks();
            if (TakeTurn()) CheckPlaces();
        }
        // In the end everything is deep enough to be decided.
        _world.Mine(Settings.FinalityDepth + 1);
        Must.Hold(TakeTurn(), "The node is ready, and the gate is closed.");
        CheckPlaces();
        var deposits = Deposits();
        Met.Count(Credited, deposits.Count(d => d.Booked));
        Met.Count(Reversed, deposits.Count(d => d.State == DepositState.Reversed));
        Met.Count(DoubleSpends, _world.DoubleSpends);
        Met.Count(Reorganisations, _world.Reorganisations);
    }

    private void Begin()
    {
        Books.Do(new Genesis(Settings.Origin, 3, 1, NewWallet(), new ByteString([0x51]), []));
        for (var i = 0; i < Wallets; i++)
        {
            _wallets.Add(NewWallet());
            Books.Do(new CreateWallet(Books.NewId(), 1, _wallets[^1]), tenant: 1);
            _world.Addresses.Add(Assign(_wallets[^1], AddressPurpose.Deposit, tenant: 1));
        }
    }

    protected override void ChangeWorld() => _world.Step();

    protected override Task SettleAsync(BlockchainInfo chain) =>
        new DepositWatcher(new SettlementTerm(Books.Set), Seam, Settings, NullLogger.Instance).LookAsync(CancellationToken.None);

    private Deposit[] Deposits() => Books.Ask(ledger => _wallets.SelectMany(ledger.DepositsOf).ToArray());

    /// <summary>What holds at any time: conservation, each output booked once with enough confirmations, and nothing in a wallet
    /// but its deposits.</summary>
    private void CheckBooks()
    {
        var totals = CheckedTotals();
        var deposits = Deposits();
        foreach (var deposit in deposits)
        {
            var deepest = _world.DeepestOf(deposit.OutPoint);
            Must.Hold(!deposit.Booked || deepest >= ToCredit(deposit), $"P9: {deposit.OutPoint} is booked and was never deeper than {deepest}.");
            Must.Hold(deposit.State != DepositState.Final || deepest >= Settings.FinalityDepth, $"P9: {deposit.OutPoint} is final and was never deeper than {deepest}.");
        }
        Must.Hold(totals.Deposited == Sum(deposits, d => d.Booked), "P9: what was credited is not each output once.");
        Must.Hold(totals.Reversed == Sum(deposits, d => d.Booked && d.State == DepositState.Reversed), "P9: what was reversed is not each output once.");
        foreach (var id in _wallets)
        {
            var wallet = Books.Ask(ledger => ledger.FindWallet(id))!.Value;
            var own = deposits.Where(d => d.Wallet == id && d is { Booked: true, Suspense: false }).ToArray();
            Must.Hold(wallet.Available.Value == Sum(own, d => d.State is DepositState.Credited or DepositState.Final), $"P9: wallet {id} has other money than its deposits.");
            Must.Hold(wallet.Frozen.Value == Sum(own, d => d.State == DepositState.Frozen), $"P9: wallet {id} has other money set aside than its deposits.");
        }
    }

    /// <summary>What holds after a look at a chain that stood still.</summary>
    private void CheckPlaces()
    {
        CheckBooks();
        var deposits = Deposits().ToDictionary(d => d.OutPoint);
        foreach (var (output, known) in _world.Ours)
        {
            var depth = _world.Node.Wallet.Confirmations(known);
            var state = deposits.GetValueOrDefault(output)?.State ?? DepositState.None;
            // These two are for ever.
            if (state is DepositState.Final or DepositState.Reversed) continue;
            if (state == DepositState.None)
            {
                Must.Hold(depth < 1, $"P9: {output} has {depth} confirmations and is unknown.");
                continue;
            }
            var (credit, deposit) = (ToCredit(deposits[output]), deposits[output]);
            if (!deposit.Booked && depth >= 1 && depth < credit)
                Must.Hold(state == DepositState.Seen && deposit.Block == known.Block!.Hash, $"{output} has {depth} confirmations in {known.Block!.Hash}, and is {state} in {deposit.Block}.");
            if (state == DepositState.Seen && depth < 1) Must.Hold(deposit.Height == 0, $"{output} is in no block, and is {state} in {deposit.Block}.");
            if (depth >= credit) Must.Hold(state == DepositState.Credited, $"P9: {output} has {depth} confirmations and is {state}.");
            if (depth < 1) Must.Hold(state != DepositState.Credited, $"P9: {output} has {depth} confirmations and is credited.");
            if (depth <= -Settings.FinalityDepth) Must.Hold(state == DepositState.Reversed, $"P9: a conflict of {output} is {-depth} deep, and it is {state}.");
        }
    }

    // A coinbase is booked into suspense when it is mature.
    private int ToCredit(Deposit deposit) =>
        Settings.ConfirmationsFor(deposit.Amount, _world.Node.Wallet.Find(deposit.OutPoint.Txid)!.Coinbase);

    private static long Sum(IEnumerable<Deposit> deposits, Func<Deposit, bool> which) => deposits.Where(which).Sum(d => d.Amount.ToMsat().Value);
}
