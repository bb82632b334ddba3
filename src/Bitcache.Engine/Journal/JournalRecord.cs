using System.Buffers.Binary;
using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>
/// A record as it stands in a frame's payload, one after the other without gaps:
/// <code>
/// 0  u32  length of the whole record, these six bytes included
/// 4  u16  sequences it covers, 1 or more
/// 6  …    the record's own bytes, unknown to the journal
/// </code>
/// </summary>
public static class JournalRecord
{
    public const int HeaderBytes = 6;

    public static void WriteHeader(Span<byte> record, int sequences)
    {
        BinaryPrimitives.WriteUInt32BigEndian(record, (uint)record.Length);
        BinaryPrimitives.WriteUInt16BigEndian(record[4..], (ushort)sequences);
    }

    /// <summary>Reads the head of the first record; false if what follows cannot be one.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> bytes, out int length, out int sequences)
    {
        (length, sequences) = (0, 0);
        if (bytes.Length < HeaderBytes) return false;
        var stated = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        if (stated < HeaderBytes || stated > bytes.Length || stated > Limits.RecordBytesMax) return false;
        (length, sequences) = ((int)stated, BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]));
        return sequences > 0;
    }

    /// <summary>Whether the payload is nothing but records, which together cover that many sequences.</summary>
    public static bool Tile(ReadOnlySpan<byte> payload, int sequences)
    {
        long covered = 0;
        while (payload.Length > 0)
        {
            if (!TryReadHeader(payload, out var length, out var covers)) return false;
            covered += covers;
            payload = payload[length..];
        }
        return covered == sequences;
    }
}
