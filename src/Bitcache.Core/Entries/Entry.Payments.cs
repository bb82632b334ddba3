using System.Buffers.Binary;

namespace Bitcache.Core;

public sealed partial record Entry
{
    /// <summary>Reads the payment that a record was made from, without making objects. False if the record is of another
    /// kind. What follows from the payment is passed over: whoever applies it again holds the result against the record.</summary>
    /// <param name="context">What came to the payment from outside.</param>
    /// <exception cref="FormatException">The bytes are not a record of a known version.</exception>
    internal static bool TryReadPayment(ReadOnlySpan<byte> record, out Payment payment, out ApplyContext context)
    {
        (payment, context) = (default, default);
        if (record.Length < RecordHeaderBytes + StatementHeaderBytes) return false;
        var type = (EntryType)record[RecordHeaderBytes + 1];
        if (!IsPayment(type)) return false;
        var statement = StatementAt(record, 0, out var end);
        if (statement.Length < StatementHeaderBytes + SaltBytes) return false;
        var body = new ByteReader(statement[12..^SaltBytes]);
        var salt = new ByteReader(statement[^SaltBytes..]).U128();
        context = new ApplyContext(body.Time(), BinaryPrimitives.ReadUInt32BigEndian(record[8..]), salt, ClockTrusted: false, IsReplay: true);
        payment = ReadPayment(type, ref body, record[end..]);
        return true;
    }

    private static bool IsPayment(EntryType type) => type
        is EntryType.Transfer or EntryType.TransferRefused or EntryType.TransferCharged or EntryType.TransferUpTo or EntryType.PaymentRefused
        or EntryType.HoldPlaced or EntryType.HoldCaptured or EntryType.HoldReleased or EntryType.PaymentRefunded;

    private static Payment ReadPayment(EntryType type, ref ByteReader body, ReadOnlySpan<byte> rest)
    {
        var kind = KindOf(type, ref body);
        // What was journaled had found its payee.
        var payment = new Payment { Kind = kind, Facts = PayeeFacts.All, Id = body.Id(), Payer = body.Wallet(), Payee = body.Wallet(), Amount = body.Msat(), Code = body.U32() };
        int reference = body.U8();
        if (reference > Limits.ReferenceBytesMax) throw new FormatException($"{reference} bytes of a reference");
        payment.SetReference(body.Take(reference));
        return kind switch
        {
            // What was asked for stands outside the statement.
            PaymentKind.Transfer when type is EntryType.TransferUpTo or EntryType.PaymentRefused =>
                payment with { Flags = PaymentFlags.UpTo, Amount = new ByteReader(rest).Msat() },
            PaymentKind.Hold => payment with { Expires = body.Time() },
            PaymentKind.Capture => payment with { Target = body.Id(), Flags = body.Flag() ? PaymentFlags.Close : PaymentFlags.None },
            PaymentKind.Release => payment with { Target = body.Id() },
            PaymentKind.Refund => payment with { OriginalSequence = body.I64(), OriginalAmount = body.Msat(), Target = body.Id() },
            _ => payment,
        };
    }

    private static PaymentKind KindOf(EntryType type, ref ByteReader body) => type switch
    {
        // A number that no kind has is refused by whoever applies it.
        EntryType.PaymentRefused => (PaymentKind)body.U8(),
        EntryType.HoldPlaced => PaymentKind.Hold,
        EntryType.HoldCaptured => PaymentKind.Capture,
        EntryType.HoldReleased => PaymentKind.Release,
        EntryType.PaymentRefunded => PaymentKind.Refund,
        _ => PaymentKind.Transfer,
    };
}
