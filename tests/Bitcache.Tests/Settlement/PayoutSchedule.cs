// Goal: whatever a chain does and however its node answers, no withdrawal is paid twice, none is lost, and nothing reaches
// the node before it is durable here (P10); money is conserved after every turn (P6).
// Method: a simulated node and the engine's own watcher and payouts on one thread. A seed draws blocks, reorganisations,
// evictions, restarts of the node, fee rates, which calls fail and how, and when the process ends. After every turn what
// the node knows is held against what is durable; at the end the chain goes on calmly until everything is paid.

using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

internal sealed class PayoutSchedule : NodeSchedule
{
    private const int Rounds = 25;
    private const int CalmRoundsMax = 100;
    private const int Deposits = 6;
    private static readonly EngineSettings Settings = new()
    {
        DataFolder = "/nowhere",
        Origin = "ledger.test/log",
        ConfirmationsToCredit = [new ConfirmationRule(0, 2)],
        FinalityDepth = 6,
        // Whatever is left out of one block is replaced.
        FeeTargetBlocks = 1,
        FeeCapSat = 20_000,
        FallbackFeeRate = 2,
    };

    private static readonly Disturbances Disturbances = new(FaultOneIn: 20, ChangeOneIn: 15, EndOneIn: 4, EndWithin: 16);

    private readonly FakeNode _node;
    private readonly WalletId _operator;
    private readonly WalletId _wallet;
    // Each goes to a script of its own.
    private readonly Dictionary<WithdrawalKey, ByteString> _withdrawals = [];

    public PayoutSchedule(int seed, NodeBug bug = NodeBug.None) : this(new Random(seed), bug)
    {
    }

    private PayoutSchedule(Random random, NodeBug bug) : this(random, new FakeNode(random.Next(), "wallet") { IsWalletLoaded = true }, bug)
    {
    }

    private PayoutSchedule(Random random, FakeNode node, NodeBug bug) : base(random, node, Disturbances, bug) =>
        (_node, _operator, _wallet) = (node, NewWallet(), NewWallet());

    /// <summary>How often the schedule reached what it is for.</summary>
    public int Withdrawals => _withdrawals.Count;
    public int Families { get; private set; }
    public int Expired { get; private set; }
    public int Charged { get; private set; }
    public int Replacements { get; private set; }
    public int Reorganisations { get; private set; }
    public int Evictions { get; private set; }

    public void Run()
    {
        Begin();
        for (var round = 0; round < Rounds; round++)
        {
            for (var steps = 1 + Draw.Next(2); steps > 0; steps--) ChangeWorld();
            if (Draw.Next(2) == 0) Withdraw();
            if (Draw.Next(3) == 0) CloseEpoch();
            Disturb();
            Check();
        }
        CalmDown();
    }

