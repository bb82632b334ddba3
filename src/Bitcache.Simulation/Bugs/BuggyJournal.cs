using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Simulation;

/// <summary>A sound journal, used wrongly.</summary>
internal sealed class BuggyJournal(IJournal inner, PlantedBug bug) : IJournal
{
    public Hash256 ChainHash => inner.ChainHash;

    public long DurableSequence => inner.DurableSequence;

    public bool TryReserve(int payloadBytes, int batches = 1)
    {
        try
        {
            return inner.TryReserve(payloadBytes, batches);
        }
        catch (JournalFailedException) when (bug == PlantedBug.FailureSwallowed)
        {
            return false;
        }
    }

    public void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        try
        {
            inner.Append(payload, firstSequence, sequences);
        }
        catch (JournalFailedException) when (bug == PlantedBug.FailureSwallowed)
        {
        }
    }

    public void Seal()
    {
        if (bug != PlantedBug.NoSeal) inner.Seal();
    }

    public bool IsShared => inner.IsShared;

    public void Confirm() => inner.Confirm();

    public void ReadRecords(long first, long count, RecordReader reader) => inner.ReadRecords(first, count, reader);

    public long? FindId(WalletId owner, OperationId id) => inner.FindId(owner, id);

    public void Dispose() => inner.Dispose();
}
