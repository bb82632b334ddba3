// Goal: whatever the node's wallet forgets because it was restored from an old backup, whenever the process ends and however
// the node answers, no two wallets get the same address, nobody is shown one that the node does not look for, and every output
// to one that was shown is credited once.
// Method: a simulated node, the engine's own allocator and its turns on one thread. A seed draws who asks for how many
// addresses, which are paid, when the wallet is backed up and which backup takes its place, which calls fail and how, and when
// the process ends. In the end nothing fails any more, and what was credited is held against the chain.

using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

internal sealed class RestoreSchedule : IDisposable
{
    private const int Rounds = 40;
    private const int Wallets = 3;
    private const int ListedAtOnce = 3;
    private const uint Tenant = 1;
    private static readonly Sats Fee = new(1_000);
    private static readonly EngineSettings Settings = new()
    {
        DataFolder = "/nowhere",
        Origin = "ledger.test/log",
        ConfirmationsToCredit = [new ConfirmationRule(0, 2)],
        FinalityDepth = 6,
    };

    private readonly Random _random;
    private readonly FakeNode _node;
    private readonly NodeFaults _faults;
    private readonly FakeBitcoind _fake;
    private readonly BitcoinRpc _rpc;
    private readonly BitcoinRpcNode _seam;
    private readonly TurnLedger _ledger = new();
    private readonly List<WalletId> _wallets = [];
    private readonly List<FakeBackup> _backups = [];
    private readonly HashSet<string> _shown = [];
    private readonly Dictionary<OutPoint, Sats> _paid = [];
    private bool _isRestored;
    private AddressAllocator _addresses;
    private DepositTurn _turn;

    public RestoreSchedule(int seed, int blocks = 330)
    {
        _random = new Random(seed);
        _node = new FakeNode(_random.Next(), "wallet") { IsWalletLoaded = true };
        for (var i = 0; i < blocks; i++) _node.Mine(_node.Chain.Tip, []);
        _faults = new NodeFaults(_random.Next(), oneIn: 10) { IsOn = false };
        _fake = new FakeBitcoind(_node, _faults);
        _rpc = _fake.Connect();
        _seam = new BitcoinRpcNode(_rpc, "wallet");
        (_addresses, _turn) = NewProcess();
    }

    /// <summary>How often the schedule reached what it is for.</summary>
    public int Shown => _shown.Count;
    public int Paid => _paid.Count;
    public int Restores { get; private set; }
    public int Rescans { get; private set; }
    /// <summary>Rescans of wallets that list more than is asked for at once.</summary>
    public int LongHistories { get; private set; }
    public int PaidMeanwhile { get; private set; }
    public int Restarts { get; private set; }
    public int Faults => _faults.Made.Values.Sum();

    public void Run()
    {
        Begin();
        for (var round = 0; round < Rounds; round++)
        {
            _faults.IsOn = _random.Next(3) == 0;
            TakeStep();
            _faults.IsOn = false;
        }
        _fake.ExecuteLate();
        for (var i = 0; i <= Settings.FinalityDepth; i++) _node.Mine();
        var looks = 0;
        while (!Look()) Must.Hold(++looks < Rounds, "Nothing fails any more, and deposits are not looked for.");
        CheckEnd();
    }

    private void Begin()
    {
        _ledger.Do(new Genesis(Settings.Origin, 3, 1, NewWallet(), new ByteString(FakeNode.ScriptOf(_ledger.Run(_seam.GetNewAddressAsync(CancellationToken.None)))), []));
        _wallets.Clear();
        for (var i = 0; i < Wallets; i++) _ledger.Do(new CreateWallet(_ledger.NewId(), Tenant, NewWallet()), Tenant);
        _backups.Add(_node.Wallet.BackUp());
        Must.Hold(Look(), "Nothing is the matter, and nothing is looked at.");
    }

    private void TakeStep()
    {
        switch (_random.Next(12))
        {
            case < 3:
                Assign();
                break;
            case < 6:
                Pay();
                break;
            case 6:
                _node.Mine();
                break;
            case 7:
                if (_random.Next(2) == 0) Restore();
                else _backups.Add(_node.Wallet.BackUp());
                break;
            case 8:
                // The node gives one away to somebody else.
                _node.Wallet.NewScript(change: false);
                break;
            case 9:
                _ledger.Run(LookAsync(), turnsMax: _random.Next(6));
                Restart();
                break;
            default:
                // Also in the middle of a look. Not between a rescan and the look behind it: two copies within one turn.
                var calls = _random.Next(16);
                if (_random.Next(2) == 0) _fake.Meanwhile = () => At(ref calls, PayMeanwhile);
                else if (!_isRestored && _ledger.Ask(ledger => ledger.Rescan) is null) _fake.Meanwhile = () => At(ref calls, Restore);
                Look();
                _fake.Meanwhile = static () => { };
                break;
        }
    }

