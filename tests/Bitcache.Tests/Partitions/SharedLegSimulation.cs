// Goal: whichever process writes which partition, and whatever becomes of it, a payment between two partitions is one debit and one
// credit (P8), money is conserved over all of them with what is on its way (P6), and what was answered stays (P1, P5).
// Method: one thread takes the turns of two or three processes, each with a courier and a copy of every partition, in an order
// drawn from the seed. Partitions are handed on and taken away; appends fail, before they are done or after; looks at the
// journals break off; processes begin anew from snapshots. After every step what is durable is held against what came from
// Bitcoin; at the end, with every credit arrived, the journals are held against one another, and the copies.

using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

internal sealed class SharedLegSimulation : IDisposable
{
    private const int WalletsInEach = 3;
    private const long Funds = 1_000_000;
    private const int TurnsToSettle = 400;

    private sealed record Process(LegCourier Courier, SimulatedCopy[] Copies, PartitionSet Set);

    private readonly Random _random;
    private readonly int _count;
    private readonly LegBug _bug;
    private readonly LegPlanter _bugs;
    private readonly TurnScheduler _scheduler = new();
    private readonly SimulatedTime _time = new();
    private readonly LegTraffic _traffic;
    private readonly MemoryJournals _journals;
    // What is durable, whoever knows it.
    private readonly Ledger[] _truth;
    private readonly byte[] _scratch = new byte[Limits.RecordBytesMax];
    private readonly Process[] _processes;
    private readonly List<Leg> _delivered = [];
    private bool _isCalm;
    private bool _leftEarly;
    private Exception? _fatal;

    public SharedLegSimulation(int seed, LegBug bug = LegBug.None)
    {
        _random = new Random(seed);
        (_bug, _bugs) = (bug, new LegPlanter(bug));
        _count = 2 + Math.Min(_random.Next(3), _random.Next(3));
        _traffic = new LegTraffic(_random, _count, WalletsInEach, () => new UnixTime(_time.Milliseconds));
        _truth = [.. Enumerable.Range(0, _count).Select(number => new Ledger(number))];
        _journals = new MemoryJournals(_count) { Fault = DrawFault, Appended = (partition, frame) => _truth[partition].ReplayBatch(frame.Payload, _scratch) };
        _processes = new Process[2 + _random.Next(2)];
    }

    /// <summary>How often the simulation reached what it is for.</summary>
    public int Moves { get; private set; }
    public int StepsDown { get; private set; }
    public int Starts { get; private set; }
    public int Credits { get; private set; }
    public int CreditsFromElsewhere { get; private set; }

    public void Run()
    {
        for (var number = 0; number < _processes.Length; number++) Start(number);
        _isCalm = true;
        Begin();
        _isCalm = false;
        for (var steps = 200 + _random.Next(400); steps > 0; steps--) TakeStep();
        _isCalm = true;
        _traffic.RetryEverything(Settle);
        TakeOverUnseen();
        Settle();
        Must.Hold(InFlight() == 0, "A leg does not arrive.");
        foreach (var process in _processes)
        {
            Must.Hold(process.Courier.InFlight == 0, "A process does not know that all has arrived.");
            for (var number = 0; number < _count; number++)
                Must.Hold(process.Copies[number].StateHash() == _truth[number].StateHash(), "Two processes have different states.");
            StepsDown += process.Copies.Sum(copy => copy.StepsDown);
        }
        var audit = LegAudit.Of(_processes[0].Copies);
        audit.CompareBalances(_truth);
        Credits = audit.Credits;
        _traffic.CheckAnswered(_truth, _processes[0].Copies);
    }

    public void Dispose()
    {
        foreach (var process in _processes) process.Courier.Dispose();
        _scheduler.Dispose();
    }

    private void TakeStep()
    {
        var (process, partition) = (_processes[_random.Next(_processes.Length)], _random.Next(_count));
        var copy = process.Copies[partition];
        switch (_random.Next(24))
        {
            case < 7:
                _traffic.Connect(process.Set);
                _traffic.SendOne(_truth);
                break;
            case < 11:
                OneThatIsWritten(copy).TakeOwnerTurn();
                break;
            case < 16:
                _time.Milliseconds += _random.Next(50);
                OneThatIsWritten(copy).TakeSyncTurn();
                break;
            case 16:
                Look(process, breaksOff: _random.Next(4) == 0);
                break;
            case < 19:
                foreach (var one in process.Copies) one.Finish();
                break;
            case 19:
                process.Courier.Retry();
                DeliverAgain();
                break;
            case 20:
                if (_random.Next(4) == 0) Start(Array.IndexOf(_processes, process));
                break;
            case 21:
                copy.Demote();
                break;
            default:
                Promote(copy);
                break;
        }
        Check();
    }

    /// <summary>A process begins, or begins anew: the one before it is never heard of again.</summary>
    private void Start(int number)
    {
        if (_processes[number] is { } before)
        {
            Starts++;
            StepsDown += before.Copies.Sum(copy => copy.StepsDown);
            before.Courier.Dispose();
        }
        var courier = LegCourier.Shared(_count, _time, (_, cause) => _fatal ??= cause, Hand);
        var terms = new CopyTerms(_journals, _time, _random, courier, Owner, cause => _fatal ??= cause, DrawSalts, _bug);
        SimulatedCopy[] copies = [.. Enumerable.Range(0, _count).Select(partition => new SimulatedCopy(partition, terms))];
        _processes[number] = new Process(courier, copies, new PartitionSet(copies, courier));
    }

