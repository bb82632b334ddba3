// Goal: whatever the machine does, every payment that was answered is there after recovery with the answer that was
// given (P1), a retry has no second effect (P5), and the ledger is what a naive book of accounts says (P6, P7, P13).
// Method: one thread takes the partition's turns in an order drawn from the seed, over a journal that fails at a random
// operation (on SimDisk, which loses power, or in PostgreSQL), with snapshots that are taken at random turns and recovered
// from; clients pay, overspend, retry and ask, and retry everything after each crash.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

internal sealed class PartitionSimulation : IDisposable
{
    private const int WalletsMax = 6;
    private const int BatchBytes = Limits.RecordBytesMax + (16 << 10);
    public const int SegmentBytes = (2 * BatchBytes) + (64 << 10);
    private const long Funds = 10_000;

    private readonly Random _random;
    private readonly PartitionStage _stage;
    private readonly TurnScheduler _scheduler = new();
    private readonly List<Payment> _payments = [];
    private readonly List<WalletId> _wallets = [];
    private readonly SimulatedTime _time = new();
    private IRecoveredJournal? _journal;
    private SnapshotKeeper? _snapshots;
    private Ledger _ledger = new(0);
#pragma warning disable CA2213 // It has no threads here, and its journal is closed at each end of a life.
    private OwnedPartition _partition = null!;
#pragma warning restore CA2213
    private bool _stopped;

    private sealed class Payment(Transfer terms)
    {
        public Transfer Terms { get; } = terms;
        public Answer? Answer { get; set; }
    }

    public PartitionSimulation(int seed, PartitionStage stage) => (_random, _stage) = (new Random(seed), stage);

    /// <summary>How often the simulation reached what it is for.</summary>
    public int Halts { get; private set; }
    public int Retries { get; private set; }
    public int Unanswered { get; private set; }
    public int Snapshots { get; private set; }
    public int FromSnapshots { get; private set; }

    public void Run()
    {
        Open();
        Fund();
        for (var lives = 1 + _random.Next(3); lives > 0; lives--)
        {
            _stage.HaltWithin(60);
            Live(_random.Next(80));
            Crash();
            Open();
            CheckAnswered();
        }
        RetryEverything();
        CheckBook();
        var state = _ledger.StateHash();
        Close();
        _stage.Crash();
        Open();
        Must.Hold(_ledger.StateHash() == state, "A second recovery gave another state.");
        Close();
        Must.Hold(_stage.Replayed().StateHash() == state, "P13: a replay from the first entry gave another state.");
    }

    private void Open()
    {
        var log = new EventLog();
        var settings = new SnapshotSettings { Entries = 1 + _random.Next(30), BytesPerSecond = 0 };
        (var ledger, _journal, _snapshots, var start) = _stage.Open(new RecoveryTerms(settings, (ulong)_random.NextInt64()), log);
        Must.Hold(!log.Events.Contains(EventLog.SnapshotPassedOver), "A snapshot that the manifest names is not good.");
        if (start is not null) FromSnapshots++;
        _ledger = ledger;
        _stopped = false;
        _partition = new OwnedPartition(
            ledger, _stage.Plant(_journal), new BatchClock(_time, ledger.Genesis is null ? null : ledger.Time), NullLogger.Instance,
            (_, _) => _stopped = true, salts =>
            {
                foreach (ref var salt in salts) salt = (UInt128)_random.NextInt64();
            },
            new PartitionBounds { BatchBytes = BatchBytes }, _snapshots);
    }

    private void Close()
    {
        _snapshots!.Dispose();
        _journal!.Dispose();
        _scheduler.Drain();
    }

    /// <summary>What was on its way is unanswered.</summary>
    private void Crash()
    {
        if (_stopped) Halts++;
        Close();
        _stage.Crash();
    }

    private void Fund()
    {
        var owner = new WalletId(1);
        Settle(_partition.SubmitAsync(new Genesis("simulation/log", 3, 1, owner, new ByteString([0x51]), [])));
        var script = new ByteString([0, 20, .. new byte[20]]);
        Settle(_partition.SubmitAsync(new AssignAddress(NewId(), owner, AddressPurpose.OperatorTopUp, script)));
        Settle(_partition.SubmitAsync(new ChangeDeposit(default, DepositState.Credited, false, script, new Sats(WalletsMax * Funds), default, 1)));
        for (var i = 0; i < WalletsMax; i++)
        {
            var wallet = new WalletId((UInt128)(i + 2));
            _wallets.Add(wallet);
            Settle(_partition.SubmitAsync(new CreateWallet(NewId(), Ledger.OperatorTenant, wallet)));
            Settle(_partition.SubmitAsync(new Transfer(NewId(), owner, wallet, new Msat(Funds), 0, ByteString.Empty)));
        }
    }