    private void Assign()
    {
        var (id, wallet) = (_ledger.NewId(), _wallets[_random.Next(Wallets)]);
        int? many = _random.Next(3) == 0 ? 1 + _random.Next(_random.Next(3) == 0 ? 200 : 10) : null;
        var first = Assign(id, wallet, many);
        // Whoever has no answer asks again, perhaps another process.
        Sometimes(Restart);
        var second = Assign(id, wallet, many);
        Must.Hold(first is null || second is null || first.SequenceEqual(second), $"A retry got {second?.FirstOrDefault()} after {first?.FirstOrDefault()}.");
        foreach (var address in second ?? first ?? [])
        {
            Must.Hold(_shown.Add(address), $"{address} was given away twice.");
            Must.Hold(_node.Wallet.IsMine(FakeNode.ScriptOf(address)), $"{address} is shown and not looked for.");
            Must.Hold(_ledger.Ask(l => l.FindAddress(new ByteString(FakeNode.ScriptOf(address))))?.Wallet == wallet, $"{address} is shown and not {wallet}'s.");
        }
    }

    /// <summary>What was answered, or null if nothing was.</summary>
    private string[]? Assign(OperationId id, WalletId wallet, int? many)
    {
        try
        {
            var answer = _ledger.Run(many is { } count
                ? _addresses.AssignAsync(id, wallet, Tenant, AddressPurpose.Deposit, count, CancellationToken.None)
                : _addresses.AssignAsync(id, wallet, Tenant, AddressPurpose.Deposit, CancellationToken.None));
            Must.Hold(answer.Outcome == Outcome.Accepted, $"Addresses are refused: {answer.Outcome}.");
            var scripts = answer.Entry!.Command is AssignAddresses made ? made.Addresses.Select(a => a.Script) : [((AssignAddress)answer.Entry.Command).Script];
            return [.. scripts.Select(FakeNode.AddressOf)];
        }
        catch (NodeUnavailableException) when (_faults.IsOn)
        {
            return null;
        }
    }

    private void Pay()
    {
        if (_shown.Count == 0) return;
        var (address, amount) = (_shown.ElementAt(_random.Next(_shown.Count)), new Sats(20_000 + _random.Next(1_000)));
        var payment = _node.Payment(address, amount, Fee);
        Must.Hold(_node.Send(payment) is null, "A payment from outside is refused.");
        _paid.Add(new OutPoint(payment.Txid, 0), amount);
    }

    private void Restore()
    {
        // A wallet is unloaded for it: what was asked of the one before is done by then.
        _fake.ExecuteLate();
        _node.Restore(_backups[_random.Next(_backups.Count)]);
        Restores++;
        _isRestored = true;
    }

    private void PayMeanwhile()
    {
        Pay();
        if (_random.Next(2) == 0) _node.Mine();
        PaidMeanwhile++;
    }

    private static void At(ref int calls, Action what)
    {
        if (calls-- == 0) what();
    }

    private void Restart()
    {
        _ledger.Restart();
        (_addresses, _turn) = NewProcess();
        Restarts++;
    }

    private (AddressAllocator, DepositTurn) NewProcess()
    {
        var addresses = new AddressAllocator(new SettlementTerm(_ledger.Set), _seam, Settings, NullLogger.Instance);
        return (addresses, new DepositTurn(new SettlementTerm(_ledger.Set), _seam, addresses, Settings, NullLogger.Instance, ListedAtOnce));
    }

    /// <summary>False if there was no look, because the wallet is being rescanned or calls fail.</summary>
    private bool Look()
    {
        var looking = LookAsync();
        try
        {
            return _ledger.Run(looking);
        }
        // Also when no call fails: a copy comes in the middle, or the node executes what its caller had given up.
        catch (NodeException e) when (_faults.IsOn || e.Failure == NodeFailure.Unknown)
        {
            return false;
        }
    }

    private async Task<bool> LookAsync()
    {
        var (due, restores) = (await _ledger.Set.First.QueryAsync(ledger => ledger.Rescan), Restores);
        var rescan = await _turn.TakeAsync(_node.Chain.Tip.Height, CancellationToken.None);
        // One that came in the middle of it was looked at in part only.
        _isRestored &= rescan is not null || Restores != restores;
        if (due is not null && await _ledger.Set.First.QueryAsync(ledger => ledger.Rescan) is null)
        {
            Rescans++;
            if (_node.Wallet.Known.Count > ListedAtOnce) LongHistories++;
        }
        return rescan is null;
    }

    private void Sometimes(Action what)
    {
        if (_random.Next(8) == 0) what();
    }

    private void CheckEnd()
    {
        var (deposits, totals, rescan) = _ledger.Ask(ledger =>
        {
            ledger.CheckEveryBalance();
            return (_wallets.SelectMany(ledger.DepositsOf).ToDictionary(d => d.OutPoint), ledger.Totals, ledger.Rescan);
        });
        Must.Hold(rescan is null, "A rescan is due and everything is over.");
        Must.Hold(totals.IsConserved, "P6: money is not conserved.");
        Must.Hold(deposits.Count == _paid.Count, $"P9: {_paid.Count} outputs pay addresses that were shown, {deposits.Count} are known.");
        foreach (var (output, amount) in _paid)
            Must.Hold(deposits.TryGetValue(output, out var d) && d.State == DepositState.Final && d.Amount == amount, $"P9: {output} is {deposits.GetValueOrDefault(output)?.State}.");
        Must.Hold(totals.Deposited == _paid.Values.Sum(p => p.ToMsat().Value), "P9: what was credited is not each output once.");
    }

    private WalletId NewWallet()
    {
        _wallets.Add(new WalletId(((UInt128)1 << 64) + (UInt128)_random.NextInt64()));
        return _wallets[^1];
    }

    public void Dispose()
    {
        _ledger.Dispose();
        _rpc.Dispose();
        _fake.Dispose();
    }
}
