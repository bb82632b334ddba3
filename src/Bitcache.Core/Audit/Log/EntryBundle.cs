using System.Buffers;
using System.Buffers.Binary;

namespace Bitcache.Core.Audit;

/// <summary>The bytes of an entry bundle (C2SP tlog-tiles): one entry after the other, each behind its length as u16be.</summary>
public static class EntryBundle
{
    /// <summary>The most that a bundle can take.</summary>
    public const int BytesMax = LogTile.WidthMax * (sizeof(ushort) + Limits.StatementBytesMax);

    /// <summary>Adds one entry to a bundle.</summary>
    /// <param name="entry">At most <see cref="Limits.StatementBytesMax"/> bytes.</param>
    public static void Add(IBufferWriter<byte> bundle, ReadOnlySpan<byte> entry)
    {
        BinaryPrimitives.WriteUInt16BigEndian(bundle.GetSpan(sizeof(ushort)), checked((ushort)entry.Length));
        bundle.Advance(sizeof(ushort));
        bundle.Write(entry);
    }

    /// <summary>Takes a bundle apart; false if it does not hold exactly so many whole entries.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bundle, int width, out IReadOnlyList<ReadOnlyMemory<byte>> entries)
    {
        var found = new List<ReadOnlyMemory<byte>>(width);
        entries = found;
        for (var i = 0; i < width; i++)
        {
            if (bundle.Length < sizeof(ushort)) return false;
            var end = sizeof(ushort) + BinaryPrimitives.ReadUInt16BigEndian(bundle.Span);
            if (bundle.Length < end) return false;
            found.Add(bundle[sizeof(ushort)..end]);
            bundle = bundle[end..];
        }
        return bundle.IsEmpty;
    }
}
