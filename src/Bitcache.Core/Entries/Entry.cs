// One journal record, and within it the statement that becomes a leaf of the log.
//
//   record     0  u32  length of the whole record
//              4  u16  sequences that the record covers: 1, or as many as a split has parts
//              6  u8   record version (1)
//              7  u8   marks: 0, 1 if a credit went to another partition, 2 if a withdrawal waits for approval, or 3 if one was
//                      refused and its id is remembered in the window alone, as it always is by now
//              8  u32  tenant that the command came from
//             12  u16  statement length s
//             14  s    statement; of a split one for each part, each behind its length
//             ..       the command's private bytes, then links and balances (by type, below); of a signed attempt u32 length
//                      and bytes of the transaction, u32 height of the newest block (no bytes where that was not kept);
//                      of a signed child the same, always with the height; of a withdrawal that waits for approval, and
//                      of what decided it, u8 length and name of the key that asked; of a term u8 length and name of the silo
//
//   statement  0  u8   statement version (1)
//              1  u8   entry type
//              2  u16  partition
//              4  u64  sequence
//             12  u64  time of the batch, Unix milliseconds
//             20       body: the command's fields (of payments: PaymentBytes.cs), and what the decision adds:
//                      u8 kind before a payment that was refused; behind a payment with a fee, a part of a split, a hold, a capture
//                      and a withdrawal's charge u64 fee; behind a capture, an expiry and what cancels, decides, ends or
//                      charges a withdrawal u64 msat that went back to the payer; behind a refused command u16 outcome; behind a withdrawal settled inside 16 bytes of the
//                      wallet that it credits, behind an expiry of the payee; behind what was assigned out of suspense u64 msat
//             ..  16   salt
//
// Links and balances, where an entry touches a wallet's history: u64 sequence of the wallet's previous entry,
// u64 msat available afterwards; of a payment the payer's pair, then the payee's, then, if there is a fee, the
// operator's. A capture has a pair of the payer's only if something went back to it. A split has a byte that says
// whether there is a pair of the operator's, then, if the record is marked, 64 bits that say which parts' credits went to
// another partition, the first part's the lowest; then the payer's pair, each payee's, and the operator's. Where a credit
// went to another partition there is in place of the payee's pair: u16 that partition, u64 the leg's number.

namespace Bitcache.Core;

/// <summary>The wallets of whose histories an entry may be part.</summary>
[Flags]
public enum HistorySides
{
    None = 0,
    /// <summary>The payer, or the only wallet there is.</summary>
    Payer = 1,
    Payee = 2,
    /// <summary>The operator, which received a fee.</summary>
    Operator = 4,
}

/// <summary>An entry's place in the history of one wallet.</summary>
/// <param name="Previous">Sequence of the wallet's previous entry; 0 at the first (the genesis entry is nobody's).</param>
/// <param name="Available">The wallet's available balance after this entry.</param>
public readonly record struct HistoryLink(long Previous, Msat Available);

/// <summary>What a refund must agree with: see <see cref="Payment.OriginalSequence"/>.</summary>
public readonly record struct MovedPayment(OperationId Id, WalletId Payer, WalletId Payee, Msat Amount);