    private void Live(int steps)
    {
        while (steps-- > 0 && !_stopped)
        {
            switch (_random.Next(7))
            {
                case 0 or 1:
                    Pay(NewPayment());
                    break;
                case 2 when _payments.Count > 0:
                    Retries++;
                    Pay(_payments[_random.Next(_payments.Count)]);
                    break;
                case 3:
                    _partition.TakeOwnerTurn();
                    break;
                case 6:
                    TakeSnapshotTurn();
                    break;
                default:
                    _time.Milliseconds += _random.Next(50);
                    _partition.TakeSyncTurn(TimeSpan.Zero);
                    break;
            }
            _scheduler.Drain();
        }
    }

    private void TakeSnapshotTurn()
    {
        try
        {
            if (_snapshots!.TakeTurn()) Snapshots++;
        }
        catch (Exception e) when (e is MachineStoppedException or IOException)
        {
            // The process ends.
            _stopped = true;
        }
    }

    private Payment NewPayment()
    {
        var payer = _random.Next(WalletsMax);
        var payee = (payer + 1 + _random.Next(WalletsMax - 1)) % WalletsMax;
        // One payment in a few is more than the payer can have.
        var amount = new Msat(1 + _random.NextInt64(Funds * 3));
        var payment = new Payment(new Transfer(NewId(), _wallets[payer], _wallets[payee], amount, (uint)_payments.Count, ByteString.Empty));
        _payments.Add(payment);
        return payment;
    }

    private async void Pay(Payment payment)
    {
        try
        {
            var answer = await _partition.SubmitAsync(payment.Terms);
            if (answer.Outcome == Outcome.IdInFlight) return;
            Must.Hold(
                payment.Answer is not { } first || (first.Outcome == answer.Outcome && first.Entry!.Sequence == answer.Entry!.Sequence),
                $"A retry was answered {answer.Outcome}, the first time {payment.Answer?.Outcome}.");
            payment.Answer = answer;
        }
        catch (Exception e) when (e is OutcomeUnknownException or PartitionUnavailableException)
        {
            Unanswered++;
        }
    }

    /// <summary>Whatever was answered stands in the journal as it was answered.</summary>
    private void CheckAnswered()
    {
        foreach (var payment in _payments)
        {
            if (payment.Answer is not { } answer) continue;
            Must.Hold(_ledger.FindId(payment.Terms.Payer, payment.Terms.Id) == answer.Entry!.Sequence, "An answered payment is not there after recovery.");
            var entry = Entry.Read(Record(answer.Entry.Sequence));
            Must.Hold(entry.Outcome == answer.Outcome && entry.Command.Equals(payment.Terms), "An answered payment stands there differently.");
        }
    }

    private void RetryEverything()
    {
        foreach (var payment in _payments)
        {
            Pay(payment);
            Settle();
            Must.Hold(payment.Answer is not null, "A retry was not answered.");
        }
    }

    /// <summary>Every id has one entry, and the balances are those of a book kept by hand.</summary>
    private void CheckBook()
    {
        var book = _wallets.ToDictionary(w => w, _ => Funds);
        var seen = new HashSet<OperationId>();
        foreach (var payment in _payments.OrderBy(p => p.Answer!.Entry!.Sequence))
        {
            Must.Hold(seen.Add(payment.Terms.Id), "Two payments share an id.");
            var enough = book[payment.Terms.Payer] >= payment.Terms.Amount.Value;
            Must.Hold((payment.Answer!.Outcome == Outcome.Accepted) == enough, "A payment was answered against the book.");
            if (!enough) continue;
            book[payment.Terms.Payer] -= payment.Terms.Amount.Value;
            book[payment.Terms.Payee] += payment.Terms.Amount.Value;
        }
        foreach (var (wallet, balance) in book) Must.Hold(_ledger.FindWallet(wallet)!.Value.Available.Value == balance, "A balance is not the book's.");
        var entries = Enumerable.Range(0, (int)_journal!.DurableSequence + 1).Select(s => Entry.Read(Record(s)));
        var ids = entries.Select(e => e.Command).OfType<ClientCommand>().Select(c => c.Id).ToArray();
        Must.Hold(ids.Length == ids.Distinct().Count(), "An id has two entries.");
        _ledger.CheckEveryBalance();
    }

    private byte[] Record(long sequence)
    {
        byte[]? found = null;
        _journal!.ReadRecords(sequence, 1, record => found = record.ToArray());
        return found!;
    }

    private OperationId NewId() => OperationId.Create(new UnixTime(_time.Milliseconds), (UInt128)_random.NextInt64());

    private void Settle(Task<Answer>? task = null)
    {
        _partition.TakeOwnerTurn();
        _partition.TakeSyncTurn(TimeSpan.Zero);
        _scheduler.Drain();
        if (task is not null) Must.Hold(task.IsCompletedSuccessfully && task.Result.Outcome == Outcome.Accepted, "The beginning failed.");
    }

    public void Dispose() => _scheduler.Dispose();
}
