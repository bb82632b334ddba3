using Bitcache.Core;

namespace Bitcache.Tests.Journal;

/// <summary>Records of transfers, as the ledger writes them but for their links: what id filters are made from.</summary>
internal static class IdRecord
{
    private const int Bytes = 111;
    /// <summary>An id's time if it is not given.</summary>
    public const long Time = 1_800_000_000_000;

    /// <summary>An identity for each number; a few owners share them.</summary>
    public static EntryId Identity(int number, long time = Time) =>
        new(new WalletId((UInt128)(1 + (number % 5))), OperationId.Create(new UnixTime(time), (UInt128)number));

    public static byte[] Of(in EntryId identity, long sequence, int referenceBytes = 0)
    {
        var record = new byte[Bytes + referenceBytes];
        var writer = new ByteWriter(record);
        writer.U32((uint)record.Length);
        writer.U16(1);
        writer.U8(Entry.RecordVersion);
        writer.U8(0);
        writer.U32(1);
        writer.U16(record.Length - Entry.RecordHeaderBytes);
        writer.U8(Entry.StatementVersion);
        writer.U8((byte)EntryType.Transfer);
        writer.U16(0);
        writer.I64(sequence);
        writer.Time(new UnixTime(Time));
        new Transfer(identity.Id, identity.Owner, new WalletId(99), new Msat(1), 0, new ByteString(new byte[referenceBytes])).WriteBody(ref writer);
        writer.U128((UInt128)sequence);
        Assert.Equal(record.Length, writer.Position);
        return record;
    }
}
