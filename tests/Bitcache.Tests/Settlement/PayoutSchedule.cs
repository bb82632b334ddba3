// Goal: whatever a chain does and however its node answers, no withdrawal is paid twice, none is lost, and nothing reaches
// the node before it is durable here (P10); money is conserved after every turn (P6); the anchors in the chain are one
// history, each spending the output of the one before it.
// Method: a simulated node and the engine's own watcher and payouts on one thread. A seed draws blocks, reorganisations,
// evictions, restarts of the node, fee rates, payees that spend what is on its way to them, and in half of the seeds older
// copies of the wallet and a thief with its keys; in others reorganisations deeper than final; which calls fail and how, how
// much time passes, and when the process ends. After every turn what the node knows is held against what is durable; at the
// end the chain goes on calmly until everything is paid, or settlement is over because the thief took the anchor's output.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

internal sealed class PayoutSchedule : NodeSchedule
{
    // What a schedule may meet.
    public const string Withdrawals = "withdrawals";
    public const string Expired = "withdrawals that expired";
    public const string Charged = "withdrawals that were charged for mining";
    public const string Families = "families that became final";
    public const string Anchors = "anchors that became final";
    public const string Replacements = "replacements";
    public const string Children = "children that became final";
    public const string Evictions = "evictions";
    public const string Thefts = "thefts";
    public const string Deaths = "families that died";
    public const string SettlementStops = "ends of settlement";

    private const int Rounds = 25;
    private const int CalmRoundsMax = 100;
    /// <summary>Between two rounds.</summary>
    private const int MinutesMax = 20;
    private const int Deposits = 6;
    private const int TopUps = 3;
    private const int FirstBlocks = 20;
    /// <summary>Near its deadline a withdrawal leaves at once: most must wait for an epoch before that.</summary>
    private static readonly TimeSpan DeadlineMax = 6 * BatchPolicy.UrgentBefore;
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
    private readonly ByteString _anchorScript;
    private readonly HashSet<Txid> _thefts = [];
    // Whether reorganisations may be deeper than final. Then nothing else can be promised than that what was final comes back,
    // if it can: there are no anchors, of which one may need another attempt of the one before it, and no thief.
    private readonly bool _isDeep;
    private readonly bool _hasThief;
    private readonly bool _takesAnchors;
    private readonly NodeBug _bug;
    private PayoutTurn? _turn;

    public PayoutSchedule(int seed, NodeBug bug = NodeBug.None) : this(new Random(seed), bug)
    {
    }

    private PayoutSchedule(Random random, NodeBug bug) : this(random, new FakeNode(random.Next(), "wallet") { IsWalletLoaded = true }, bug)
    {
    }

    private PayoutSchedule(Random random, FakeNode node, NodeBug bug) : base(random, node, Disturbances, bug)
    {
        (_node, _operator, _wallet, _bug) = (node, NewWallet(), NewWallet(), bug);
        _anchorScript = node.Wallet.NewScript(change: false);
        _isDeep = random.Next(4) == 0;
        _hasThief = !_isDeep && random.Next(3) > 0;
        _takesAnchors = _hasThief && random.Next(4) == 0;
    }

    protected override void Play()
    {
        Begin();
        for (var round = 0; round < Rounds; round++)
        {
            Books.Pass(TimeSpan.FromMinutes(Draw.Next(MinutesMax)));
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
        for (var i = 0; i < FirstBlocks; i++) _node.Mine();
        Books.Do(new Genesis(Settings.Origin, 3, 1, _operator, _anchorScript, []));
        Books.Do(new CreateWallet(Books.NewId(), 1, _wallet), tenant: 1);
        for (var i = 0; i < TopUps; i++) Deposit(_operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
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
            Deadline = Draw.Next(4) == 0 ? new UnixTime(Books.Now.Milliseconds + 1 + Draw.Next((int)DeadlineMax.TotalMilliseconds)) : null,
        };
        if (Books.Run(Books.Set.SubmitAsync(request, tenant: 1)).Outcome == Outcome.Accepted)
            _withdrawals.Add(new WithdrawalKey(_wallet, id), script);
    }

    private void CloseEpoch() => Books.Do(new EpochCut(Books.NewId(), Books.Ask(ledger => ledger.LastEpoch?.Number ?? 0) + 1));

    protected override void ChangeWorld()
    {
        switch (Draw.Next(16))
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
            case 8:
                if (Any(_node.Mempool.Transactions) is not { } evicted) break;
                _node.Evict(evicted.Txid);
                Met.Count(Evictions);
                break;
            case 9:
                _node.Restart();
                break;
            case 10 or 11:
                SpendPayout();
                break;
            case 12 or 13:
                if (_hasThief) Steal();
                break;
            case 14:
                // An older copy of the wallet.
                if (_hasThief && Any(Unconfirmed()) is { } forgotten) _node.Wallet.Forget(forgotten.Txid);
                break;
            default:
                _node.Estimate = Draw.Next(3) == 0 ? null : new FeeRate(1_000 + Draw.Next(Draw.Next(4) == 0 ? 100_000 : 10_000));
                break;
        }
    }

