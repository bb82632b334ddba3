// The fixed record in which a payment arrives by the thousand. Little-endian, unlike what Bitcache keeps: it is the
// clients' format, and theirs are little-endian machines.
//
//     0  u8   kind: 1 transfer
//     1  u8   0
//     2  u8   bytes of the reference that are used, 0 to 64
//     3  u8   0
//     4  u32  code
//     8  16   id: the bytes of a UUID of version 7, in the order of its text
//    24  16   payer: the bytes of the wallet id
//    40  16   payee
//    56  i64  amount in msat
//    64  24   0
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
    private const int ReservedOffset = 64;
    private const int ReferenceOffset = 88;

    public static void Write(Span<byte> record, in Payment payment)
    {
        record[..Bytes].Clear();
        record[0] = (byte)payment.Kind;
        record[2] = (byte)payment.Reference.Length;
        BinaryPrimitives.WriteUInt32LittleEndian(record[4..], payment.Code);
        payment.Id.Write(record[IdOffset..]);
        payment.Payer.Write(record[PayerOffset..]);
        payment.Payee.Write(record[PayeeOffset..]);
        BinaryPrimitives.WriteInt64LittleEndian(record[AmountOffset..], payment.Amount.Value);
        payment.Reference.CopyTo(record[ReferenceOffset..]);
    }

    /// <summary>Reads a record; false if it is not one: a kind, an id, an amount or a length that cannot be, or other
    /// bytes than zeros where zeros belong.</summary>
    public static bool TryRead(ReadOnlySpan<byte> record, out Payment payment)
    {
        payment = default;
        var amount = BinaryPrimitives.ReadInt64LittleEndian(record[AmountOffset..]);
        var id = OperationId.Read(record[IdOffset..]);
        int length = record[2];
        var (payer, payee) = (WalletId.Read(record[PayerOffset..]), WalletId.Read(record[PayeeOffset..]));
        var isSound = !payer.IsReserved && !payee.IsReserved && (PaymentKind)record[0] is PaymentKind.Transfer && (record[1] | record[3]) == 0 && length <= Limits.ReferenceBytesMax
            && id.IsWellFormed && amount is >= 0 and <= Limits.SupplyMsatMax
            && !record[ReservedOffset..ReferenceOffset].ContainsAnyExcept((byte)0)
            && !record[(ReferenceOffset + length)..Bytes].ContainsAnyExcept((byte)0);
        if (!isSound) return false;
        payment = new Payment
        {
            Kind = (PaymentKind)record[0],
            Id = id,
            Payer = payer,
            Payee = payee,
            Amount = new Msat(amount),
            Code = BinaryPrimitives.ReadUInt32LittleEndian(record[4..]),
        };
        payment.SetReference(record.Slice(ReferenceOffset, length));
        return true;
    }
}
