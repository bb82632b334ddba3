using System.Diagnostics.CodeAnalysis;
using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Benchmarks;

/// <summary>A journal that counts what is appended to it.</summary>
internal sealed class CountingJournal(IJournal journal) : IJournal
{
    public long Entries { get; private set; }
    public long Batches { get; private set; }
    public long Bytes { get; private set; }
    public long DurableSequence => journal.DurableSequence;
    public Hash256 ChainHash => journal.ChainHash;

    /// <summary>Leaves what was counted before out of the counts.</summary>
    public void Since(long entries, long batches, long bytes) =>
        (Entries, Batches, Bytes) = (Entries - entries, Batches - batches, Bytes - bytes);

    public bool TryReserve(int payloadBytes) => journal.TryReserve(payloadBytes);

    public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        journal.Append(payload, firstSequence, sequences);
        Entries += sequences;
        Batches++;
        Bytes += payload.Length;
    }

    public void Seal() => journal.Seal();
    public bool TryReadRecord(long sequence, [NotNullWhen(true)] out byte[]? record) => journal.TryReadRecord(sequence, out record);
    public void ReadRecords(long first, long count, RecordReader reader) => journal.ReadRecords(first, count, reader);
    public long? FindId(WalletId owner, OperationId id) => journal.FindId(owner, id);
    public void Dispose() => journal.Dispose();
}