    private void Begin()
    {
        for (var number = 0; number < _count; number++) Promote(_processes[_random.Next(_processes.Length)].Copies[number]);
        var genesis = new Genesis("simulation/log", 3, _count, _traffic.Operator, new ByteString([0x51]), []);
        _traffic.Connect(_processes[0].Set);
        for (var number = 0; number < _count; number++) SettleFirst(_processes[0].Set[number].SubmitAsync(genesis));
        foreach (var (command, partition, tenant) in _traffic.Opening(Funds)) SettleFirst(_processes[0].Set[partition].SubmitAsync(command, tenant));
        foreach (var payment in _traffic.FirstPayments(Funds)) SettleFirst(_processes[0].Set[0].SubmitAsync(payment, Ledger.OperatorTenant).AsTask());
    }

    /// <summary>A copy that is written, for all that its process knows; the given one if there is none.</summary>
    private SimulatedCopy OneThatIsWritten(SimulatedCopy otherwise)
    {
        SimulatedCopy[] written = [.. _processes.SelectMany(process => process.Copies).Where(copy => copy.IsOwned)];
        return written.Length == 0 ? otherwise : written[_random.Next(written.Length)];
    }

    private void Promote(SimulatedCopy copy)
    {
        if (copy.IsOwned) return;
        Moves++;
        copy.Promote();
    }

    /// <summary>Reads where the journals end, and takes some copies there, or all.</summary>
    private static void Look(Process process, bool breaksOff)
    {
        foreach (var copy in process.Copies) copy.Look(breaksOff);
        if (!breaksOff) foreach (var copy in process.Copies) copy.AnswerAll();
    }

    private bool Hand(Partition partition, WorkItem item)
    {
        if (item is LegParcel parcel)
        {
            _delivered.AddRange(parcel.Legs);
            _leftEarly |= parcel.Legs.Any(leg => leg.Sequence >= _journals.EndOf(leg.Source));
            if (Owner(parcel.Legs[0].Source) != ((SimulatedCopy)_processes.SelectMany(process => process.Copies).First(copy => copy == partition)).Owned) CreditsFromElsewhere++;
        }
        return _bugs.Hand(partition, item);
    }

    /// <summary>A leg comes again although it had arrived.</summary>
    private void DeliverAgain()
    {
        if (_delivered.Count == 0) return;
        var again = _delivered[_random.Next(_delivered.Count)];
        if (again.Number <= _truth[again.Destination].LegsReceivedFrom(again.Source) && Owner(again.Destination) is { } there) _bugs.Hand(there, new LegParcel([again], _ => { }));
    }

    /// <summary>Every partition gets another writer, and the first one pays everybody, while nobody asks those before them for anything.</summary>
    private void TakeOverUnseen()
    {
        for (var number = 0; number < _count; number++) _processes.First(process => !process.Copies[number].IsWriter).Copies[number].Promote();
        foreach (var payment in _traffic.FirstPayments(1)) _ = Owner(0)!.SubmitAsync(payment, Ledger.OperatorTenant).AsTask();
    }

    private OwnedPartition? Owner(int partition) => _processes.Select(process => process.Copies[partition]).Where(copy => copy.IsWriter).Select(copy => copy.Owned).FirstOrDefault();

    private bool? DrawFault() => _isCalm || _random.Next(25) > 0 ? null : _random.Next(2) == 0;

    private void DrawSalts(Span<UInt128> salts)
    {
        foreach (ref var salt in salts) salt = (UInt128)_random.NextInt64();
    }

    /// <summary>Everybody takes turns until nothing is on its way.</summary>
    private void Settle()
    {
        for (var turns = 0; turns < 3 || (turns < TurnsToSettle && !IsSettled()); turns++)
        {
            _traffic.Connect(_processes[_random.Next(_processes.Length)].Set);
            for (var number = 0; number < _count; number++)
            {
                if (Owner(number) is null) Promote(_processes[_random.Next(_processes.Length)].Copies[number]);
            }
            foreach (var process in _processes)
            {
                foreach (var copy in process.Copies)
                {
                    copy.TakeOwnerTurn();
                    copy.TakeSyncTurn();
                    copy.Finish();
                }
                Look(process, breaksOff: false);
                _scheduler.Drain();
                process.Courier.Retry();
                Check();
            }
        }
    }

    private bool IsSettled() => InFlight() == 0 && _processes.All(process => process.Courier.InFlight == 0 && !Array.Exists(process.Copies, copy => copy.IsChanging));

    private void SettleFirst<T>(Task<T> task)
    {
        Settle();
        Must.Hold(task.IsCompletedSuccessfully, "The beginning failed.");
    }

    private long InFlight() => _truth.Sum(source => _truth.Sum(destination => (long)source.LegsTo(destination.Partition).Count));

    private void Check()
    {
        _scheduler.Drain();
        Must.Hold(_fatal is null, $"A process would end: {_fatal}");
        Must.Hold(!_leftEarly, "A leg leaves before its debit is durable.");
        LegAudit.CheckMoney(_truth);
    }
}