    private void Reorganise()
    {
        var depth = 1 + Draw.Next(Draw.Next(10) > 0 ? 4 : _isDeep ? 20 : Settings.FinalityDepth - 1);
        _node.Invalidate(_node.Chain.At(_node.Chain.Tip.Height + 1 - depth)!);
        Met.Count(Reorganisations);
        for (var i = 0; i <= depth; i++)
        {
            if (Draw.Next(2) == 0) _node.Mine();
            else _node.Mine(_node.Chain.Tip, []);
        }
    }

    /// <summary>A payee spends what is not in a block yet: then it cannot be replaced.</summary>
    private void SpendPayout()
    {
        if (Any(_node.Mempool.Transactions.Where(_node.Wallet.IsFromMe)) is not { } payout) return;
        var paid = payout.Outputs.Index().Where(o => o.Item.Value.Value > 10_000 && !_node.Wallet.IsMine(o.Item.Script)).ToArray();
        if (paid.Length == 0) return;
        var (index, output) = paid[Draw.Next(paid.Length)];
        _node.Send(FakeTransactions.Create(
            [new OutPoint(payout.Txid, (uint)index)], [new(output.Value - new Sats(200), FakeNode.ScriptOf(_node.NewStranger()))]));
    }

    /// <summary>Somebody else with the wallet's keys spends what one of our transactions spends, to another place in the wallet, so
    /// that there is something left to pay with.</summary>
    private void Steal()
    {
        if (Any(Unconfirmed()) is not { } victim) return;
        var coins = victim.Inputs.Select(i => i.Spent)
            .Where(o => _node.Chain.FindCoin(o) is { } coin && (_takesAnchors || !_anchorScript.Span.SequenceEqual(coin.Output.Script))).ToArray();
        if (coins.Length == 0) return;
        var coin = coins[Draw.Next(coins.Length)];
        var (value, fee) = (_node.Chain.FindCoin(coin)!.Value.Output.Value, new Sats(200 + Draw.Next(10_000)));
        if (value.Value < fee.Value + 1_000) fee = new Sats(200);
        var theft = FakeTransactions.Create([coin], [new(value - fee, _node.Wallet.NewScript(change: Draw.Next(2) == 0).Span.ToArray())]);
        _thefts.Add(theft.Txid);
        if (Draw.Next(2) == 0) _node.Send(theft);
        else _node.Mine(_node.Chain.Tip, [theft]);
    }

    /// <summary>What the wallet spends in, and is in no block.</summary>
    private IEnumerable<BitcoinTransaction> Unconfirmed() => _node.Wallet.Known
        .Where(k => _node.Chain.BlockOf(k.Txid) is null && _node.Wallet.IsFromMe(k.Transaction)).Select(k => k.Transaction);

    private BitcoinTransaction? Any(IEnumerable<BitcoinTransaction> transactions)
    {
        var all = transactions.ToArray();
        return all.Length == 0 ? null : all[Draw.Next(all.Length)];
    }

    protected override Task SettleAsync(BlockchainInfo chain)
    {
        _turn = new PayoutTurn(Books.Set, Seam, Settings) { Anchors = !_isDeep, FindDeath = BuggyNode.DeathIn(Seam, _bug) };
        return _turn.TakeAsync(chain.Blocks);
    }

    private void Check()
    {
        CheckedTotals();
        var families = Books.Ask(ledger => ledger.Families().ToArray());
        var durable = families.SelectMany(f => f.Transactions).Select(t => t.Txid).ToHashSet();
        foreach (var known in _node.Wallet.Known.Where(k => _node.Wallet.IsFromMe(k.Transaction)))
            Must.Hold(durable.Contains(known.Txid) || _thefts.Contains(known.Txid), $"P10: the node has {known.Txid}, which is not durable here.");
        var paid = PaidByTheChain();
        var givenBack = GivenBack();
        foreach (var (key, script) in _withdrawals)
        {
            Must.Hold(paid.GetValueOrDefault(script) <= 1, $"P10: withdrawal {key} is paid {paid.GetValueOrDefault(script)} times.");
            Must.Hold(!givenBack.Contains(key) || !paid.ContainsKey(script), $"P10: withdrawal {key} is paid and given back.");
        }
        Must.Hold(
            Books.Ask(ledger => _withdrawals.Keys.Select(k => ledger.FindWithdrawal(k)!).All(w => w.Charge <= w.Fee)), "A withdrawal is charged more than was held.");
        CheckAnchors();
    }

    private HashSet<WithdrawalKey> GivenBack() =>
        Books.Ask(ledger => _withdrawals.Keys.Where(k => ledger.FindWithdrawal(k)!.State == WithdrawalState.Expired).ToHashSet());

    /// <summary>How often the best chain pays each script.</summary>
    private Dictionary<ByteString, int> PaidByTheChain() =>
        InTheChain().SelectMany(t => t.Outputs).CountBy(o => new ByteString(o.Script)).ToDictionary();

