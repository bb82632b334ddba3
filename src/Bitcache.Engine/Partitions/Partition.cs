// One partition as this process has it: commands and questions go in, and answers come out when what they rest on is durable.
// Who applies the commands is the affair of the two kinds that there are: this process alone (OwnedPartition), or whichever
// process of a cluster has it now (SharedPartition).

using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Engine.Partitions;

/// <summary>Ends the process when it must not go on. Does not return in production.</summary>
/// <param name="why">A sentence for the operator.</param>
/// <param name="cause">What was caught.</param>
public delegate void FatalHandler(string why, Exception cause);

/// <summary>Takes one of several records; its bytes are valid only during the call.</summary>
/// <param name="at">Which one was asked for.</param>
internal delegate void EachRecordReader(int at, ReadOnlySpan<byte> record);

/// <summary>What time it is in a ledger.</summary>
/// <param name="Now">Of the batch that took the question.</param>
/// <param name="IsTrusted">Whether its writer trusts his clock; while he does not, nothing ends or closes by it.</param>
public readonly record struct LedgerTime(UnixTime Now, bool IsTrusted);

public abstract class Partition : IAsyncDisposable
{
    /// <summary>Entries that are read past rather than looked up anew: as many payments as one chunk of the journal holds at
    /// most, so that no chunk is read twice.</summary>
    private const int RunGapMax = SegmentIndex.ChunkBytes / Limits.PaymentRecordBytesMin;

    private protected Partition(int number) => Number = number;

    public int Number { get; }

    /// <summary>Whether this process writes it, as far as it knows.</summary>
    public abstract bool IsOwned { get; }

    /// <summary>The last sequence that is durable, as far as this process knows.</summary>
    public abstract long DurableSequence { get; }

    public abstract bool IsStorageFull { get; }
    public abstract int QueuedItems { get; }
    /// <summary>Whether the queue takes nothing more now.</summary>
    public abstract bool IsBusy { get; }

    /// <summary>Whether the clock is trusted by which this process writes it; true of one that it does not write.</summary>
    public abstract bool IsClockTrusted { get; }

    /// <summary>Applies a command, makes it durable, and answers. A retry under a known id gets the first answer.</summary>
    /// <param name="term">Under which the settlement sends it: see <see cref="Settlement.SettlementTerm"/>.</param>
    /// <exception cref="PartitionUnavailableException">Not applied; a retry is safe.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps applied; a retry with the same id tells.</exception>
    public abstract Task<Answer> SubmitAsync(Command command, uint tenant = Ledger.OperatorTenant, long term = 0);

    /// <summary>Applies a payment, makes it durable, and answers. A retry under a known id gets the first answer.</summary>
    /// <exception cref="PartitionUnavailableException">Not applied; a retry is safe.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps applied; a retry with the same id tells.</exception>
    public abstract ValueTask<PaymentAnswer> SubmitAsync(in Payment payment, uint tenant);

    /// <summary>Applies the payments of a block and makes them durable; then the block's results are its answer.</summary>
    /// <exception cref="PartitionUnavailableException">None was applied; a retry is safe.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps some were applied; a retry with the same ids tells.</exception>
    public abstract ValueTask SubmitAsync(PaymentBlock block);

    /// <summary>Asks the ledger something, on a thread that nobody else has it on. The answer is given when what it saw is durable.</summary>
    public abstract Task<T> QueryAsync<T>(Func<Ledger, T> question);

    /// <summary>What would come of a command now; see <see cref="Ledger.Foresee"/>.</summary>
    public abstract Task<Outcome> ForeseeAsync(ClientCommand command, uint tenant);

    /// <summary>Who owns wallets: null for one that is not there, or whose making is not durable yet. Answered at once.</summary>
    public abstract Task<uint?[]> OwnersAsync(WalletId[] wallets);

