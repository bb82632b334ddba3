// One journal record, and within it the statement that becomes a leaf of the log.
//
//   record     0  u32  length of the whole record
//              4  u16  sequences that the record covers (1)
//              6  u8   record version (1)
//              7  u8   0
//              8  u32  tenant that the command came from
//             12  u16  statement length s
//             14  s    statement
//             ..       the command's private bytes, then links and balances (by type, below)
//
//   statement  0  u8   statement version (1)
//              1  u8   entry type
//              2  u16  partition
//              4  u64  sequence
//             12  u64  time of the batch, Unix milliseconds
//             20       body: the command's fields; behind a refused command u16 outcome,
//                      behind a withdrawal settled inside 16 bytes of the wallet that it credits
//             ..  16   salt
//
// Links and balances, where an entry touches a wallet's history: u64 sequence of the wallet's previous entry,
// u64 msat available afterwards; for a transfer the payer's pair, then the payee's.

namespace Bitcache.Core;

/// <summary>An entry's place in the history of one wallet.</summary>
/// <param name="Previous">Sequence of the wallet's previous entry; 0 at the first (the genesis entry is nobody's).</param>
/// <param name="Available">The wallet's available balance after this entry.</param>
public readonly record struct HistoryLink(long Previous, Msat Available);

/// <summary>A decoded journal record.</summary>
/// <param name="Payee">The wallet credited by a withdrawal to one of our own addresses.</param>
public sealed partial record Entry(
    EntryType Type, int Partition, long Sequence, UnixTime Time, uint Tenant, UInt128 Salt,
    Command Command, Outcome Outcome, WalletId Payee, HistoryLink First, HistoryLink Second)
{
    public const byte RecordVersion = 1;
    public const byte StatementVersion = 1;
    public const int RecordHeaderBytes = 14;
    public const int StatementHeaderBytes = 20;
    public const int SaltBytes = 16;

    /// <summary>The statement inside a record: what the log hashes, and what a receipt shows.</summary>
    public static ReadOnlySpan<byte> StatementOf(ReadOnlySpan<byte> record)
    {
        var header = new ByteReader(record);
        if (header.U32() != record.Length) throw new FormatException("a record's length does not match its bytes");
        var sequences = header.U16();
        if (header.U8() != RecordVersion) throw new FormatException("a record of an unknown version");
        if (sequences != 1 || header.U8() != 0) throw new FormatException("a record with unknown marks");
        header.Take(4);
        return header.Take(header.U16());
    }

    /// <summary>The sequence of a record, or of the first that it covers.</summary>
    public static long SequenceOf(ReadOnlySpan<byte> record) => new ByteReader(StatementOf(record)[4..]).I64();

    /// <summary>Reads a record.</summary>
    /// <exception cref="FormatException">The bytes are not a record of a known version.</exception>
    public static Entry Read(ReadOnlySpan<byte> record)
    {
        var statement = StatementOf(record);
        var tenant = new ByteReader(record[8..]).U32();
        var rest = new ByteReader(record[(RecordHeaderBytes + statement.Length)..]);
        var entry = ReadStatement(statement, tenant, ref rest);
        HistoryLink first = default, second = default;
        if (Links(entry) > 0) first = new HistoryLink(rest.I64(), rest.Msat());
        if (Links(entry) > 1) second = new HistoryLink(rest.I64(), rest.Msat());
        rest.End();
        return entry with { First = first, Second = second };
    }

    /// <summary>Reads a statement alone, as a receipt holds it; what lives outside the leaf is left at its default.</summary>
    public static Entry ReadStatement(ReadOnlySpan<byte> statement)
    {
        var nothing = default(ByteReader);
        return ReadStatement(statement, 0, ref nothing, leafOnly: true);
    }

    /// <summary>How many wallets' histories an entry is part of.</summary>
    private static int Links(Entry entry) => entry.Type switch
    {
        EntryType.Transfer or EntryType.WithdrawalSettledInside => 2,
        EntryType.WalletCreated or EntryType.WithdrawalRequested => 1,
        EntryType.DepositChanged when ((ChangeDeposit)entry.Command).IsInHistory => 1,
        _ => 0,
    };

    private static Entry ReadStatement(ReadOnlySpan<byte> statement, uint tenant, ref ByteReader rest, bool leafOnly = false)
    {
        if (statement.Length < StatementHeaderBytes + SaltBytes) throw new FormatException("a statement that is too short");
        var reader = new ByteReader(statement[..^SaltBytes]);
        var salt = new ByteReader(statement[^SaltBytes..]).U128();
        if (reader.U8() != StatementVersion) throw new FormatException("a statement of an unknown version");
        var type = reader.U8<EntryType>();
        var (partition, sequence, time) = (reader.U16(), reader.I64(), reader.Time());
        Command command = type switch
        {
            EntryType.Genesis => Genesis.Read(ref reader),
            EntryType.WalletCreated => CreateWallet.Read(ref reader, tenant),
            EntryType.Transfer or EntryType.TransferRefused => Transfer.Read(ref reader),
            EntryType.AddressAssigned => AssignAddress.Read(ref reader),
            EntryType.DepositChanged => ChangeDeposit.Read(ref reader),
            EntryType.CursorMoved => MoveCursor.Read(ref reader),
            EntryType.WithdrawalRequested or EntryType.WithdrawalRefused or EntryType.WithdrawalSettledInside =>
                RequestWithdrawal.Read(ref reader),
            EntryType.FamilyOpened => OpenFamily.Read(ref reader),
            EntryType.AttemptSigned => ReadSignAttempt(ref reader, ref rest, leafOnly),
            EntryType.FamilyConfirmed => ReadConfirmFamily(ref reader, ref rest, leafOnly),
            EntryType.FamilyUnconfirmed => UnconfirmFamily.Read(ref reader),
            EntryType.FamilyFinished => FinishFamily.Read(ref reader),
            EntryType.FamilyAbandoned => AbandonFamily.Read(ref reader),
            EntryType.LogCut => LogCut.Read(ref reader),
            EntryType.EpochCut => EpochCut.Read(ref reader),
            EntryType.FloorRaised => RaiseFloor.Read(ref reader),
            EntryType.ClockConfirmed => new ConfirmClock(),
            EntryType.None => throw new FormatException("an entry without a type"),
        };
        var refused = type is EntryType.TransferRefused or EntryType.WithdrawalRefused;
        var outcome = refused ? reader.U16<Outcome>() : Outcome.Accepted;
        var payee = type == EntryType.WithdrawalSettledInside ? reader.Wallet() : default;
        reader.End();
        return new Entry(type, partition, sequence, time, tenant, salt, command, outcome, payee, default, default);
    }

    private static SignAttempt ReadSignAttempt(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        if (!leafOnly) return SignAttempt.Read(ref body, ref rest);
        ReadOnlySpan<byte> noTransaction = [0, 0, 0, 0];
        var empty = new ByteReader(noTransaction);
        return SignAttempt.Read(ref body, ref empty);
    }

    private static ConfirmFamily ReadConfirmFamily(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        if (!leafOnly) return ConfirmFamily.Read(ref body, ref rest);
        ReadOnlySpan<byte> noProof = [0, 0, 0, 0, 0, 0];
        var empty = new ByteReader(noProof);
        return ConfirmFamily.Read(ref body, ref empty);
    }
}
