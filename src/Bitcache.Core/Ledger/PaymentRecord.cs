// The fixed record in which a payment arrives by the thousand. Little-endian, unlike what Bitcache keeps: it is the
// clients' format, and theirs are little-endian machines.
//
//     0  u8   kind: 1 transfer, 2 hold, 3 capture, 4 release, 5 refund
//     1  u8   flags: of a transfer 1 for up to the amount, of a capture 2 for the last; 0 otherwise
//     2  u8   bytes of the reference that are used, 0 to 64
//     3  u8   0
//     4  u32  code
//     8  16   id: the bytes of a UUID of version 7, in the order of its text
//    24  16   payer: the bytes of the wallet id
//    40  16   payee
//    56  i64  amount in msat; of a release 0
//    64  16   target: id of the hold that is captured or released, of the payment that is refunded; 0 otherwise
//    80  i64  of a hold when it expires, in Unix milliseconds; 0 otherwise
//    88  64   reference, zeros behind it
//   152  8    0

using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>The binary form of a <see cref="Payment"/> in requests with many of them, version 1.</summary>
public static class PaymentRecord
{
    public const int Bytes = 160;

    private const int IdOffset = 8;
    private const int PayerOffset = 24;
    private const int PayeeOffset = 40;
    private const int AmountOffset = 56;
    private const int TargetOffset = 64;
    private const int ExpiresOffset = 80;
    private const int ReferenceOffset = 88;

    public static void Write(Span<byte> record, in Payment payment)
    {
        record[..Bytes].Clear();
        record[0] = (byte)payment.Kind;
        record[1] = (byte)payment.Flags;
        record[2] = (byte)payment.Reference.Length;
        BinaryPrimitives.WriteUInt32LittleEndian(record[4..], payment.Code);
        payment.Id.Write(record[IdOffset..]);
        payment.Payer.Write(record[PayerOffset..]);
        payment.Payee.Write(record[PayeeOffset..]);
        BinaryPrimitives.WriteInt64LittleEndian(record[AmountOffset..], payment.Amount.Value);
        payment.Target.Write(record[TargetOffset..]);
        if (payment.Kind == PaymentKind.Hold) BinaryPrimitives.WriteInt64LittleEndian(record[ExpiresOffset..], payment.Expires.Milliseconds);
        payment.Reference.CopyTo(record[ReferenceOffset..]);
    }

    /// <summary>Reads a record; false if it is not one: a kind, a flag, an id, an amount, a time or a length that cannot
    /// be, or other bytes than zeros where zeros belong. A refund names its original by <see cref="Payment.Target"/>
    /// alone: its entry is still to be found.</summary>
    public static bool TryRead(ReadOnlySpan<byte> record, out Payment payment)
    {
        var kind = (PaymentKind)record[0];
        int length = record[2];
        var amount = BinaryPrimitives.ReadInt64LittleEndian(record[AmountOffset..]);
        var expires = BinaryPrimitives.ReadInt64LittleEndian(record[ExpiresOffset..]);
        payment = default;
        if (length > Limits.ReferenceBytesMax || amount is < 0 or > Limits.SupplyMsatMax) return false;
        var read = new Payment
        {
            Kind = kind,
            Flags = (PaymentFlags)record[1],
            Id = OperationId.Read(record[IdOffset..]),
            Payer = WalletId.Read(record[PayerOffset..]),
            Payee = WalletId.Read(record[PayeeOffset..]),
            Target = OperationId.Read(record[TargetOffset..]),
            Amount = new Msat(amount),
            Expires = new UnixTime(expires),
            Code = BinaryPrimitives.ReadUInt32LittleEndian(record[4..]),
        };
        var isSound = read.IsWellFormed && read.Id.IsWellFormed && !read.Payer.IsReserved && !read.Payee.IsReserved
            && (NamesTarget(kind) ? read.Target.IsWellFormed : read.Target.Value == 0)
            // The ledger subtracts times: one far below zero must not reach it.
            && (kind == PaymentKind.Hold ? expires > 0 : expires == 0)
            && (kind != PaymentKind.Release || amount == 0)
            && record[3] == 0 && !record[(ReferenceOffset + length)..Bytes].ContainsAnyExcept((byte)0);
        if (!isSound) return false;
        payment = read;
        payment.SetReference(record.Slice(ReferenceOffset, length));
        return true;
    }

    internal static bool NamesTarget(PaymentKind kind) => kind is PaymentKind.Capture or PaymentKind.Release or PaymentKind.Refund;
}