    /// <summary>Reads durable records in order, on the caller's thread; see <see cref="IJournal.ReadRecords"/>.</summary>
    /// <exception cref="PartitionUnavailableException">Not now; later they can be read.</exception>
    public abstract void ReadRecords(long from, long count, RecordReader reader);

    /// <summary>Finds the entry of an id that the ledger has forgotten, on the caller's thread; see
    /// <see cref="IJournal.FindId"/>.</summary>
    /// <exception cref="PartitionUnavailableException">Not now; later it can be told.</exception>
    public abstract long? FindForgottenId(WalletId owner, OperationId id);

    /// <summary>An operator's word that the clock is right. It counts from the batch on that follows the one which takes it,
    /// and has taken effect when this is done.</summary>
    /// <returns>False if it cannot be: see <see cref="BatchClock.Confirm"/>.</returns>
    /// <exception cref="PartitionUnavailableException">Whoever writes it was not told; it may be said again.</exception>
    /// <exception cref="OutcomeUnknownException">Perhaps he was told; it may be said again.</exception>
    public abstract Task<bool> ConfirmClockAsync();

    /// <summary>What time it is: the writer's, wherever he is, for a copy has no clock.</summary>
    /// <exception cref="PartitionUnavailableException">He cannot be asked now.</exception>
    public abstract Task<LedgerTime> TimeAsync();

    /// <summary>Takes no more commands, finishes those it has, seals the journal.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Turns each result of a block that says <see cref="Outcome.Known"/> into what came of the payment the
    /// first time, or into <see cref="Outcome.IdReused"/> where it asks for something else than then. Reads the journal, on
    /// the caller's thread: a batch that is sent again finds its entries beside one another.</summary>
    public void Recall(PaymentBlock block)
    {
        var known = new List<int>();
        for (var i = 0; i < block.Count; i++)
        {
            if (block.Results[i].Outcome == Outcome.Known) known.Add(i);
        }
        known.Sort((a, b) => block.Results[a].Sequence.CompareTo(block.Results[b].Sequence));
        ReadEach([.. known.Select(at => block.Results[at].Sequence)], (i, record) => Recall(block, known[i], record));
    }

    private static void Recall(PaymentBlock block, int at, ReadOnlySpan<byte> record)
    {
        var entry = Entry.Read(record);
        var same = entry.Command is PaymentCommand first && PaymentCommand.From(block.Payments[at]).HasSameTerms(first);
        block.Results[at] = same ? block.Results[at].Recalled(entry) : new PaymentResult(Outcome.IdReused);
    }

    /// <summary>Reads a durable entry from the journal, on the caller's thread.</summary>
    public Entry ReadEntry(long sequence) => Entry.Read(ReadRecord(sequence), sequence);

    /// <summary>Reads a durable entry's record.</summary>
    /// <exception cref="JournalCorruptException">It is damaged: the process must stop.</exception>
    public byte[] ReadRecord(long sequence)
    {
        byte[]? record = null;
        ReadRecords(sequence, 1, r => record = r.ToArray());
        return record!;
    }

    /// <summary>Reads the records of sequences that are in rising order, on the caller's thread. Those that lie near one another
    /// are read in one run, so that no chunk of the journal is read twice.</summary>
    /// <param name="reader">Told which of the sequences a record covers; one may cover several.</param>
    internal void ReadEach(long[] sequences, EachRecordReader reader)
    {
        for (var first = 0; first < sequences.Length;)
        {
            var end = first + 1;
            while (end < sequences.Length && sequences[end] - sequences[end - 1] <= RunGapMax) end++;
            var next = first;
            ReadRecords(sequences[first], sequences[end - 1] - sequences[first] + 1, record =>
            {
                var (start, covered) = Entry.SequencesOf(record);
                for (; next < end && sequences[next] < start + covered; next++) reader(next, record);
            });
            first = end;
        }
    }

    /// <summary>For items that nobody waits for; false if it takes none now.</summary>
    internal abstract bool TryEnqueue(WorkItem item);
}
