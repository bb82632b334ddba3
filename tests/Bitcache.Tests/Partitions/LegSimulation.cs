// Goal: whatever the machine does, a payment between two partitions is one debit and one credit (P8), money is conserved
// over all of them with what is on its way (P6), and what was answered stays (P1, P5).
// Method: one thread takes the turns of two to four partitions and of the courier between them in an order drawn from the
// seed, over journals on one SimDisk that loses power, fails a sync or is full for a while; clients make payments of every
// kind and retry them. After every step what is inside and on its way is held against what came from Bitcoin; at the end,
// with every credit arrived, the journals are held against one another (LegAudit).

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

internal sealed class LegSimulation : IDisposable
{
    private const string DataFolder = "/data";
    private const int WalletsInEach = 3;
    private const long Funds = 1_000_000;
    private const int BatchBytes = Limits.RecordBytesMax + (16 << 10);
    private const int SegmentBytes = (2 * BatchBytes) + (8 << 10);
    private const int TurnsToSettle = 400;

    private readonly Random _random;
    private readonly int _count;
    private readonly SimDisk _disk;
    private readonly LegPlanter _bugs;
    private readonly TurnScheduler _scheduler = new();
    private readonly SimulatedTime _time = new();
    private readonly LegTraffic _traffic;
    private readonly FileJournal[] _journals;
    private readonly SnapshotKeeper[] _snapshots;
    private readonly Ledger[] _ledgers;
    private readonly OwnedPartition[] _partitions;
    private readonly List<Leg> _delivered = [];
    private LegCourier _courier = null!;
    private Exception? _stoppedBy;
    private bool _leftEarly;

    public LegSimulation(int seed, LegBug bug = LegBug.None)
    {
        _random = new Random(seed);
        // Two partitions can do most of what several can.
        _count = 2 + Math.Min(_random.Next(3), _random.Next(3));
        _bugs = new LegPlanter(bug);
        _disk = new SimDisk(_random.Next());
        _disk.MakeDurableFolder(DataFolder);
        (_journals, _snapshots) = (new FileJournal[_count], new SnapshotKeeper[_count]);
        (_ledgers, _partitions) = (new Ledger[_count], new OwnedPartition[_count]);
        _traffic = new LegTraffic(_random, _count, WalletsInEach, () => new UnixTime(_time.Milliseconds));
    }

    /// <summary>How often the simulation reached what it is for.</summary>
    public int Halts { get; private set; }
    public int StoppedBySync { get; private set; }
    public int ResumedLegs { get; private set; }
    public int FromSnapshots { get; private set; }
    public int FullTurns { get; private set; }
    public int Credits { get; private set; }
    public int Retries => _traffic.Retries;

    public void Run()
    {
        Open();
        Begin();
        for (var lives = 1 + _random.Next(3); lives > 0; lives--)
        {
            if (_random.Next(3) > 0) _disk.HaltAt = _disk.Operations + 1 + _random.Next(60);
            if (_random.Next(3) == 0) _disk.FailSyncAt = _disk.Syncs + 1 + _random.Next(40);
            Live(_random.Next(160));
            Crash();
            Open();
            _traffic.CheckAnswered(_ledgers, _partitions);
        }
        _disk.CalmDown();
        _traffic.RetryEverything(Settle);
        Settle();
        Must.Hold(_courier.InFlight == 0, "A leg does not arrive.");
        var audit = LegAudit.Of(_partitions);
        audit.CompareBalances(_ledgers);
        Credits = audit.Credits;
        _traffic.CheckAnswered(_ledgers, _partitions);
        CheckRecovery();
    }

    private void Open()
    {
        _stoppedBy = null;
        _courier?.Dispose();
        _courier = new LegCourier(_time, Hand);
        for (var number = 0; number < _count; number++)
        {
            var snapshots = new SnapshotSettings { Entries = 1 + _random.Next(60), BytesPerSecond = 0 };
            var journal = new FileJournalSettings { SegmentBytes = SegmentBytes, Partition = number };
            (_ledgers[number], _journals[number], _snapshots[number], var start) =
                LedgerRecovery.Open(_disk, DataFolder, journal, new RecoveryTerms(snapshots, (ulong)_random.NextInt64()), NullLogger.Instance);
            if (start is not null) FromSnapshots++;
            _bugs.AfterRecovery(_ledgers[number], start?.NextSequence ?? 0, _count);
            var ledger = _ledgers[number];
            _partitions[number] = new OwnedPartition(
                ledger, _journals[number], new BatchClock(_time, ledger.Genesis is null ? null : ledger.Time), NullLogger.Instance,
                (_, cause) => _stoppedBy ??= cause, DrawSalts, new PartitionBounds { BatchBytes = BatchBytes }, _snapshots[number], _courier);
        }
        _courier.Connect(_partitions, _ledgers);
        ResumedLegs += (int)_courier.InFlight;
        _traffic.Connect(new PartitionSet(_partitions, _courier));
        _delivered.Clear();
        CheckMoney();
        _courier.Retry();
    }

    private bool Hand(Partition partition, WorkItem item)
    {
        if (item is LegParcel parcel)
        {
            _delivered.AddRange(parcel.Legs);
            _leftEarly |= parcel.Legs.Any(leg => leg.Sequence > _partitions[leg.Source].DurableSequence);
        }
        return _bugs.Hand(partition, item);
    }

