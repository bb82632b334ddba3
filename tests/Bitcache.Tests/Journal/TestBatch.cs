using Bitcache.Engine.Journal;

namespace Bitcache.Tests.Journal;

/// <summary>Records as the journal sees them: a head, and bytes that mean nothing.</summary>
internal static class TestBatch
{
    public static byte[] Record(int bytes, int sequences, int fill)
    {
        var record = new byte[bytes];
        new Random(fill).NextBytes(record);
        JournalRecord.WriteHeader(record, sequences);
        return record;
    }

    public static byte[] Payload(byte[][] records)
    {
        var payload = new byte[records.Sum(record => record.Length)];
        var at = 0;
        foreach (var record in records)
        {
            record.CopyTo(payload, at);
            at += record.Length;
        }
        return payload;
    }

    public static IEnumerable<byte[]> Split(ReadOnlySpan<byte> payload)
    {
        var records = new List<byte[]>();
        while (JournalRecord.TryReadHeader(payload, out var length, out _))
        {
            records.Add(payload[..length].ToArray());
            payload = payload[length..];
        }
        return records;
    }

    public static int Sequences(byte[] record)
    {
        JournalRecord.TryReadHeader(record, out _, out var sequences);
        return sequences;
    }
}