    /// <summary>Everything in the best chain but what miners get.</summary>
    private IEnumerable<BitcoinTransaction> InTheChain()
    {
        for (var height = 1; _node.Chain.At(height) is { } block; height++)
        {
            foreach (var transaction in block.Transactions.Skip(1)) yield return transaction;
        }
    }

    /// <summary>Whoever follows the chain from the first anchor finds one history: every other one spends the output of the one before it.</summary>
    private void CheckAnchors()
    {
        OutPoint? tip = null;
        foreach (var transaction in InTheChain())
        {
            var outputs = transaction.Outputs.Index().Where(o => _anchorScript.Span.SequenceEqual(o.Item.Script)).ToArray();
            if (outputs.Length == 0) continue;
            Must.Hold(outputs.Length == 1 && (tip is null || transaction.Inputs[0].Spent == tip), $"{transaction.Txid} begins another history.");
            tip = new OutPoint(transaction.Txid, (uint)outputs[0].Index);
        }
    }

    private void CalmDown()
    {
        _node.Estimate = null;
        CloseEpoch();
        for (var round = 0; round < CalmRoundsMax && !IsSettled(); round++)
        {
            // Now and then it starts again, and sends what it had dropped.
            if (round % 10 == 0) _node.Restart();
            Books.Pass(TimeSpan.FromMinutes(MinutesMax));
            _node.Mine();
            Must.Hold(TakeTurn(), "The node is ready, and the gate is closed.");
            Check();
        }
        Must.Hold(IsSettled(), $"P10: {Unpaid().Count} withdrawals are not paid in the end: {string.Join("; ", _turn!.Waiting.Select(w => $"family {w.Key}: {w.Value}"))}.");
        CheckFees();
        CountWhatWasMet();
    }

    private void CountWhatWasMet()
    {
        var (families, charged, stop) = Books.Ask(ledger => (
            ledger.Families().ToArray(), _withdrawals.Keys.Count(k => ledger.FindWithdrawal(k)!.Charge > Sats.Zero), ledger.SettlementStop));
        Met.Count(Withdrawals, _withdrawals.Count);
        Met.Count(Expired, GivenBack().Count);
        Met.Count(Charged, charged);
        Met.Count(Families, families.Count(f => f.State == FamilyState.Final));
        Met.Count(Anchors, families.Count(f => f is { State: FamilyState.Final, Anchor: not null }));
        Met.Count(Replacements, families.Sum(f => Math.Max(0, f.Attempts.Count - 1)));
        Met.Count(Children, families.Count(f => f.FinalChild > 0));
        Met.Count(Thefts, _thefts.Count);
        Met.Count(Deaths, families.Count(f => f.State == FamilyState.Dead));
        Met.Count(SettlementStops, stop is null ? 0 : 1);
    }

    /// <summary>Whether every withdrawal is paid, or settlement is over and those that are not wait.</summary>
    private bool IsSettled()
    {
        var (isStopped, isLive, queued) = Books.Ask(ledger => (ledger.SettlementStop is not null, ledger.LiveFamilies().Count > 0, ledger.QueuedWithdrawals));
        return isStopped ? !isLive && Unpaid().Count == queued : Unpaid().Count == 0;
    }

    /// <summary>What the users were charged and what the operator bore are the fees of what confirmed.</summary>
    private void CheckFees()
    {
        var (charged, fees, spent, left) = Books.Ask(ledger => (
            _withdrawals.Keys.Sum(k => ledger.FindWithdrawal(k)!.Charge.ToMsat().Value),
            ledger.Families().Where(f => f.State == FamilyState.Final).Sum(f => f.FeePaid.ToMsat().Value),
            ledger.Totals.MiningFees, ledger.OperatorWallet));
        Must.Hold(fees == spent, $"P6: {spent} msat of mining fees are booked, {fees} were paid.");
        if (left.Owes || left.Frozen > Msat.Zero || left.Held > Msat.Zero) return;
        Must.Hold(charged <= fees, $"{charged} msat were charged for mining that cost {fees}.");
        var toppedUp = Books.Ask(ledger => ledger.DepositsOf(_operator).Where(d => d.Booked && d.State != DepositState.Reversed).Sum(d => d.Amount.ToMsat().Value));
        Must.Hold(left.Available.Value == toppedUp + charged - fees, $"P6: the operator has {left.Available}, after {toppedUp} msat came in, {charged} from users, and mining cost {fees}.");
    }

    // What was final for us may have left the chain, if that went deeper; then the node sends it again.
    private List<WithdrawalKey> Unpaid()
    {
        var inTheBooks = Books.Ask(ledger => _withdrawals.Keys.Where(k => ledger.FindWithdrawal(k)!.State == WithdrawalState.Paid).ToHashSet());
        var onTheChain = PaidByTheChain();
        var givenBack = GivenBack();
        return [.. _withdrawals.Where(w => !givenBack.Contains(w.Key) && (!inTheBooks.Contains(w.Key) || !onTheChain.ContainsKey(w.Value))).Select(w => w.Key)];
    }
}
