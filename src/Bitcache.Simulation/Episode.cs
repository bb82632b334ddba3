// Goal: whatever clients ask and whatever the machine does, the promises P1 to P8, P12 and P13 hold.
// Method: one thread takes every turn in an order that the seed decides: clients and the operator send, the partition's
// two threads, the journal's upkeep and the snapshots work, clocks and the disk fail, the process is killed, power is lost. Every answer
// and every entry is held against the model; after a crash the journal must hold all that was acknowledged, and nothing
// that was not asked for. An episode is short and begins with an empty disk, so that a seed finds its way back quickly.

using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;

namespace Bitcache.Simulation;

internal sealed partial class Episode : IDisposable
{
    private readonly Random _random;
    private readonly Emphasis _emphasis;
    private readonly Planter _bugs;
    private readonly EpisodeSettings _settings;
    private readonly SimDisk _disk;
    private readonly IFileSystem _files;
    private readonly SimClock _clock = new();
    private readonly Oracle _oracle;
    private readonly Clerk _clerk;
    private readonly Traffic _traffic;
    private readonly Settlement _settlement;
    private readonly TurnScheduler _scheduler = new();
    private Life? _life;
    private UInt128 _salts;
    private bool _confirming;

    public Episode(int seed, Emphasis emphasis, PlantedBug bug)
    {
        _random = new Random(seed);
        (_emphasis, _bugs) = (emphasis, new Planter(bug));
        _settings = EpisodeSettings.Draw(_random);
        _disk = new SimDisk(_random.Next());
        _disk.MakeDurableFolder(EpisodeSettings.DataFolder);
        _disk.MakeDurableFolder(EpisodeSettings.ArchiveFolder);
        _files = _bugs.In(_disk);
        _oracle = new Oracle(Admit);
        _clerk = new Clerk(_random, _oracle, _settings, Coverage);
        _traffic = new Traffic(_random, _clock, _oracle);
        _settlement = new Settlement(_random, _clock, _oracle);
    }

    private Life Now => _life!;

    public Coverage Coverage { get; } = new();

    /// <summary>Steps taken.</summary>
    public long Step { get; private set; }

    /// <summary>The state at the end.</summary>
    public Hash256 State { get; private set; }

    /// <exception cref="SimulationFailedException">A promise was broken.</exception>
    public void Run(long steps)
    {
        Open();
        Begin();
        for (Step = 1; Step <= steps; Step++)
        {
            TakeStep();
            _scheduler.Drain();
            if (Now.StoppedBy is not null) Crash();
        }
        End();
    }

    /// <summary>An operator with money and a few wallets with some, before anything fails.</summary>
    private void Begin()
    {
        SendOperators(Traffic.Genesis);
        Settle();
        var script = _traffic.NewScript();
        _clerk.Send(Now, new AssignAddress(_traffic.NewId(), Traffic.Genesis.Operator, AddressPurpose.OperatorTopUp, script), Ledger.OperatorTenant);
        Settle();
        // A wallet whose id is drawn too far ahead is refused.
        while (_oracle.Wallets.Count < 4)
        {
            var (wallet, tenant) = _traffic.NewWallet();
            _clerk.Send(Now, wallet, tenant);
            Settle();
            Must.Hold(Now.StoppedBy is null, $"The partition stopped before anything failed: {Now.StoppedBy}");
        }
        foreach (var wallet in _oracle.Wallets.ToArray())
        {
            var own = _traffic.NewScript();
            _clerk.Send(Now, new AssignAddress(_traffic.NewId(), wallet, AddressPurpose.Deposit, own), _oracle.Latest.Wallets[wallet].Tenant);
            Settle();
        }
        foreach (var there in _oracle.Scripts.ToArray())
        {
            SendOperators(_settlement.Deposit(there, new Sats(2_000 + _random.Next(3_000))));
            Settle();
        }
    }

    private void TakeStep()
    {
        var choice = _random.Next(1_000);
        switch (choice)
        {
            case < 300:
                Send(_traffic.Next());
                break;
            case < 360:
                SendBlock();
                break;
            case < 460 when _clerk.Sent.Count > 0:
                Resend();
                break;
            case < 490 when _settlement.IsIdle && _settlement.Next() is { } command:
                SendOperators(command);
                break;
            case < 540:
                Ask();
                break;
            case < 720:
                TakeOwnerTurn();
                break;
            case < 900:
                _clock.Wait(_random.Next(20));
                Now.TakeSyncTurn();
                break;
            case < 930:
                TakeUpkeepTurn();
                break;
            case < 950:
                Wait();
                break;
            default:
                Fail();
                break;
        }
    }

