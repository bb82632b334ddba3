using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>A record that is, but for the values of its fields, what <see cref="TransferBytes.Write"/> writes.</summary>
internal readonly ref struct TransferRecord
{
    private readonly ReadOnlySpan<byte> _head;
    private readonly ReadOnlySpan<byte> _links;

    private TransferRecord(ReadOnlySpan<byte> head, ReadOnlySpan<byte> links)
    {
        _head = head;
        _links = links;
    }

    public uint Tenant => BinaryPrimitives.ReadUInt32BigEndian(_head[8..]);
    public long Sequence => BinaryPrimitives.ReadInt64BigEndian(_head[18..]);
    public long Milliseconds => BinaryPrimitives.ReadInt64BigEndian(_head[26..]);
    public OperationId Id => IdOf(_head);
    public WalletId Payer => PayerOf(_head);
    public WalletId Payee => PayeeOf(_head);
    /// <summary>In msat; any number.</summary>
    public long Amount => BinaryPrimitives.ReadInt64BigEndian(_head[82..]);
    public long PayerPrevious => BinaryPrimitives.ReadInt64BigEndian(_links);
    public long PayerAvailable => BinaryPrimitives.ReadInt64BigEndian(_links[8..]);
    public long PayeePrevious => BinaryPrimitives.ReadInt64BigEndian(_links[16..]);
    public long PayeeAvailable => BinaryPrimitives.ReadInt64BigEndian(_links[24..]);

    // Most payments have these at the same places.
    public static bool HasWallets(ReadOnlySpan<byte> record) => record.Length >= TransferBytes.HeadBytes;
    public static OperationId IdOf(ReadOnlySpan<byte> record) => OperationId.Read(record.Slice(34, OperationId.Bytes));
    public static WalletId PayerOf(ReadOnlySpan<byte> record) => WalletId.Read(record.Slice(50, WalletId.Bytes));
    public static WalletId PayeeOf(ReadOnlySpan<byte> record) => WalletId.Read(record.Slice(66, WalletId.Bytes));

    /// <summary>Whether everything that is the same in each transfer of a partition, and every length, is as it is written.
    /// What is left are its fields, a code, a reference and a salt.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead(ReadOnlySpan<byte> record, int partition, out TransferRecord transfer)
    {
        transfer = default;
        if (record.Length < TransferBytes.HeadBytes + TransferBytes.TailBytes) return false;
        var head = record[..TransferBytes.HeadBytes];
        int reference = head[94];
        var isTransfer = reference <= Limits.ReferenceBytesMax
            && record.Length == TransferBytes.HeadBytes + reference + TransferBytes.TailBytes
            && BinaryPrimitives.ReadInt32BigEndian(head) == record.Length
            && BinaryPrimitives.ReadUInt32BigEndian(head[4..]) == TransferBytes.Marks
            && BinaryPrimitives.ReadUInt16BigEndian(head[12..]) == TransferBytes.StatementBytes + reference
            && head[14] == Entry.StatementVersion
            && head[15] == (byte)EntryType.Transfer
            && BinaryPrimitives.ReadUInt16BigEndian(head[16..]) == partition;
        if (isTransfer) transfer = new TransferRecord(head, record[^TransferBytes.LinksBytes..]);
        return isTransfer;
    }
}
