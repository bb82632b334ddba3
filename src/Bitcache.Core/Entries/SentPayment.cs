// A payment on its way to the process that decides it, and what comes back.
//
//   payment    0  u8   kind
//              1  u8   flags
//              2  u8   facts about the payee
//              3  u8   bytes of the reference, r
//              4  u32  code
//              8  16   id
//             24  16   payer
//             40  16   payee
//             56  i64  msat
//             64       of a hold i64 expires; of a capture and a release 16 target; of a refund 16 target, i64 sequence of the
//                      original, i64 msat that it moved
//             ..  r    reference
//
//   result     0  u16  outcome
//              2  u8   marks: 1 the payer's balance is told, 2 the payee's, 4 there is a fee, 8 something went back
//              3  u32  bytes of the record, 0 where there is none
//              7  i64  sequence
//             15  i64  msat
//             23       i64 each of what is marked, in the order of the marks

namespace Bitcache.Core;

/// <summary>The bytes of a payment, for another process of the same ledger; never kept.</summary>
public static class SentPayment
{
    public const int BytesMax = PaymentHeaderBytes + OperationId.Bytes + (2 * sizeof(long)) + Limits.ReferenceBytesMax;
    public const int ResultBytesMax = ResultHeaderBytes + (4 * sizeof(long));
    private const int PaymentHeaderBytes = 64;
    private const int ResultHeaderBytes = 23;

    [Flags]
    private enum Marks : byte
    {
        None = 0,
        Payer = 1,
        Payee = 2,
        Fee = 4,
        Released = 8,
        All = Payer | Payee | Fee | Released,
    }

    public static void Write(ref ByteWriter writer, in Payment payment)
    {
        writer.U8((byte)payment.Kind);
        writer.U8((byte)payment.Flags);
        writer.U8((byte)payment.Facts);
        writer.U8((byte)payment.Reference.Length);
        writer.U32(payment.Code);
        writer.Id(payment.Id);
        writer.Wallet(payment.Payer);
        writer.Wallet(payment.Payee);
        writer.Amount(payment.Amount);
        if (payment.Kind == PaymentKind.Hold) writer.I64(payment.Expires.Milliseconds);
        if (PaymentRecord.NamesTarget(payment.Kind)) writer.Id(payment.Target);
        if (payment.Kind == PaymentKind.Refund)
        {
            writer.I64(payment.OriginalSequence);
            writer.Amount(payment.OriginalAmount);
        }
        writer.Raw(payment.Reference);
    }

    /// <summary>Reads what <see cref="Write(ref ByteWriter, in Payment)"/> wrote; also a payment that the ledger would refuse.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static Payment Read(ref ByteReader reader)
    {
        var (kind, flags, facts, length) = ((PaymentKind)reader.U8(), (PaymentFlags)reader.U8(), (PayeeFacts)reader.U8(), reader.U8());
        if (length > Limits.ReferenceBytesMax) throw new FormatException($"a reference of {length} bytes");
        var payment = new Payment
        {
            Kind = kind,
            Flags = flags,
            Facts = facts,
            Code = reader.U32(),
            Id = reader.Id(),
            Payer = reader.Wallet(),
            Payee = reader.Wallet(),
            Amount = reader.Msat(),
        };
        if (kind == PaymentKind.Hold) payment = payment with { Expires = new UnixTime(reader.I64()) };
        if (PaymentRecord.NamesTarget(kind)) payment = payment with { Target = reader.Id() };
        if (kind == PaymentKind.Refund) payment = payment with { OriginalSequence = reader.I64(), OriginalAmount = reader.Msat() };
        payment.SetReference(reader.Take(length));
        return payment;
    }

    public static void Write(ref ByteWriter writer, in PaymentResult result)
    {
        var marks = (result.PayerAvailable is null ? Marks.None : Marks.Payer)
            | (result.PayeeAvailable is null ? Marks.None : Marks.Payee)
            | (result.Fee.IsZero ? Marks.None : Marks.Fee)
            | (result.Released.IsZero ? Marks.None : Marks.Released);
        writer.U16((int)result.Outcome);
        writer.U8((byte)marks);
        writer.U32((uint)result.BytesWritten);
        writer.I64(result.Sequence);
        writer.Amount(result.Amount);
        if (result.PayerAvailable is { } payer) writer.Amount(payer);
        if (result.PayeeAvailable is { } payee) writer.Amount(payee);
        if (!result.Fee.IsZero) writer.Amount(result.Fee);
        if (!result.Released.IsZero) writer.Amount(result.Released);
    }

    /// <exception cref="FormatException">It is none.</exception>
    public static PaymentResult ReadResult(ref ByteReader reader)
    {
        // Thousands of them: the reader of enumerations makes an object of each.
        var (outcome, marks, bytes, sequence, amount) = ((Outcome)reader.U16(), (Marks)reader.U8(), reader.U32(), reader.I64(), reader.Msat());
        if (!Enum.IsDefined(outcome) || marks > Marks.All || bytes > Limits.RecordBytesMax) throw new FormatException($"a result {outcome} with marks {marks}");
        var result = default(PaymentResult);
        Msat? payer = (marks & Marks.Payer) != 0 ? reader.Msat() : null;
        Msat? payee = (marks & Marks.Payee) != 0 ? reader.Msat() : null;
        result.Set(outcome, sequence, (int)bytes, amount, payer, payee);
        if ((marks & Marks.Fee) != 0) result.Fee = reader.Msat();
        if ((marks & Marks.Released) != 0) result.Released = reader.Msat();
        return result;
    }
}
