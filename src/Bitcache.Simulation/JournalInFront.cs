using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Simulation;

/// <summary>Stands in front of a journal, and passes everything on.</summary>
internal abstract class JournalInFront(IJournal inner) : IJournal
{
    public virtual Hash256 ChainHash => inner.ChainHash;

    public long DurableSequence => inner.DurableSequence;

    public bool IsShared => inner.IsShared;

    public virtual bool TryReserve(int payloadBytes, int batches = 1) => inner.TryReserve(payloadBytes, batches);

    public virtual void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences) => inner.Append(payload, firstSequence, sequences);

    public virtual void Seal() => inner.Seal();

    public virtual void Confirm() => inner.Confirm();

    public void ReadRecords(long first, long count, RecordReader reader) => inner.ReadRecords(first, count, reader);

    public long? FindId(WalletId owner, OperationId id) => inner.FindId(owner, id);

    public virtual void Dispose() => inner.Dispose();
}

/// <summary>Tells at once what has become durable, and remembers what was before.</summary>
/// <param name="appended">Called before anybody is answered.</param>
internal sealed class WatchedJournal(IJournal inner, Action appended) : JournalInFront(inner)
{
    /// <summary>What was durable before the newest batch was.</summary>
    public long DurableBefore { get; private set; } = inner.DurableSequence;

    public override void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        DurableBefore = DurableSequence;
        base.Append(payload, firstSequence, sequences);
        appended();
    }

    /// <summary>A batch that has nothing to append.</summary>
    public override void Confirm()
    {
        DurableBefore = DurableSequence;
        base.Confirm();
    }
}