    private void DrawSalts(Span<UInt128> salts)
    {
        foreach (ref var salt in salts) salt = (UInt128)_random.NextInt64();
    }

    private void Begin()
    {
        var genesis = new Genesis("simulation/log", 3, _count, _traffic.Operator, new ByteString([0x51]), []);
        foreach (var partition in _partitions) SettleFirst(partition.SubmitAsync(genesis));
        foreach (var (command, partition, tenant) in _traffic.Opening(Funds)) SettleFirst(_partitions[partition].SubmitAsync(command, tenant));
        foreach (var payment in _traffic.FirstPayments(Funds)) SettleFirst(_partitions[0].SubmitAsync(payment, Ledger.OperatorTenant).AsTask());
    }

    private void Live(int steps)
    {
        while (steps-- > 0 && _stoppedBy is null)
        {
            var partition = _random.Next(_count);
            switch (_random.Next(15))
            {
                case 0 or 1 or 2 or 12 or 13 or 14:
                    _traffic.SendOne(_ledgers);
                    break;
                case 3 or 4:
                    TakeOwnerTurn(partition);
                    break;
                case 5 or 6 or 7:
                    _time.Milliseconds += _random.Next(50);
                    _partitions[partition].TakeSyncTurn(TimeSpan.Zero);
                    break;
                case 8:
                    _courier.Retry();
                    break;
                case 9:
                    TakeSnapshotTurn(partition);
                    break;
                case 10:
                    DeliverAgain();
                    break;
                default:
                    _disk.Full = !_disk.Full && _random.Next(2) == 0;
                    break;
            }
            _scheduler.Drain();
            if (Array.Exists(_partitions, one => one.IsStorageFull)) FullTurns++;
            CheckMoney();
        }
    }

    private void TakeOwnerTurn(int number)
    {
        try
        {
            _partitions[number].TakeOwnerTurn();
        }
        catch (Exception e) when (e is OutcomeUnknownException or OperationCanceledException && _stoppedBy is not null)
        {
            // The process ends.
        }
        _bugs.AfterOwnerTurn(_partitions[number], _partitions);
    }

    /// <summary>A leg comes again although it had arrived.</summary>
    private void DeliverAgain()
    {
        if (_delivered.Count == 0) return;
        var again = _delivered[_random.Next(_delivered.Count)];
        if (again.Number <= _ledgers[again.Destination].LegsReceivedFrom(again.Source)) _bugs.Hand(_partitions[again.Destination], new LegParcel([again], _ => { }));
    }

    private void TakeSnapshotTurn(int partition)
    {
        try
        {
            _snapshots[partition].TakeTurn();
        }
        catch (Exception e) when (e is MachineStoppedException or IOException)
        {
            _stoppedBy ??= e;
        }
    }

    /// <summary>Power is lost, or the process killed: with one partition all end.</summary>
    private void Crash()
    {
        if (_stoppedBy is MachineStoppedException) Halts++;
        if (_stoppedBy is IOException) StoppedBySync++;
        Must.Hold(_stoppedBy is not LedgerInvariantException, _stoppedBy?.Message ?? "");
        Close();
        if (_random.Next(3) == 0) _disk.Restart();
        else _disk.PowerLoss();
        _disk.CalmDown();
    }

    private void Close()
    {
        for (var number = 0; number < _count; number++)
        {
            _snapshots[number].Dispose();
            _journals[number].Dispose();
        }
        _scheduler.Drain();
    }

    /// <summary>Everybody takes turns until nothing is on its way.</summary>
    private void Settle()
    {
        for (var turns = 0; turns == 0 || (turns < TurnsToSettle && _courier.InFlight > 0); turns++)
        {
            for (var number = 0; number < _count; number++)
            {
                TakeOwnerTurn(number);
                _partitions[number].TakeSyncTurn(TimeSpan.Zero);
                _scheduler.Drain();
            }
            _courier.Retry();
            CheckMoney();
            Must.Hold(_stoppedBy is null, $"It stopped: {_stoppedBy?.Message}");
        }
    }

    private void SettleFirst<T>(Task<T> task)
    {
        Settle();
        Must.Hold(task.IsCompletedSuccessfully, "The beginning failed.");
    }

    private void CheckMoney()
    {
        Must.Hold(!_leftEarly, "A leg leaves before its debit is durable.");
        LegAudit.CheckMoney(_ledgers);
    }

    /// <summary>P13: another recovery, and a replay from the first entry, give the same state.</summary>
    private void CheckRecovery()
    {
        var states = Array.ConvertAll(_ledgers, ledger => ledger.StateHash());
        Close();
        _disk.PowerLoss();
        Open();
        Must.Hold(states.SequenceEqual(_ledgers.Select(ledger => ledger.StateHash())), "A second recovery gave another state.");
        Must.Hold(_courier.InFlight == 0, "What had arrived is on its way again.");
        Close();
        if (_random.Next(4) > 0) return;
        for (var number = 0; number < _count; number++)
            Must.Hold(DiskStage.Replayed(_disk, number).StateHash() == states[number], "P13: a replay from the first entry gave another state.");
    }

    public void Dispose()
    {
        _courier.Dispose();
        _scheduler.Dispose();
    }
}
