// The record of a plain transfer, which nearly every entry is, written and read at fixed places. The layout is that of
// Entry.cs and PaymentBytes.cs; the golden journals hold the two writers together.

using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>Where the fields of a transfer's record stand.</summary>
internal static class TransferBytes
{
    /// <summary>Up to the reference, its length included.</summary>
    public const int HeadBytes = 95;
    /// <summary>The payer's link and the payee's.</summary>
    public const int LinksBytes = 32;
    /// <summary>Behind the reference: salt and links.</summary>
    public const int TailBytes = Entry.SaltBytes + LinksBytes;
    /// <summary>Of a statement without a reference.</summary>
    public const int StatementBytes = HeadBytes - Entry.RecordHeaderBytes + Entry.SaltBytes;
    /// <summary>Behind the record's length: one sequence, the version, and nothing.</summary>
    public const uint Marks = (1 << 16) | (Entry.RecordVersion << 8);

    /// <summary>Writes the record; returns its length.</summary>
    /// <param name="payer">The payer's link.</param>
    /// <param name="payee">The payee's.</param>
    public static int Write(
        Span<byte> record, in Payment payment, in ApplyContext context, int partition, long sequence, in HistoryLink payer, in HistoryLink payee)
    {
        var reference = payment.Reference;
        var length = HeadBytes + reference.Length + TailBytes;
        var head = record[..HeadBytes];
        BinaryPrimitives.WriteInt32BigEndian(head, length);
        BinaryPrimitives.WriteUInt32BigEndian(head[4..], Marks);
        BinaryPrimitives.WriteUInt32BigEndian(head[8..], context.Tenant);
        BinaryPrimitives.WriteUInt16BigEndian(head[12..], (ushort)(StatementBytes + reference.Length));
        head[14] = Entry.StatementVersion;
        head[15] = (byte)EntryType.Transfer;
        BinaryPrimitives.WriteUInt16BigEndian(head[16..], (ushort)partition);
        BinaryPrimitives.WriteInt64BigEndian(head[18..], sequence);
        BinaryPrimitives.WriteInt64BigEndian(head[26..], context.Time.Milliseconds);
        BinaryPrimitives.WriteUInt128BigEndian(head[34..], payment.Id.Value);
        BinaryPrimitives.WriteUInt128BigEndian(head[50..], payment.Payer.Value);
        BinaryPrimitives.WriteUInt128BigEndian(head[66..], payment.Payee.Value);
        BinaryPrimitives.WriteInt64BigEndian(head[82..], payment.Amount.Value);
        BinaryPrimitives.WriteUInt32BigEndian(head[90..], payment.Code);
        head[94] = (byte)reference.Length;
        if (!reference.IsEmpty) reference.CopyTo(record[HeadBytes..]);
        var tail = record.Slice(HeadBytes + reference.Length, TailBytes);
        BinaryPrimitives.WriteUInt128BigEndian(tail, context.Salt);
        BinaryPrimitives.WriteInt64BigEndian(tail[16..], payer.Previous);
        BinaryPrimitives.WriteInt64BigEndian(tail[24..], payer.Available.Value);
        BinaryPrimitives.WriteInt64BigEndian(tail[32..], payee.Previous);
        BinaryPrimitives.WriteInt64BigEndian(tail[40..], payee.Available.Value);
        return length;
    }
}
