// The ledger as it follows from the statements in its log, which is all that an auditor has: no links, no balances, nobody's
// limits. Whether a payment should have been refused cannot be seen here; that nothing moved which was not there can.
//
// A partition's entries come in their order. Of several partitions one may have cut an epoch that another has not: its entries
// wait until all have, so that balances at a cut are those of one moment.

using System.Diagnostics;

namespace Bitcache.Core.Audit;

internal sealed partial class StatementReplay(Pins pins)
{
    private readonly ReplayAccounts _accounts = new();
    private long[] _next = [0];
    private long[] _epochs = [0];
    private long _complete;
    private Queue<(long Index, byte[] Statement)> _ahead = new();
    private long _lastCut;
    private UnixTime _lastCutTime;

    /// <summary>Takes what everybody had right behind a cut of all partitions.</summary>
    public Action<CutBalances> WhenCut { get; set; } = static _ => { };

    /// <summary>Takes what was stated about an epoch, and the entry's place in the log.</summary>
    public Func<EpochStatement, long, bool> WhenStated { get; set; } = static (_, _) => true;

    /// <summary>The fingerprint of the log's first key, if the genesis entry tells it.</summary>
    public IReadOnlyList<Hash256> FirstKeys { get; private set; } = [];

    /// <summary>Keys of the log that entries name, each in place of the one before.</summary>
    public List<ByteString> Keys { get; } = [];

    /// <summary>Applies the next entry of the log.</summary>
    /// <exception cref="FormatException">It is no statement.</exception>
    /// <exception cref="ImpossibleEntryException">It cannot follow the entries before it.</exception>
    /// <returns>False where <see cref="WhenStated"/> ends it.</returns>
    public bool Apply(long index, ReadOnlySpan<byte> statement)
    {
        if (statement.Length < Entry.StatementHeaderBytes + Entry.SaltBytes) throw new FormatException("a statement that is too short");
        var head = new ByteReader(statement);
        head.Take(2);
        var (partition, sequence) = (head.U16(), head.I64());
        if (index == 0) Begin(Entry.ReadStatement(statement));
        if (partition >= _next.Length) throw new FormatException($"an entry of partition {partition}, of which there are {_next.Length}");
        if (sequence != _next[partition]) throw new ImpossibleEntryException($"it has sequence {sequence} in partition {partition}, where {_next[partition]} follows: entries are missing", AuditFault.EntryMissing);
        _next[partition]++;
        return Process(index, statement, partition);
    }

    private bool Process(long index, ReadOnlySpan<byte> statement, int partition)
    {
        if (_epochs[partition] > _complete)
        {
            _ahead.Enqueue((index, statement.ToArray()));
            return true;
        }
        if (statement[1] == (byte)EntryType.Transfer)
        {
            ApplyTransfer(statement, partition);
            return true;
        }
        var entry = Entry.ReadStatement(statement);
        if (entry.Command is StateEpoch state) return WhenStated(state.Statement, index);
        if (entry.Command is not EpochCut cut)
        {
            Apply(entry);
            return true;
        }
        if (cut.Epoch != _epochs[partition] + 1) throw new ImpossibleEntryException($"it cuts epoch {cut.Epoch} behind epoch {_epochs[partition]}");
        _epochs[partition]++;
        if (index >= _lastCut) (_lastCut, _lastCutTime) = (index, entry.Time);
        return Array.Exists(_epochs, epoch => epoch == _complete) || CompleteEpoch();
    }

    private bool CompleteEpoch()
    {
        _complete++;
        WhenCut(TakeBalances());
        var waiting = _ahead;
        _ahead = new Queue<(long, byte[])>();
        foreach (var (index, statement) in waiting)
        {
            if (!Process(index, statement, new ByteReader(statement.AsSpan(2)).U16())) return false;
        }
        return true;
    }

    private void Begin(Entry entry)
    {
        if (entry.Command is not Genesis genesis) throw new ImpossibleEntryException("the first entry is not the genesis entry");
        if (genesis.Origin != pins.Origin || genesis.Network != (byte)pins.Network || !genesis.AnchorScript.Span.SequenceEqual(pins.AnchorScript))
            throw new ImpossibleEntryException($"the ledger began as '{genesis.Origin}' with another network, name or anchor script than the pins have");
        FirstKeys = [.. genesis.Keys.Where(key => key.Purpose == KeyPurpose.Checkpoint).Select(key => key.Sha256)];
        (_next, _epochs) = (new long[genesis.Partitions], new long[genesis.Partitions]);
        _accounts.Begin(genesis.Operator, genesis.Partitions);
    }

