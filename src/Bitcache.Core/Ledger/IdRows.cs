// The used ids as part of the state.

using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>The window at one moment. Its slices may be added to meanwhile: what is later than that moment is left out.</summary>
/// <param name="slices">In any order.</param>
/// <param name="end">The sequence after the last one that belongs to the state.</param>
internal sealed class IdRows(KeyValuePair<long, IdSlice>[] slices, long end) : IStateRows
{
    public const int RowBytes = OperationId.Bytes + (2 * sizeof(long));
    private const int HeadBytes = sizeof(long) + sizeof(uint);

    public void Write(StateWriter writer)
    {
        var rows = slices.Select(s => (s.Key, Slice: s.Value, Count: s.Value.CountBefore(end))).Where(s => s.Count > 0).OrderBy(s => s.Key).ToArray();
        writer.Section(StateSection.Ids, rows.Length);
        foreach (var (key, slice, count) in rows)
        {
            var head = writer.Begin(HeadBytes);
            head.I64(key);
            head.U32((uint)count);
            writer.End(head);
            Write(writer, slice, count);
        }
    }

    public static (long Key, int Ids) ReadHead(StateReader reader)
    {
        var head = reader.Begin();
        var (key, ids) = (head.I64(), head.U32());
        reader.End(head);
        return ids <= Array.MaxLength ? (key, (int)ids) : throw new FormatException($"{ids} ids of one second");
    }

    /// <summary>Ids in the order of their use.</summary>
    public static void Write(StateWriter writer, IdSlice slice, int count)
    {
        for (var at = 0; at < count;)
        {
            var ids = slice.Some(at, count);
            at += ids.Length;
            while (!ids.IsEmpty)
            {
                var row = writer.Begin(RowBytes);
                var fitting = Math.Min(ids.Length, writer.Free / RowBytes);
                foreach (ref readonly var used in ids[..fitting])
                {
                    row.Id(used.Id);
                    row.I64(used.Owner);
                    row.I64(used.Sequence);
                }
                writer.End(row);
                ids = ids[fitting..];
            }
        }
    }

    /// <summary>Reads as many ids as there is room for, out of as many rows.</summary>
    public static void Read(ReadOnlySpan<byte> rows, Span<UsedId> ids)
    {
        for (var i = 0; i < ids.Length; i++, rows = rows[RowBytes..])
        {
            var id = new UInt128(BinaryPrimitives.ReadUInt64BigEndian(rows), BinaryPrimitives.ReadUInt64BigEndian(rows[sizeof(ulong)..]));
            ids[i] = new UsedId(
                new OperationId(id), BinaryPrimitives.ReadInt64BigEndian(rows[OperationId.Bytes..]),
                BinaryPrimitives.ReadInt64BigEndian(rows[(OperationId.Bytes + sizeof(long))..]));
        }
    }
}

/// <summary>The ids that are kept for ever, at one moment.</summary>
internal sealed class IdForEverRows(IdSlice slice, long end) : IStateRows
{
    public void Write(StateWriter writer)
    {
        var count = slice.CountBefore(end);
        writer.Section(StateSection.IdsForEver, count);
        IdRows.Write(writer, slice, count);
    }
}
