// Goal: whatever a chain does and however its node answers, no withdrawal is paid twice, none is lost, and nothing reaches
// the node before it is durable here (P10); money is conserved after every turn (P6); the anchors in the chain are one
// history, each spending the output of the one before it.
// Method: a simulated node and the engine's own watcher and payouts on one thread. A seed draws blocks, reorganisations,
// evictions, restarts of the node, fee rates, payees that spend what is on its way to them, stops of all withdrawals; which
// calls fail and how, how much time passes, and when the process ends. In half of the seeds there are older copies of the
// wallet and a thief with its keys, in others reorganisations deeper than final; in some the wallet has no keys, and a signer
// hands back what it likes; in some small coins are made one; in some reserves are compared, and part of them is cold. After
// every turn what the node knows is held against what is durable; at the end the chain goes on calmly until everything is
// paid, or settlement is over because the thief took the anchor's output.

using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

internal sealed partial class PayoutSchedule : NodeSchedule
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
    public const string DeathsUnsigned = "families that died with nothing but an unsigned transaction out";
    public const string Consolidations = "consolidations that became final";
    public const string Stops = "stops of withdrawals";
    public const string HeldBack = "turns in which a stop held something back";
    public const string Shortages = "turns with reserves that were short";
    public const string ShortWithWork = "turns with reserves that were short while withdrawals waited";
    public const string SettlementStops = "ends of settlement";

    private const int Rounds = 25;
    private const int CalmRoundsMax = 100;
    /// <summary>Between two rounds.</summary>
    private const int MinutesMax = 20;
    private const int Deposits = 6;
    private const int TopUps = 3;
    private const int FirstBlocks = 20;
    private const long SmallSat = 30_000;
    private const int SmallDeposits = 6;
    /// <summary>Near its deadline a withdrawal leaves at once: most must wait for an epoch before that.</summary>
    private static readonly TimeSpan DeadlineMax = 6 * BatchPolicy.UrgentBefore;
    private static readonly EngineSettings Common = new()
    {
        DataFolder = "/nowhere",
        Origin = "ledger.test/log",
        ConfirmationsToCredit = [new ConfirmationRule(0, 2)],
        FinalityDepth = 6,
        // Whatever is left out of one block is replaced.
        FeeTargetBlocks = 1,
        FeeCapSat = 20_000,
        FallbackFeeRate = 2,
        // So a deadline that is near has its withdrawal leave at once.
        WithdrawalFeeShare = true,
        ConsolidateBelowFeeRate = 0,
        ConsolidateFromCoins = 3,
        ConsolidateCoinBelowSat = SmallSat,
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
    // Whether reserves are compared with what is owed. A thief's fees are paid with cold coins then.
    private readonly bool _hasReserves;
    private readonly string _cold;
    private readonly PayoutSigner? _signer;
    private readonly EngineSettings _settings;
    private readonly NodeBug _bug;
    private PayoutTurn? _turn;
    private bool _isCalm;

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
        _hasReserves = random.Next(3) == 0;
        _cold = node.NewStranger();
        if (random.Next(4) == 0) _signer = new PayoutSigner(node, random, Met);
        node.Wallet.HasKeys = _signer is null;
        _settings = Common with
        {
            ExternalSigner = _signer is not null,
            ConsolidateBelowFeeRate = random.Next(3) == 0 ? 6 : 0,
            ColdDescriptors = _hasReserves ? [$"addr({_cold})#00000000"] : [],
        };
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
            if (Draw.Next(_isStopped ? 3 : 30) == 0) Stop(!_isStopped);
            Disturb();
            Check();
        }
        CalmDown();
    }

    private void Begin()
    {
        for (var i = 0; i < FirstBlocks; i++) _node.Mine();
        Books.Do(new Genesis(Common.Origin, 3, 1, _operator, _anchorScript, []));
        Books.Do(new CreateWallet(Books.NewId(), 1, _wallet), tenant: 1);
        for (var i = 0; i < TopUps; i++) Deposit(_operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        for (var i = 0; i < Deposits; i++) Deposit(_wallet, AddressPurpose.Deposit, tenant: 1);
        if (_settings.ConsolidateBelowFeeRate > 0)
        {
            for (var i = 0; i < SmallDeposits; i++) Deposit(_wallet, AddressPurpose.Deposit, tenant: 1, 5_000);
        }
        for (var i = 0; i <= Common.FinalityDepth; i++) _node.Mine();
        Must.Hold(TakeTurn(), "The node is ready, and the gate is closed.");
    }

    private void Deposit(WalletId wallet, AddressPurpose purpose, uint tenant, long sat = 400_000)
    {
        var address = Assign(wallet, purpose, tenant);
        Must.Hold(_node.Send(_node.Payment(address, new Sats(sat + Draw.Next(1_000)), new Sats(1_000))) is null, "A payment from outside is refused.");
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

    private void Stop(bool stopped)
    {
        Books.Do(new StopWithdrawals(Books.NewId(), stopped));
        NoteStop(stopped);
    }

    protected override async Task SettleAsync(BlockchainInfo chain)
    {
        _turn = new PayoutTurn(Books.Set, Seam, _settings) { Anchors = !_isDeep, Reserves = _hasReserves, FindDeath = BuggyNode.DeathIn(Seam, _bug) };
        await _turn.TakeAsync(chain.Blocks);
        if (_signer is null) return;
        if (_isCalm) await _signer.HandAllBackAsync(_turn.Signing, Books.Set);
        else if (Draw.Next(2) == 0) await _signer.HandBackAsync(_turn.Signing, Books.Set);
    }

    private void CalmDown()
    {
        _isCalm = true;
        _node.Estimate = null;
        if (_isStopped) Stop(false);
        PayToCold();
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

    /// <summary>Whether every withdrawal is paid, or settlement is over and those that are not wait.</summary>
    private bool IsSettled()
    {
        var (isStopped, isLive, queued) = Books.Ask(ledger => (ledger.SettlementStop is not null, ledger.LiveFamilies().Count > 0, ledger.QueuedWithdrawals));
        return isStopped ? !isLive && Unpaid().Count == queued : Unpaid().Count == 0;
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