    private void Begin()
    {
        for (var i = 0; i < 20; i++) _node.Mine();
        Books.Do(new Genesis(Settings.Origin, 3, 1, _operator, new ByteString([0x51]), []));
        Books.Do(new CreateWallet(Books.NewId(), 1, _wallet), tenant: 1);
        Deposit(_operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        for (var i = 0; i < Deposits; i++) Deposit(_wallet, AddressPurpose.Deposit, tenant: 1);
        for (var i = 0; i <= Settings.FinalityDepth; i++) _node.Mine();
        Must.Hold(TakeTurn(), "The node is ready, and the gate is closed.");
    }

    private void Deposit(WalletId wallet, AddressPurpose purpose, uint tenant)
    {
        var address = Assign(wallet, purpose, tenant);
        Must.Hold(_node.Send(_node.Payment(address, new Sats(400_000 + Draw.Next(1_000)), new Sats(1_000))) is null, "A payment from outside is refused.");
    }

    private void Withdraw()
    {
        var (id, amount) = (Books.NewId(), new Sats(20_000 + Draw.Next(60_000)));
        var script = new ByteString(FakeNode.ScriptOf(_node.NewStranger()));
        var request = new RequestWithdrawal(id, _wallet, script, amount, Max: false)
        {
            Fee = new Sats(Draw.Next(3) * Draw.Next(400)),
            Deadline = Draw.Next(4) == 0 ? new UnixTime(Books.Now.Milliseconds + 1 + Draw.Next(20)) : null,
        };
        if (Books.Run(Books.Set.SubmitAsync(request, tenant: 1)).Outcome == Outcome.Accepted)
            _withdrawals.Add(new WithdrawalKey(_wallet, id), script);
    }

    private void CloseEpoch() => Books.Do(new EpochCut(Books.NewId(), Books.Ask(ledger => ledger.LastEpoch?.Number ?? 0) + 1));

    protected override void ChangeWorld()
    {
        var waiting = _node.Mempool.Transactions.ToArray();
        switch (Draw.Next(12))
        {
            case < 4:
                _node.Mine();
                break;
            case 4:
                _node.Mine(_node.Chain.Tip, []);
                break;
            case < 8:
                Reorganise();
                break;
            case 8 when waiting.Length > 0:
                _node.Evict(waiting[Draw.Next(waiting.Length)].Txid);
                Evictions++;
                break;
            case 9:
                _node.Restart();
                break;
            default:
                _node.Estimate = Draw.Next(3) == 0 ? null : new FeeRate(1_000 + Draw.Next(Draw.Next(4) == 0 ? 100_000 : 10_000));
                break;
        }
    }

    private void Reorganise()
    {
        var depth = 1 + Draw.Next(Draw.Next(10) == 0 ? 20 : 4);
        _node.Invalidate(_node.Chain.At(_node.Chain.Tip.Height + 1 - depth)!);
        Reorganisations++;
        for (var i = 0; i <= depth; i++)
        {
            if (Draw.Next(2) == 0) _node.Mine();
            else _node.Mine(_node.Chain.Tip, []);
        }
    }

    /// <summary>What a turn of settlement does with the node, anchors left out.</summary>
    protected override async Task SettleAsync(BlockchainInfo chain)
    {
        var set = Books.Set;
        var payouts = new Payouts(set, set.First, Seam, Settings, NullLogger.Instance);
        await payouts.KeepBooksAsync();
        await new DepositWatcher(set, Seam, Settings, NullLogger.Instance).LookAsync(CancellationToken.None);
        await payouts.OpenAsync(null, await payouts.FindDueAsync());
        await payouts.DriveAsync(chain.Blocks, mayPay: true, CancellationToken.None);
    }

    private void Check()
    {
        CheckedTotals();
        var families = Books.Ask(ledger => ledger.Families().ToArray());
        var durable = families.SelectMany(f => f.Attempts).Select(a => a.Txid).ToHashSet();
        foreach (var known in _node.Wallet.Known.Where(k => _node.Wallet.IsFromMe(k.Transaction)))
            Must.Hold(durable.Contains(known.Txid), $"P10: the node has {known.Txid}, which is not durable here.");
        var paid = PaidByTheChain().ToLookup(script => script);
        var givenBack = GivenBack();
        foreach (var (key, script) in _withdrawals)
        {
            Must.Hold(paid[script].Count() <= 1, $"P10: withdrawal {key} is paid {paid[script].Count()} times.");
            Must.Hold(!givenBack.Contains(key) || !paid[script].Any(), $"P10: withdrawal {key} is paid and given back.");
        }
        Must.Hold(
            Books.Ask(ledger => _withdrawals.Keys.Select(k => ledger.FindWithdrawal(k)!).All(w => w.Charge <= w.Fee)), "A withdrawal is charged more than was held.");
    }

    private HashSet<WithdrawalKey> GivenBack() =>
        Books.Ask(ledger => _withdrawals.Keys.Where(k => ledger.FindWithdrawal(k)!.State == WithdrawalState.Expired).ToHashSet());

    /// <summary>The scripts that the wallet pays in the best chain.</summary>
    private IEnumerable<ByteString> PaidByTheChain() => _node.Wallet.Known
        .Where(k => _node.Wallet.Confirmations(k) > 0).SelectMany(k => k.Transaction.Outputs).Select(o => new ByteString(o.Script));

    private void CalmDown()
    {
        _node.Estimate = null;
        CloseEpoch();
        for (var round = 0; round < CalmRoundsMax && Unpaid().Any(); round++)
        {
            // Now and then it starts again, and sends what it had dropped.
            if (round % 10 == 0) _node.Restart();
            _node.Mine();
            Must.Hold(TakeTurn(), "The node is ready, and the gate is closed.");
            Check();
        }
        Must.Hold(!Unpaid().Any(), $"P10: {Unpaid().Count()} withdrawals are not paid in the end.");
        Expired = GivenBack().Count;
        Charged = Books.Ask(ledger => _withdrawals.Keys.Count(k => ledger.FindWithdrawal(k)!.Charge > Sats.Zero));
        CheckFees();
        Families = Books.Ask(ledger => ledger.Families().Count(f => f.State == FamilyState.Final));
        Replacements = Books.Ask(ledger => ledger.Families().Sum(f => Math.Max(0, f.Attempts.Count - 1)));
    }

    /// <summary>What the users were charged and what the operator bore are the fees of what confirmed.</summary>
    private void CheckFees()
    {
        var (charged, fees, spent, left) = Books.Ask(ledger => (
            _withdrawals.Keys.Sum(k => ledger.FindWithdrawal(k)!.Charge.ToMsat().Value),
            ledger.Families().Where(f => f.State == FamilyState.Final).Sum(f => f.Attempts[f.Confirmation!.Attempt - 1].Fee.ToMsat().Value),
            ledger.Totals.MiningFees, ledger.OperatorWallet));
        Must.Hold(fees == spent, $"P6: {spent} msat of mining fees are booked, {fees} were paid.");
        if (left.Owes || left.Frozen > Msat.Zero || left.Held > Msat.Zero) return;
        Must.Hold(charged <= fees, $"{charged} msat were charged for mining that cost {fees}.");
        var toppedUp = Books.Ask(ledger => ledger.DepositsOf(_operator).Where(d => d.Booked && d.State != DepositState.Reversed).Sum(d => d.Amount.ToMsat().Value));
        Must.Hold(left.Available.Value == toppedUp + charged - fees, $"P6: the operator has {left.Available}, after {toppedUp} msat came in, {charged} from users, and mining cost {fees}.");
    }

    // What was final for us may have left the chain, if that went deeper; then the node sends it again.
    private IEnumerable<WithdrawalKey> Unpaid()
    {
        var inTheBooks = Books.Ask(ledger => _withdrawals.Keys.Where(k => ledger.FindWithdrawal(k)!.State == WithdrawalState.Paid).ToHashSet());
        var onTheChain = PaidByTheChain().ToHashSet();
        var givenBack = GivenBack();
        return _withdrawals.Where(w => !givenBack.Contains(w.Key) && (!inTheBooks.Contains(w.Key) || !onTheChain.Contains(w.Value))).Select(w => w.Key);
    }
}
