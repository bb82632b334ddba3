using System.Diagnostics;
using Bitcache.Benchmarks.Load;
using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Benchmarks;

/// <summary>A journal that counts what is appended to it, and how long that takes.</summary>
internal sealed class CountingJournal(IJournal journal) : IJournal
{
    public long Entries { get; private set; }
    public long Batches { get; private set; }
    public long Bytes { get; private set; }
    /// <summary>Of one batch: hashed, written and synced.</summary>
    public Latencies Appends { get; private set; } = new();
    public long DurableSequence => journal.DurableSequence;
    public Hash256 ChainHash => journal.ChainHash;

    /// <summary>Leaves out what was counted before. Called while nothing is appended.</summary>
    public void Reset()
    {
        (Entries, Batches, Bytes) = (0, 0, 0);
        Appends = new Latencies();
    }

    public bool TryReserve(int payloadBytes, int batches = 1) => journal.TryReserve(payloadBytes, batches);

    public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        var begun = Stopwatch.GetTimestamp();
        journal.Append(payload, firstSequence, sequences);
        Appends.Add(Stopwatch.GetTimestamp() - begun);
        Entries += sequences;
        Batches++;
        Bytes += payload.Length;
    }

    public void Seal() => journal.Seal();
    public bool IsShared => journal.IsShared;
    public void Confirm() => journal.Confirm();
    public void ReadRecords(long first, long count, RecordReader reader) => journal.ReadRecords(first, count, reader);
    public long? FindId(WalletId owner, OperationId id) => journal.FindId(owner, id);
    public void Dispose() => journal.Dispose();
}
