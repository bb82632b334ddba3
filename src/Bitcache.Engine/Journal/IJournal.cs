using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>
/// The durable history of one partition: records numbered by sequence from 0, without gaps. One thread, the
/// partition's, calls <see cref="TryReserve"/>, <see cref="Append"/> and <see cref="Seal"/>, in this order for each
/// batch, and <see cref="Confirm"/> for one that has nothing to append; <see cref="DurableSequence"/>, <see cref="ReadRecords"/> and <see cref="FindId"/> may be called by any.
/// </summary>
public interface IJournal : IDisposable
{
    /// <summary>The last sequence that no crash can take back; -1 while there is none.</summary>
    long DurableSequence { get; }

    /// <summary>The chain hash of the frame that holds the last durable sequence: it names all that is durable. Only for the
    /// partition's thread.</summary>
    Hash256 ChainHash { get; }

    /// <summary>Makes room for batches of at most that many bytes in all. False if there is no space for them now: nothing
    /// is harmed, reads go on, and a later call may succeed. The first of several is appended next; the room for the others
    /// is there, and each is reserved again, by itself, before it is appended.</summary>
    /// <exception cref="JournalFailedException">As for <see cref="Append"/>.</exception>
    bool TryReserve(int payloadBytes, int batches = 1);

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

    /// <summary>Whether another process may take the journal over while this one still runs.</summary>
    bool IsShared { get; }

    /// <summary>Returns only if nobody else could have appended anything before this call: what was read before it, or is read
    /// from what is durable here, is not stale. An append proves the same. Only for the partition's thread.</summary>
    /// <exception cref="WriterFencedException">Somebody else has the journal now: answer nothing.</exception>
    /// <exception cref="JournalFailedException">It could not be found out: answer nothing.</exception>
    void Confirm();

    /// <summary>Gives the durable records that cover a run of sequences to a reader, whole and in order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not all of the run is durable.</exception>
    /// <exception cref="JournalCorruptException">What stands on disk is not what was written.</exception>
    /// <exception cref="JournalUnavailableException">It cannot be read now.</exception>
    void ReadRecords(long first, long count, RecordReader reader);

    /// <summary>The sequence of the durable record that an id left under its owner, or null if it left none. For ids
    /// that the ledger has forgotten: of the others it knows without a read.</summary>
    /// <exception cref="IdsNotIndexedException">Too much of the journal would have to be read now.</exception>
    /// <exception cref="JournalCorruptException">What stands on disk is not what was written.</exception>
    /// <exception cref="JournalUnavailableException">It cannot be read now.</exception>
    long? FindId(WalletId owner, OperationId id);
}

/// <summary>A journal that was opened and recovered, with what is done beside it.</summary>
public interface IRecoveredJournal : IJournal
{
    /// <summary>What opening it found and did.</summary>
    RecoveryReport Recovery { get; }

    /// <summary>Starts what is done with old records, off the payment path.</summary>
    /// <param name="fatal">Told when the process must end.</param>
    void StartUpkeep(Action<Exception> fatal);
}

/// <summary>Takes one record; its bytes are valid only during the call.</summary>
public delegate void RecordReader(ReadOnlySpan<byte> record);