/// <summary>A decoded journal record.</summary>
/// <param name="Payee">The wallet credited by a withdrawal to one of our own addresses; the payee of an expired hold, or
/// of the part of a split that was read.</param>
/// <param name="First">The payer's link, or that of the only wallet there is.</param>
/// <param name="Second">The payee's.</param>
public sealed partial record Entry(
    EntryType Type, int Partition, long Sequence, UnixTime Time, uint Tenant, UInt128 Salt,
    Command Command, Outcome Outcome, WalletId Payee, HistoryLink First, HistoryLink Second)
{
    public const byte RecordVersion = 1;
    public const byte StatementVersion = 1;
    public const int RecordHeaderBytes = 14;
    public const int StatementHeaderBytes = 20;
    public const int SaltBytes = 16;
    /// <summary>Of the journaled time in a statement, behind version, type, partition and sequence.</summary>
    internal const int TimeOffset = 12;
    internal const int MarksOffset = 7;
    internal const byte Departs = 1;
    internal const byte Awaits = 2;
    internal const byte Forgets = 3;

    /// <summary>What the payer paid to the operator on top of the amount, or has held for that.</summary>
    public Msat Fee { get; init; }

    /// <summary>What went back to the payer because a hold was closed, a withdrawal was cancelled, declined or expired, or mining it
    /// cost less than was held for that; what was given out of suspense.</summary>
    public Msat Released { get; init; }

    /// <summary>The operator's link.</summary>
    public HistoryLink Third { get; init; }

    /// <summary>Where the payee's credit went, if that lives in another partition.</summary>
    public LegName? Leg { get; init; }

    /// <summary>Which links there are: of which wallets' histories the entry is part.</summary>
    public HistorySides Sides => Leg is null ? SidesOfType : SidesOfType & ~HistorySides.Payee;

    private HistorySides SidesOfType => Type switch
    {
        EntryType.Transfer or EntryType.WithdrawalSettledInside or EntryType.PaymentRefunded => HistorySides.Payer | HistorySides.Payee,
        EntryType.TransferUpTo or EntryType.TransferCharged => HistorySides.Payer | HistorySides.Payee | OperatorSide,
        EntryType.HoldCaptured => (Released.IsZero ? HistorySides.None : HistorySides.Payer) | HistorySides.Payee | OperatorSide,
        EntryType.SplitPaid => HistorySides.Payer | HistorySides.Payee | (HasOperatorLink ? HistorySides.Operator : HistorySides.None),
        EntryType.HoldPlaced or EntryType.HoldReleased or EntryType.HoldExpired => HistorySides.Payer,
        EntryType.WalletCreated or EntryType.WithdrawalRequested or EntryType.WithdrawalCancelled or EntryType.OperatorFundsMoved => HistorySides.Payer,
        EntryType.WithdrawalExpired => HistorySides.Payer,
        EntryType.WithdrawalCharged => HistorySides.Payer | OperatorSide,
        EntryType.LegReceived or EntryType.SuspenseAssigned => HistorySides.Payee,
        EntryType.DepositChanged when ((ChangeDeposit)Command).IsInHistory => HistorySides.Payer,
        EntryType.WithdrawalDecided when !((DecideWithdrawal)Command).Approved => HistorySides.Payer,
        EntryType.DepositSettled when !Released.IsZero => HistorySides.Payer,
        _ => HistorySides.None,
    };

    /// <summary>What a payment moved to its payee; null for an entry that is none, or that a refund cannot name.</summary>
    public MovedPayment? Moved => (Type, Command) switch
    {
        (EntryType.Transfer or EntryType.TransferUpTo or EntryType.TransferCharged or EntryType.HoldCaptured, PaymentCommand p) =>
            new MovedPayment(p.Id, p.Payer, p.Payee, p.Amount),
        (EntryType.SplitPaid, Split s) => new MovedPayment(s.Id, s.Payer, s.Parts[Part].Payee, s.Parts[Part].Amount),
        _ => null,
    };

    /// <summary>The credit that went to another partition: see <see cref="Leg"/>.</summary>
    /// <exception cref="InvalidOperationException">None did.</exception>
    internal Payment Sent => (Leg, Command) switch
    {
        (null, _) => throw new InvalidOperationException($"entry {Sequence} sent nothing to another partition"),
        (_, PaymentCommand p) => Credit(p.Id, p.Payer, p.Payee, p.Amount, p.Code, p.Reference),
        (_, Split s) => s.ToPayment(Part),
        (_, RequestWithdrawal w) => Credit(w.Id, w.Wallet, Payee, w.Amount.ToMsat(), 0, ByteString.Empty),
        (_, AssignSuspense a) => Credit(a.Id, default, a.Wallet, Released, 0, ByteString.Empty),
        (_, MoveOperatorFunds m) => Credit(m.Id, m.Operator, m.Operator, m.Amount, 0, ByteString.Empty),
        _ => throw new InvalidOperationException($"an entry of type {Type} sends nothing"),
    };

    /// <summary>What a payment moved, held or gave back; zero where it was refused, and for an entry that is none.</summary>
    public Msat AmountMoved => Outcome == Outcome.Accepted && Command is PaymentCommand payment ? payment.Amount : Msat.Zero;

    /// <summary>The link of one side.</summary>
    public HistoryLink LinkOf(HistorySides side) => side switch
    {
        HistorySides.Payee => Second,
        HistorySides.Operator => Third,
        _ => First,
    };

    private HistorySides OperatorSide => Fee.IsZero ? HistorySides.None : HistorySides.Operator;

    /// <summary>The first statement inside a record: what the log hashes, and what a receipt shows.</summary>
    public static ReadOnlySpan<byte> StatementOf(ReadOnlySpan<byte> record) => StatementAt(record, 0, out _);

    /// <summary>The statement of one of the sequences that a record covers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The record does not cover it.</exception>
    public static ReadOnlySpan<byte> StatementOf(ReadOnlySpan<byte> record, long sequence)
    {
        var (first, count) = SequencesOf(record);
        ArgumentOutOfRangeException.ThrowIfLessThan(sequence, first);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sequence, first + count);
        return StatementAt(record, (int)(sequence - first), out _);
    }

    /// <summary>Whether a record, which is taken to be whole, is a cut of the log.</summary>
    public static bool IsLogCut(ReadOnlySpan<byte> record) => record[RecordHeaderBytes + 1] == (byte)EntryType.LogCut;

    /// <summary>The sequences that a record covers.</summary>
    public static (long First, int Count) SequencesOf(ReadOnlySpan<byte> record)
    {
        var statement = new ByteReader(StatementOf(record));
        statement.Take(4);
        return (statement.I64(), CountOf(record));
    }

    /// <summary>How many sequences a record covers.</summary>
    public static int CountOf(ReadOnlySpan<byte> record) => new ByteReader(record[4..]).U16();

    /// <summary>Reads a record.</summary>
    /// <param name="sequence">Which part of a split is wanted; the first if none is named.</param>
    /// <exception cref="FormatException">The bytes are not a record of a known version.</exception>
    public static Entry Read(ReadOnlySpan<byte> record, long? sequence = null)
    {
        var statement = StatementAt(record, 0, out var end);
        var tenant = new ByteReader(record[8..]).U32();
        if (IsSplit(statement)) return ReadSplit(record, tenant, sequence);
        if (new ByteReader(record[4..]).U16() != 1) throw new FormatException("several statements, and no split");
        var rest = new ByteReader(record[end..]);
        var entry = ReadStatement(statement, tenant, ref rest);
        var departs = record[MarksOffset] == Departs;
        if (departs && !entry.MaySend) throw new FormatException($"an entry of type {entry.Type} that sends a credit");
        if (record[MarksOffset] == Awaits) entry = entry with { Command = ReadAwaiting(entry, ref rest) };
        if (record[MarksOffset] == Forgets && entry.Type != EntryType.WithdrawalRefused) throw new FormatException($"an entry of type {entry.Type} that is no refused withdrawal");
        if (entry is { Type: EntryType.WithdrawalRefused, Command: RequestWithdrawal refused })
            entry = entry with { Command = refused with { IsUncounted = record[MarksOffset] != Forgets } };
        entry = entry with
        {
            First = ReadLink(entry.Sides & HistorySides.Payer, ref rest),
            Leg = departs ? new LegName(rest.U16(), rest.I64()) : null,
            // Also where no credit departs: the operator's account is here, its addresses may be elsewhere.
            Command = entry is { Type: EntryType.WithdrawalSettledInside, Command: RequestWithdrawal inside }
                ? inside with { OwnerElsewhere = entry.Payee }
                : entry.Command,
        };
        entry = entry with
        {
            Second = ReadLink(entry.Sides & HistorySides.Payee, ref rest),
            Third = ReadLink(entry.Sides & HistorySides.Operator, ref rest),
        };
        rest.End();
        return entry;
    }

    /// <param name="end">Where the statement ends.</param>
    private static ReadOnlySpan<byte> StatementAt(ReadOnlySpan<byte> record, int index, out int end)
    {
        var header = new ByteReader(record);
        if (header.U32() != record.Length) throw new FormatException("a record's length does not match its bytes");
        var sequences = header.U16();
        if (header.U8() != RecordVersion) throw new FormatException("a record of an unknown version");
        if (sequences is < 1 or > Limits.SplitPayeesMax || header.U8() > Forgets) throw new FormatException("a record with unknown marks");
        header.Take(4);
        for (; index > 0; index--) header.Take(header.U16());
        var statement = header.Take(header.U16());
        end = record.Length - header.Left;
        return statement;
    }

    /// <summary>Reads a statement alone, as a receipt holds it; what lives outside the leaf is left at its default.</summary>
    public static Entry ReadStatement(ReadOnlySpan<byte> statement)
    {
        var nothing = default(ByteReader);
        return ReadStatement(statement, 0, ref nothing, leafOnly: true);
    }

    private static HistoryLink ReadLink(HistorySides side, ref ByteReader rest) =>
        side == HistorySides.None ? default : new HistoryLink(rest.I64(), rest.Msat());

    private static Entry ReadStatement(ReadOnlySpan<byte> statement, uint tenant, ref ByteReader rest, bool leafOnly = false)
    {
        if (statement.Length < StatementHeaderBytes + SaltBytes) throw new FormatException("a statement that is too short");
        var reader = new ByteReader(statement[..^SaltBytes]);
        var salt = new ByteReader(statement[^SaltBytes..]).U128();
        if (reader.U8() != StatementVersion) throw new FormatException("a statement of an unknown version");
        var type = reader.U8<EntryType>();
        var (partition, sequence, time) = (reader.U16(), reader.I64(), reader.Time());
        var command = ReadCommand(type, tenant, partition, salt, ref reader, ref rest, leafOnly);
        var charged = type is EntryType.TransferUpTo or EntryType.TransferCharged or EntryType.HoldPlaced or EntryType.HoldCaptured
            or EntryType.SplitPaid or EntryType.WithdrawalCharged;
        var fee = charged ? reader.Msat() : type == EntryType.WithdrawalRequested ? ((RequestWithdrawal)command).Fee.ToMsat() : Msat.Zero;
        if (type == EntryType.TransferCharged && fee.IsZero) throw new FormatException("a transfer charged with nothing");
        var released = type is EntryType.HoldCaptured or EntryType.HoldExpired or EntryType.WithdrawalCancelled
            or EntryType.WithdrawalExpired or EntryType.WithdrawalCharged or EntryType.WithdrawalDecided
            or EntryType.SuspenseAssigned or EntryType.DepositSettled ? reader.Msat() : Msat.Zero;
        var refused = type is EntryType.TransferRefused or EntryType.WithdrawalRefused or EntryType.PaymentRefused or EntryType.SplitRefused;
        var outcome = refused ? reader.U16<Outcome>() : Outcome.Accepted;
        var payee = type switch
        {
            EntryType.WithdrawalSettledInside or EntryType.HoldExpired => reader.Wallet(),
            EntryType.SplitPaid => ((Split)command).Parts[0].Payee,
            _ => default,
        };
        reader.End();
        return new Entry(type, partition, sequence, time, tenant, salt, command, outcome, payee, default, default)
        {
            Fee = fee,
            Released = type == EntryType.HoldReleased ? ((PaymentCommand)command).Amount : released,
        };
    }

    /// <summary>Reads the command of an entry of a type, from its own bytes in the statement and behind it.</summary>
    internal static Command ReadCommand(EntryType type, uint tenant, int partition, UInt128 salt, ref ByteReader reader, ref ByteReader rest, bool leafOnly) => type switch
    {
        EntryType.Genesis => Genesis.Read(ref reader),
        EntryType.WalletCreated => CreateWallet.Read(ref reader, tenant),
        EntryType.Transfer or EntryType.TransferRefused or EntryType.TransferCharged =>
            PaymentBytes.Read(PaymentKind.Transfer, upTo: false, ref reader, ref rest, leafOnly),
        EntryType.TransferUpTo => PaymentBytes.Read(PaymentKind.Transfer, upTo: true, ref reader, ref rest, leafOnly),
        EntryType.PaymentRefused => PaymentBytes.Read(reader.U8<PaymentKind>(), upTo: true, ref reader, ref rest, leafOnly),
        EntryType.HoldPlaced => PaymentBytes.Read(PaymentKind.Hold, upTo: false, ref reader, ref rest, leafOnly),
        EntryType.HoldCaptured => PaymentBytes.Read(PaymentKind.Capture, upTo: false, ref reader, ref rest, leafOnly),
        EntryType.HoldReleased => PaymentBytes.Read(PaymentKind.Release, upTo: false, ref reader, ref rest, leafOnly),
        EntryType.HoldExpired => ExpireHold.Read(ref reader),
        EntryType.PaymentRefunded => PaymentBytes.Read(PaymentKind.Refund, upTo: false, ref reader, ref rest, leafOnly),
        EntryType.AddressAssigned => AssignAddress.Read(ref reader),
        EntryType.AddressesAssigned => AssignAddresses.Read(ref reader),
        EntryType.DepositChanged => ChangeDeposit.Read(ref reader),
        EntryType.CursorMoved => MoveCursor.Read(ref reader),
        EntryType.RescanMarked => MarkRescan.Read(ref reader),
        EntryType.WithdrawalRequested or EntryType.WithdrawalRefused or EntryType.WithdrawalSettledInside =>
            RequestWithdrawal.Read(ref reader),
        EntryType.WithdrawalCancelled => CancelWithdrawal.Read(ref reader),
        EntryType.FamilyDied => DeclareFamilyDead.Read(ref reader),
        EntryType.ChildSigned => ReadSignChild(ref reader, ref rest, leafOnly),
        EntryType.SettlementStopped => StopSettlement.Read(ref reader),
        EntryType.WithdrawalExpired => ExpireWithdrawal.Read(ref reader),
        EntryType.WithdrawalCharged => ChargeWithdrawal.Read(ref reader),
        EntryType.WithdrawalsStopSet => StopWithdrawals.Read(ref reader),
        EntryType.WithdrawalDecided => DecideWithdrawal.Read(ref reader, ref rest, leafOnly),
        EntryType.FamilyOpened => OpenFamily.Read(ref reader),
        EntryType.AttemptPrepared => ReadPrepareAttempt(ref reader, ref rest, leafOnly),
        EntryType.AttemptSigned => ReadSignAttempt(ref reader, ref rest, leafOnly),
        EntryType.FamilyConfirmed => ReadConfirmFamily(ref reader, ref rest, leafOnly),
        EntryType.FamilyUnconfirmed => UnconfirmFamily.Read(ref reader),
        EntryType.FamilyFinished => FinishFamily.Read(ref reader),
        EntryType.FamilyAbandoned => AbandonFamily.Read(ref reader),
        EntryType.FamilyArchived => ReadArchiveFamily(ref reader, ref rest, leafOnly),
        EntryType.LogCut => LogCut.Read(ref reader),
        EntryType.EpochCut => EpochCut.Read(ref reader),
        EntryType.EpochStated => StateEpoch.Read(ref reader),
        EntryType.FloorRaised => RaiseFloor.Read(ref reader),
        EntryType.ClockConfirmed => new ConfirmClock(),
        EntryType.FreezeSet => SetFrozen.Read(ref reader),
        EntryType.SplitPaid => ReadPart(ref reader, ref rest, salt),
        EntryType.SplitRefused => Split.Read(ref reader),
        EntryType.LimitsSet => SetLimits.Read(ref reader),
        EntryType.FeesSet => SetFees.Read(ref reader),
        EntryType.LegReceived => ReceiveLeg.Read(ref reader, partition),
        EntryType.LegsAcknowledged => AcknowledgeLegs.Read(ref reader),
        EntryType.OperatorFundsMoved => MoveOperatorFunds.Read(ref reader),
        EntryType.SuspenseAssigned => AssignSuspense.Read(ref reader),
        EntryType.KeyRotated => RotateKey.Read(ref reader),
        EntryType.TermBegun => BeginTerm.Read(ref reader, ref rest, leafOnly),
        EntryType.DepositSettled => SettleDeposit.Read(ref reader, ref rest, leafOnly),
        EntryType.None => throw new FormatException("an entry without a type"),
    };

    /// <summary>Whether an entry of this type may credit a wallet of another partition.</summary>
    private bool MaySend => Type is EntryType.Transfer or EntryType.TransferUpTo or EntryType.TransferCharged or EntryType.HoldCaptured
        or EntryType.PaymentRefunded or EntryType.WithdrawalSettledInside or EntryType.OperatorFundsMoved
        or EntryType.SuspenseAssigned;

    /// <summary>The key that asked for a withdrawal stands behind all other private bytes.</summary>
    private static RequestWithdrawal ReadAwaiting(Entry entry, ref ByteReader rest)
    {
        if (entry.Type != EntryType.WithdrawalRequested) throw new FormatException($"an entry of type {entry.Type} that waits for approval");
        return (RequestWithdrawal)entry.Command with { ApprovalFrom = Sats.Zero, AskedBy = rest.Short(Limits.KeyIdBytesMax) };
    }

    private static Payment Credit(OperationId id, WalletId payer, WalletId payee, Msat amount, uint code, ByteString reference)
    {
        var credit = new Payment { Kind = PaymentKind.Transfer, Id = id, Payer = payer, Payee = payee, Amount = amount, Code = code };
        credit.SetReference(reference.Span);
        return credit;
    }

    private static PrepareAttempt ReadPrepareAttempt(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        if (!leafOnly) return PrepareAttempt.Read(ref body, ref rest);
        ReadOnlySpan<byte> noPsbt = [0, 0, 0, 0];
        var empty = new ByteReader(noPsbt);
        return PrepareAttempt.Read(ref body, ref empty);
    }

    private static SignAttempt ReadSignAttempt(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        if (!leafOnly) return SignAttempt.Read(ref body, ref rest);
        ReadOnlySpan<byte> noTransaction = [0, 0, 0, 0];
        var empty = new ByteReader(noTransaction);
        return SignAttempt.Read(ref body, ref empty);
    }

    private static SignChild ReadSignChild(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        if (!leafOnly) return SignChild.Read(ref body, ref rest);
        ReadOnlySpan<byte> noTransaction = [0, 0, 0, 0, 0, 0, 0, 0];
        var empty = new ByteReader(noTransaction);
        return SignChild.Read(ref body, ref empty);
    }

    private static ArchiveFamily ReadArchiveFamily(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        if (!leafOnly) return ArchiveFamily.Read(ref body, ref rest);
        ReadOnlySpan<byte> noTransaction = [0, 0, 0, 0];
        var empty = new ByteReader(noTransaction);
        return ArchiveFamily.Read(ref body, ref empty);
    }

    private static ConfirmFamily ReadConfirmFamily(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        if (!leafOnly) return ConfirmFamily.Read(ref body, ref rest);
        ReadOnlySpan<byte> noProof = [0, 0, 0, 0, 0, 0];
        var empty = new ByteReader(noProof);
        return ConfirmFamily.Read(ref body, ref empty);
    }
}