    private void Send((ClientCommand Command, uint Tenant) drawn) => _clerk.Send(Now, drawn.Command, drawn.Tenant);

    private void SendOperators(Command command) => _clerk.Send(Now, command, _settlement.Term, _settlement.End);

    /// <summary>Payments of one tenant together, some sent before and some sent twice.</summary>
    private void SendBlock()
    {
        var (_, tenant) = _traffic.NextPayment();
        var payments = new List<PaymentCommand>();
        for (var count = 1 + _random.Next(_random.Next(4) == 0 ? 120 : 12); count > 0; count--)
        {
            if (_random.Next(10) == 0 && _clerk.Sent[^(1 + _random.Next(_clerk.Sent.Count))] is { Terms: PaymentCommand again } request && request.Tenant == tenant) payments.Add(again);
            else if (_traffic.NextPayment() is var (payment, sender) && sender == tenant) payments.Add(payment);
            if (payments.Count > 0 && _random.Next(30) == 0) payments.Add(payments[^1]);
        }
        if (payments.Count == 0) return;
        Coverage.Count("blocks");
        _clerk.Send(Now, payments, tenant);
    }

    /// <summary>Something once more, up to five times, now and then with other terms.</summary>
    private void Resend()
    {
        var recent = _random.Next(3) == 0 ? _clerk.Sent.Count : Math.Min(_clerk.Sent.Count, 30);
        var request = _clerk.Sent[^(1 + _random.Next(recent))];
        for (var times = 1 + _random.Next(5); times > 0; times--)
        {
            Coverage.Count("retries");
            var command = _random.Next(12) == 0 ? Traffic.WithOtherTerms(request.Terms) : request.Terms;
            _clerk.Send(Now, command, request.Tenant);
        }
    }

    private void TakeUpkeepTurn()
    {
        try
        {
            if (_random.Next(3) == 0) Now.Journal.PrepareSegment();
            else if (_random.Next(3) == 0 && Now.Snapshots.TakeTurn()) Coverage.Count("snapshot turns");
            else if (Now.Journal.Upkeep.TakeTurn()) Coverage.Count("upkeep turns");
        }
        catch (Exception e) when (e is MachineStoppedException or JournalFailedException || (e is IOException and not JournalCorruptException && _disk.HasFailed))
        {
            // A disk that fails here is not to be trusted elsewhere: the process ends.
            Crash();
        }
    }

    private void Wait()
    {
        var milliseconds = _random.Next(30) switch
        {
            0 => _random.NextInt64(30 * 3_600_000L),
            < 4 => _random.NextInt64(2 * 3_600_000L),
            _ => _random.Next(3_000),
        };
        _clock.Wait(milliseconds);
    }

    /// <summary>Takes turns until everything that was sent has come to an end.</summary>
    private void Settle()
    {
        for (var turns = 0; turns < 100 && (_clerk.Outstanding > 0 || turns < 2) && Now.StoppedBy is null; turns++)
        {
            TakeBothTurns();
        }
        if (Now.StoppedBy is null) Must.Hold(_clerk.Outstanding == 0, $"{_clerk.Outstanding} requests are never answered.");
    }

    /// <summary>Whether the owner finds the disk idle is chance, and so who makes a small batch durable.</summary>
    private void TakeOwnerTurn()
    {
        var (syncs, durable) = (_random.Next(3) == 0, Now.Partition.DurableSequence);
        Now.TakeOwnerTurn(syncs);
        if (Now.Partition.DurableSequence > durable) Coverage.Count("synced by the owner");
    }

    private void TakeBothTurns()
    {
        TakeOwnerTurn();
        _scheduler.Drain();
        Now.TakeSyncTurn();
        _scheduler.Drain();
    }

    private void Admit(Entry entry)
    {
        switch (entry.Command)
        {
            case ClientCommand command:
                _clerk.Admit(entry, command);
                break;
            case RaiseFloor:
                Now.RequireTrust(entry);
                Coverage.Count("floor raised");
                break;
            case ExpireHold:
                Now.RequireTrust(entry);
                Coverage.Count("holds expired");
                break;
            case ExpireWithdrawal:
                Now.RequireTrust(entry);
                Coverage.Count("withdrawals expired");
                break;
            case Bitcache.Core.ConfirmClock:
                Must.Hold(_confirming, "Nobody confirmed the clock.");
                break;
            default:
                _settlement.Admit(entry);
                break;
        }
        Coverage.Count($"entry {entry.Type}");
    }

    private void DrawSalts(Span<UInt128> salts)
    {
        foreach (ref var salt in salts) salt = ++_salts;
    }

    public void Dispose()
    {
        _scheduler.Dispose();
        _life?.Dispose();
    }
}
