using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Engine.Journal;

/// <summary>
/// The durable history of one partition: records numbered by sequence from 0, without gaps. One thread, the
/// partition's, calls <see cref="TryReserve"/>, <see cref="Append"/> and <see cref="Seal"/>, in this order for each
/// batch; <see cref="DurableSequence"/> and <see cref="TryReadRecord"/> may be called by any.
/// </summary>
public interface IJournal : IDisposable
{
    /// <summary>The last sequence that no crash can take back; -1 while there is none.</summary>
    long DurableSequence { get; }

    /// <summary>Makes room for a batch of at most that many bytes. False if there is no space for it now: nothing is
    /// harmed, reads go on, and a later call may succeed.</summary>
    /// <exception cref="JournalFailedException">As for <see cref="Append"/>.</exception>
    bool TryReserve(int payloadBytes);

    /// <summary>Makes a batch of records (<see cref="JournalRecord"/>) durable, all of it or nothing, and returns
    /// only then. Needs a reservation that covers it; each serves one batch.</summary>
    /// <exception cref="JournalFailedException">The batch may or may not be durable. The journal takes no further
    /// call: end the process, and let recovery decide.</exception>
    void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences);

    /// <summary>Proves on disk that the last batch was written whole, so that later damage to it is told from a torn
    /// write. Called when there has been nothing to append for a while, and before the end. Does nothing if nothing
    /// was appended since the last one.</summary>
    /// <exception cref="JournalFailedException">As for <see cref="Append"/>.</exception>
    void Seal();

    /// <summary>The durable record that covers a sequence, whole, its header included; false if there is none yet.</summary>
    /// <exception cref="JournalCorruptException">What stands on disk is not what was written.</exception>
    bool TryReadRecord(long sequence, [NotNullWhen(true)] out byte[]? record);
}
