using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>How a turn is disturbed: each number is of cases, of which one is meant.</summary>
/// <param name="FaultOneIn">Calls of which one fails.</param>
/// <param name="ChangeOneIn">Calls before one of which the world changes.</param>
/// <param name="EndOneIn">Turns of which the process does not survive one.</param>
/// <param name="EndWithin">Before how many of the ledger's turns it ends then.</param>
internal readonly record struct Disturbances(int FaultOneIn, int ChangeOneIn, int EndOneIn, int EndWithin);

/// <summary>Settlement over a simulated node, on one thread. A seed draws what happens in the world, between turns and in the
/// middle of one, which calls fail and how, and when the process ends.</summary>
internal abstract class NodeSchedule : IDisposable
{
    // What a schedule may meet.
    public const string WithFault = "schedules with calls that failed";
    public const string WithReorganisation = "schedules with reorganisations";
    public const string Failures = "calls that failed";
    public const string Reorganisations = "reorganisations";
    public const string Restarts = "ends of the process";

    private readonly Disturbances _disturbances;
    private readonly NodeFaults _faults;
    private readonly FakeBitcoind _fake;
    private readonly BitcoinRpc _rpc;
    private readonly NodeGate _gate;

    protected NodeSchedule(Random random, FakeNode node, in Disturbances disturbances, NodeBug bug)
    {
        (Draw, _disturbances) = (random, disturbances);
        _faults = new NodeFaults(random.Next(), disturbances.FaultOneIn) { IsOn = false };
        _fake = new FakeBitcoind(node, _faults);
        _rpc = _fake.Connect();
        Seam = BuggyNode.In(new BitcoinRpcNode(_rpc, "wallet"), bug);
        _gate = new NodeGate(Seam, "regtest", BitcoinNetwork.Regtest.GenesisBlock());
    }

    /// <summary>How often the schedule met what it is for; known when it has run.</summary>
    public Coverage Met { get; } = new();

    protected Random Draw { get; }
    protected TurnLedger Books { get; } = new();

    /// <summary>The node as settlement sees it.</summary>
    protected IBitcoinNode Seam { get; }

    public void Dispose()
    {
        Books.Dispose();
        _rpc.Dispose();
        _fake.Dispose();
    }

    public void Run()
    {
        Play();
        Met.Count("calls", _fake.Calls);
        Met.Count(Failures, _faults.Made.Values.Sum());
        if (Met[Failures] > 0) Met.Count(WithFault);
        if (Met[Reorganisations] > 0) Met.Count(WithReorganisation);
    }

    /// <summary>All that happens, from the ledger's first entry to its calm end.</summary>
    protected abstract void Play();

    protected abstract void ChangeWorld();

    /// <summary>What settlement does when the gate is open. What a process knows is in the ledger: its objects are made for each turn.</summary>
    protected abstract Task SettleAsync(BlockchainInfo chain);

    /// <summary>A turn that calls fail in, during which blocks come and go, or that the process does not survive.</summary>
    protected void Disturb()
    {
        _faults.IsOn = Draw.Next(3) > 0;
        if (Draw.Next(3) == 0)
        {
            _fake.Meanwhile = () =>
            {
                if (Draw.Next(_disturbances.ChangeOneIn) == 0) ChangeWorld();
            };
        }
        if (Draw.Next(_disturbances.EndOneIn) == 0)
        {
            Books.Run(TurnAsync(), turnsMax: Draw.Next(_disturbances.EndWithin));
            Books.Restart();
            Met.Count(Restarts);
        }
        else
        {
            TakeTurn();
        }
        _fake.Meanwhile = static () => { };
        _faults.IsOn = false;
    }

    /// <summary>False if the node is not to be believed now. While calls fail, failures are expected.</summary>
    protected bool TakeTurn()
    {
        try
        {
            return Books.Run(TurnAsync());
        }
        catch (NodeException) when (_faults.IsOn)
        {
            return false;
        }
    }

    /// <summary>Conservation, and every balance.</summary>
    protected Totals CheckedTotals()
    {
        var totals = Books.Ask(ledger =>
        {
            ledger.CheckEveryBalance();
            return ledger.Totals;
        });
        Must.Hold(totals.IsConserved, "P6: money is not conserved.");
        return totals;
    }

    /// <summary>A new address of a wallet.</summary>
    protected string Assign(WalletId wallet, AddressPurpose purpose, uint tenant)
    {
        var address = Books.Run(Seam.GetNewAddressAsync(CancellationToken.None));
        Books.Do(new AssignAddress(Books.NewId(), wallet, purpose, new ByteString(FakeNode.ScriptOf(address))), tenant);
        return address;
    }

    protected WalletId NewWallet() => new(((UInt128)1 << 64) + (UInt128)Draw.NextInt64());

    private async Task<bool> TurnAsync()
    {
        var cursor = await Books.Set.First.QueryAsync(ledger => ledger.Cursor);
        var gate = await _gate.CheckAsync((int)(cursor?.Height ?? 0), CancellationToken.None);
        if (!gate.IsOpen) return false;
        await SettleAsync(gate.Chain!);
        return true;
    }
}
