namespace Bitcache.Engine.Journal;

/// <summary>One verified batch, in journal order. The payload is valid only during the call.</summary>
public readonly ref struct RecoveredBatch(long firstSequence, int sequences, ReadOnlySpan<byte> payload)
{
    public long FirstSequence { get; } = firstSequence;
    public int Sequences { get; } = sequences;
    /// <summary>Records (<see cref="JournalRecord"/>), one after the other.</summary>
    public ReadOnlySpan<byte> Payload { get; } = payload;
}

/// <summary>Takes the batches of a journal being opened. They are durable only once Open has returned; if it throws,
/// what was built from them must be thrown away.</summary>
public delegate void ReplayBatch(RecoveredBatch batch);

/// <summary>What opening a journal found and did.</summary>
/// <param name="Segments">Files with frames in them, or ready for them.</param>
/// <param name="Frames">Frames, seals included.</param>
/// <param name="Sequences">Sequences that are durable: the next one to append.</param>
/// <param name="WriterEpoch">The epoch of this opening: higher than that of any frame found.</param>
/// <param name="TornBytes">Bytes of an unfinished write that were cut from the end; 0 if the end was clean.</param>
/// <param name="TornFile">The file that keeps them; null if there were none.</param>
/// <param name="UndoneSegment">A segment file that a crash had left unused, and that was removed; null if there was none.</param>
public sealed record RecoveryReport(
    int Segments, long Frames, long Sequences, long WriterEpoch, long TornBytes, string? TornFile, string? UndoneSegment);
