using Bitcache.Engine.Journal;

namespace Bitcache.Simulation;

/// <summary>A sound journal, used wrongly.</summary>
internal sealed class BuggyJournal(IJournal inner, PlantedBug bug) : JournalInFront(inner)
{
    public override bool TryReserve(int payloadBytes, int batches = 1)
    {
        try
        {
            return base.TryReserve(payloadBytes, batches);
        }
        catch (JournalFailedException) when (bug == PlantedBug.FailureSwallowed)
        {
            return false;
        }
    }

    public override void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
    {
        try
        {
            base.Append(payload, firstSequence, sequences);
        }
        catch (JournalFailedException) when (bug == PlantedBug.FailureSwallowed)
        {
        }
    }

    public override void Seal()
    {
        if (bug != PlantedBug.NoSeal) base.Seal();
    }
}
