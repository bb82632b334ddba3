// Goal: whatever a chain does and however its node answers, no withdrawal is paid twice, none is lost, and nothing reaches
// the node before it is durable here (P10); money is conserved after every turn (P6).
// Method: a simulated node and the engine's own watcher and payouts on one thread. A seed draws blocks, reorganisations,
// evictions, restarts of the node, fee rates, which calls fail and how, and when the process ends. After every turn what
// the node knows is held against what is durable; at the end the chain goes on calmly until everything is paid.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

internal sealed class PayoutSchedule : IDisposable
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

    private readonly Random _random;
    private readonly FakeNode _node;
    private readonly NodeFaults _faults;
    private readonly FakeBitcoind _fake;
    private readonly BitcoinRpc _rpc;
    private readonly IBitcoinNode _seam;
    private readonly NodeGate _gate;
    private readonly TurnLedger _ledger = new();
    private readonly WalletId _operator;
    private readonly WalletId _wallet;
    // Each goes to a script of its own.
    private readonly Dictionary<WithdrawalKey, ByteString> _withdrawals = [];

    public PayoutSchedule(int seed, NodeBug bug = NodeBug.None)
    {
        _random = new Random(seed);
        _node = new FakeNode(_random.Next(), "wallet") { IsWalletLoaded = true };
        _faults = new NodeFaults(_random.Next(), oneIn: 20) { IsOn = false };
        _fake = new FakeBitcoind(_node, _faults);
        _rpc = _fake.Connect();
        _seam = BuggyNode.In(new BitcoinRpcNode(_rpc, "wallet"), bug);
        _gate = new NodeGate(_seam, "regtest", BitcoinNetwork.Regtest.GenesisBlock());
        (_operator, _wallet) = (NewWallet(), NewWallet());
    }

    /// <summary>How often the schedule reached what it is for.</summary>
    public int Calls => _fake.Calls;
    public int Faults => _faults.Made.Values.Sum();
    public int Withdrawals => _withdrawals.Count;
    public int Families { get; private set; }
    public int Replacements { get; private set; }
    public int Reorganisations { get; private set; }
    public int Evictions { get; private set; }
    public int Restarts { get; private set; }

    public void Run()
    {
        Begin();
        for (var round = 0; round < Rounds; round++)
        {
            for (var steps = 1 + _random.Next(2); steps > 0; steps--) ChangeWorld();
            if (_random.Next(2) == 0) Withdraw();
            if (_random.Next(3) == 0) CloseEpoch();
            Disturb();
            Check();
        }
        CalmDown();
    }

    private void Begin()
    {
        for (var i = 0; i < 20; i++) _node.Mine();
        _ledger.Do(new Genesis(Settings.Origin, 3, 1, _operator, new ByteString([0x51]), []));
        _ledger.Do(new CreateWallet(_ledger.NewId(), 1, _wallet), tenant: 1);
        Deposit(_operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        for (var i = 0; i < Deposits; i++) Deposit(_wallet, AddressPurpose.Deposit, tenant: 1);
        for (var i = 0; i <= Settings.FinalityDepth; i++) _node.Mine();
        Must.Hold(TakeTurn(), "The node is ready, and the gate is closed.");
    }

    private void Deposit(WalletId wallet, AddressPurpose purpose, uint tenant)
    {
        var address = _ledger.Run(_seam.GetNewAddressAsync(CancellationToken.None));
        _ledger.Do(new AssignAddress(_ledger.NewId(), wallet, purpose, new ByteString(FakeNode.ScriptOf(address))), tenant);
        Must.Hold(_node.Send(_node.Payment(address, new Sats(400_000 + _random.Next(1_000)), new Sats(1_000))) is null, "A payment from outside is refused.");
    }

    private void Withdraw()
    {
        var (id, amount) = (_ledger.NewId(), new Sats(20_000 + _random.Next(60_000)));
        var script = new ByteString(FakeNode.ScriptOf(_node.NewStranger()));
        if (_ledger.Run(_ledger.Set.SubmitAsync(new RequestWithdrawal(id, _wallet, script, amount, Max: false), tenant: 1)).Outcome == Outcome.Accepted)
            _withdrawals.Add(new WithdrawalKey(_wallet, id), script);
    }

    private void CloseEpoch() => _ledger.Do(new EpochCut(_ledger.NewId(), _ledger.Ask(ledger => ledger.LastEpoch?.Number ?? 0) + 1));

    private void ChangeWorld()
    {
        var waiting = _node.Mempool.Transactions.ToArray();
        switch (_random.Next(12))
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
                _node.Evict(waiting[_random.Next(waiting.Length)].Txid);
                Evictions++;
                break;
            case 9:
                _node.Restart();
                break;
            default:
                _node.Estimate = _random.Next(3) == 0 ? null : new FeeRate(1_000 + _random.Next(_random.Next(4) == 0 ? 100_000 : 10_000));
                break;
        }
    }

    private void Reorganise()
    {
        var depth = 1 + _random.Next(_random.Next(10) == 0 ? 20 : 4);
        _node.Invalidate(_node.Chain.At(_node.Chain.Tip.Height + 1 - depth)!);
        Reorganisations++;
        for (var i = 0; i <= depth; i++)
        {
            if (_random.Next(2) == 0) _node.Mine();
            else _node.Mine(_node.Chain.Tip, []);
        }
    }

    /// <summary>A turn that calls fail in, during which blocks come and go, or that the process does not survive.</summary>
    private void Disturb()
    {
        _faults.IsOn = _random.Next(3) > 0;
        if (_random.Next(3) == 0)
        {
            _fake.Meanwhile = () =>
            {
                if (_random.Next(15) == 0) ChangeWorld();
            };
        }
        if (_random.Next(4) == 0)
        {
            _ledger.Run(TurnAsync(), turnsMax: _random.Next(16));
            _ledger.Restart();
            Restarts++;
        }
        else
        {
            TakeTurn();
        }
        _fake.Meanwhile = static () => { };
        _faults.IsOn = false;
    }

    private bool TakeTurn()
    {
        try
        {
            return _ledger.Run(TurnAsync());
        }
        catch (NodeException) when (_faults.IsOn)
        {
            return false;
        }
    }

    /// <summary>What a turn of settlement does with the node, anchors left out. What a process knows is in the ledger: watcher and
    /// payouts for each turn.</summary>
    private async Task<bool> TurnAsync()
    {
        var set = _ledger.Set;
        var cursor = await set.First.QueryAsync(ledger => ledger.Cursor);
        var gate = await _gate.CheckAsync((int)(cursor?.Height ?? 0), CancellationToken.None);
        if (!gate.IsOpen) return false;
        await new DepositWatcher(set, _seam, Settings, NullLogger.Instance).LookAsync(CancellationToken.None);
        var payouts = new Payouts(set, set.First, _seam, Settings, NullLogger.Instance);
        await payouts.OpenAsync(null, await payouts.FindDueAsync());
        await payouts.DriveAsync(gate.Chain!.Blocks, mayPay: true, CancellationToken.None);
        return true;
    }

    private void Check()
    {
        var (totals, families) = _ledger.Ask(ledger =>
        {
            ledger.CheckEveryBalance();
            return (ledger.Totals, ledger.Families().ToArray());
        });
        Must.Hold(totals.IsConserved, "P6: money is not conserved.");
        var durable = families.SelectMany(f => f.Attempts).Select(a => a.Txid).ToHashSet();
        foreach (var known in _node.Wallet.Known.Where(k => _node.Wallet.IsFromMe(k.Transaction)))
            Must.Hold(durable.Contains(known.Txid), $"P10: the node has {known.Txid}, which is not durable here.");
        var paid = PaidByTheChain().ToLookup(script => script);
        foreach (var (key, script) in _withdrawals)
            Must.Hold(paid[script].Count() <= 1, $"P10: withdrawal {key} is paid {paid[script].Count()} times.");
    }

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
        Families = _ledger.Ask(ledger => ledger.Families().Count(f => f.State == FamilyState.Final));
        Replacements = _ledger.Ask(ledger => ledger.Families().Sum(f => Math.Max(0, f.Attempts.Count - 1)));
    }

    // What was final for us may have left the chain, if that went deeper; then the node sends it again.
    private IEnumerable<WithdrawalKey> Unpaid()
    {
        var inTheBooks = _ledger.Ask(ledger => _withdrawals.Keys.Where(k => ledger.FindWithdrawal(k)!.State == WithdrawalState.Paid).ToHashSet());
        var onTheChain = PaidByTheChain().ToHashSet();
        return _withdrawals.Where(w => !inTheBooks.Contains(w.Key) || !onTheChain.Contains(w.Value)).Select(w => w.Key);
    }

    private WalletId NewWallet() => new(((UInt128)1 << 64) + (UInt128)_random.NextInt64());

    public void Dispose()
    {
        _ledger.Dispose();
        _rpc.Dispose();
        _fake.Dispose();
    }
}