    /// <summary>A plain transfer, which nearly every entry is, is read without making objects.</summary>
    private void ApplyTransfer(ReadOnlySpan<byte> statement, int partition)
    {
        var body = new ByteReader(statement[Entry.StatementHeaderBytes..^Entry.SaltBytes]);
        body.Id();
        var (payer, payee, amount) = (body.Wallet(), body.Wallet(), body.Msat());
        body.U32();
        body.Take(body.U8());
        body.End();
        if (statement[0] != Entry.StatementVersion) throw new FormatException("a statement of an unknown version");
        Debit(payer, partition, amount);
        Pay(payee, partition, amount);
    }

    /// <summary>What an entry can move. The list has no other arm: who adds a type says here what an auditor makes of it.</summary>
    private enum Moves
    {
        Nothing,
        Payments,
        Holds,
        Deposits,
        Withdrawals,
        Families,
    }

    private static Moves MovesOf(EntryType type) => type switch
    {
        EntryType.None => throw new FormatException("an entry of no type"),
        EntryType.Genesis or EntryType.KeyRotated or EntryType.WalletCreated or EntryType.Transfer or EntryType.TransferUpTo or EntryType.TransferCharged
            or EntryType.PaymentRefunded or EntryType.SplitPaid or EntryType.LegReceived or EntryType.OperatorFundsMoved => Moves.Payments,
        EntryType.HoldPlaced or EntryType.HoldCaptured or EntryType.HoldReleased or EntryType.HoldExpired => Moves.Holds,
        EntryType.AddressAssigned or EntryType.AddressesAssigned or EntryType.DepositChanged or EntryType.DepositSettled or EntryType.SuspenseAssigned => Moves.Deposits,
        EntryType.WithdrawalRequested or EntryType.WithdrawalSettledInside or EntryType.WithdrawalCancelled or EntryType.WithdrawalExpired
            or EntryType.WithdrawalDecided or EntryType.WithdrawalCharged => Moves.Withdrawals,
        EntryType.FamilyOpened or EntryType.AttemptPrepared or EntryType.AttemptSigned or EntryType.ChildSigned or EntryType.FamilyConfirmed
            or EntryType.FamilyUnconfirmed or EntryType.FamilyFinished or EntryType.FamilyAbandoned or EntryType.FamilyDied => Moves.Families,
        EntryType.TransferRefused or EntryType.PaymentRefused or EntryType.SplitRefused or EntryType.WithdrawalRefused => Moves.Nothing,
        EntryType.CursorMoved or EntryType.LogCut or EntryType.EpochCut or EntryType.EpochStated or EntryType.FloorRaised or EntryType.ClockConfirmed
            or EntryType.FreezeSet or EntryType.LimitsSet or EntryType.FeesSet or EntryType.LegsAcknowledged or EntryType.RescanMarked
            or EntryType.SettlementStopped or EntryType.WithdrawalsStopSet or EntryType.FamilyArchived or EntryType.TermBegun => Moves.Nothing,
    };

    private void Apply(Entry e)
    {
        switch (MovesOf(e.Type))
        {
            case Moves.Payments:
                ApplyPayment(e);
                break;
            case Moves.Holds:
                ApplyHold(e);
                break;
            case Moves.Deposits:
                ApplyDeposit(e);
                break;
            case Moves.Withdrawals:
                ApplyWithdrawal(e);
                break;
            case Moves.Families:
                ApplyFamily(e);
                break;
            case Moves.Nothing:
                break;
        }
    }

    private void ApplyPayment(Entry e)
    {
        var p = e.Partition;
        switch (e.Command)
        {
            case Genesis when e.Sequence > 0:
                throw new ImpossibleEntryException("a ledger begins once");
            case Genesis:
                break;
            case RotateKey rotate:
                Keys.Add(rotate.NewKey);
                break;
            case CreateWallet create:
                _accounts.Create(create.Wallet);
                break;
            case PaymentCommand payment:
                Debit(payment.Payer, p, payment.Amount + e.Fee);
                Pay(payment.Payee, p, payment.Amount);
                Credit(_accounts.Operator, p, e.Fee);
                break;
            case Split split:
                Debit(split.Payer, p, split.Parts[0].Amount + e.Fee);
                Pay(split.Parts[0].Payee, p, split.Parts[0].Amount);
                Credit(_accounts.Operator, p, e.Fee);
                break;
            case ReceiveLeg { Leg.Credit: var credit }:
                _accounts.Find(credit.Payee, p).InFlight -= credit.Amount.Value;
                Credit(credit.Payee, p, credit.Amount);
                break;
            case MoveOperatorFunds move:
                Debit(_accounts.Operator, p, move.Amount);
                if (move.Destination >= _accounts.Partitions) throw new ImpossibleEntryException($"it sends to partition {move.Destination}, which is none");
                _accounts.Find(_accounts.Operator, move.Destination).InFlight += move.Amount.Value;
                break;
            default:
                throw new UnreachableException($"{e.Type} with {e.Command.GetType().Name}");
        }
    }
}
