// The transparency log: every statement of the journal, hashed in the order that the journaled cuts fix. Hashing
// runs here, off the payment path, and catches up. A checkpoint is signed only for a size that a durable cut
// covers, so that no crash can sign two roots for one size.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>Hashes, cuts and signs. Cuts come from the settlement loop alone; proofs may be asked for by any thread.</summary>
public sealed class LogKeeper : IDisposable
{
    /// <summary>Leaves hashed between two writes: bounds the memory that catching up takes.</summary>
    private const int LeavesAtOnce = 65_536;

    private readonly Partition _partition;
    private readonly CheckpointKey _key;
    private readonly SignedMark _mark;
    private readonly string _folder;
    private readonly Lock _lock = new();
    private FileHashStore _hashes;
    private MerkleLog _log;
    private volatile SignedCheckpoint? _checkpoint;

    private sealed record SignedCheckpoint(long Size, string Note);

    internal LogKeeper(Partition partition, CheckpointKey key, SignedMark mark, string folder)
    {
        (_partition, _key, _mark, _folder) = (partition, key, mark, folder);
        (_hashes, _log) = Begin(folder);
    }

    /// <summary>The newest signed checkpoint, as its note; empty before the first.</summary>
    public string Checkpoint => _checkpoint?.Note ?? "";

    /// <summary>How many statements the newest checkpoint covers.</summary>
    public long CheckpointSize => _checkpoint?.Size ?? 0;

    /// <summary>Signs the newest journaled cut again after a start: the same size gives the same root.</summary>
    /// <exception cref="HistoryMismatchException">The journal's history is not the one that was signed.</exception>
    public async Task ResumeAsync()
    {
        if (await _partition.QueryAsync(ledger => ledger.LastLogCut) is not { } cut) return;
        lock (_lock)
        {
            HashUpTo(Math.Max(cut.Through[0] + 1, _mark.Size));
            if (_mark.Size > 0) _mark.CheckRoot(_log.Root(_mark.Size));
        }
        Sign(cut);
    }

    /// <summary>Cuts the log at what is durable now, if there is anything new in it.</summary>
    /// <exception cref="IOException">The hashes could not be written. They are derived: the next call makes them anew.</exception>
    public async Task AdvanceAsync()
    {
        var (content, last) = await _partition.QueryAsync(ledger => (ledger.LastContentSequence, ledger.LastLogCut));
        if (last is not null && last.Through[0] >= content)
        {
            if (CheckpointSize <= last.Through[0]) Sign(last);
            return;
        }
        // The answer to the question left after everything it saw was durable, so this sequence is, too.
        await CutAsync(content, last);
    }

    /// <summary>Makes the log's size right after the epoch's cut one that is covered by a checkpoint, and gives
    /// the root there.</summary>
    public async Task<Hash256> CutAtAsync(Epoch epoch)
    {
        var last = await _partition.QueryAsync(ledger => ledger.LastLogCut);
        if (last is null || last.Through[0] < epoch.TreeSize - 1) await CutAsync(epoch.TreeSize - 1, last);
        lock (_lock) return _log.Root(epoch.TreeSize);
    }

    /// <summary>The proof that a statement is in the newest checkpoint's tree, or null while it is not.</summary>
    public TlogProof? FindProof(long sequence)
    {
        if (_checkpoint is not { } checkpoint || sequence >= checkpoint.Size) return null;
        return FindPath(sequence, checkpoint.Size) is { } path ? new TlogProof(sequence, path, checkpoint.Note) : null;
    }

    /// <summary>The path from a statement to the root at a size; null while the hashes are being made anew.</summary>
    public IReadOnlyList<Hash256>? FindPath(long sequence, long size)
    {
        lock (_lock) return _log.Size < size ? null : _log.InclusionProof(sequence, size);
    }

    public void Dispose()
    {
        lock (_lock) _hashes.Dispose();
    }

    private static (FileHashStore, MerkleLog) Begin(string folder)
    {
        var hashes = new FileHashStore(folder);
        return (hashes, new MerkleLog(hashes));
    }

    private async Task CutAsync(long through, LogCut? last)
    {
        var cut = new LogCut((last?.Round ?? 0) + 1, [through]);
        await _partition.SubmitAsync(cut);
        Sign(cut);
    }

    private void Sign(LogCut cut)
    {
        var size = cut.Through[0] + 1;
        lock (_lock)
        {
            HashUpTo(size);
            var root = _log.Root(size);
            _mark.Advance(size, root);
            // After this point the signature may exist.
            _checkpoint = new SignedCheckpoint(size, new Checkpoint(_key.Origin, size, root).Sign(_key.Seed));
        }
    }

    /// <summary>The leaves of a record, as far as they are wanted: of a split some may be in the log already.</summary>
    private static void AddLeaves(List<Hash256> leaves, ReadOnlySpan<byte> record, long first, long end)
    {
        var (sequence, sequences) = Entry.SequencesOf(record);
        for (var at = Math.Max(first, sequence); at < Math.Min(end, sequence + sequences); at++)
            leaves.Add(Rfc6962.LeafHash(Entry.StatementOf(record, at)));
    }

    private void HashUpTo(long size)
    {
        while (_log.Size < size)
        {
            var leaves = new List<Hash256>();
            var count = Math.Min(size - _log.Size, LeavesAtOnce);
            var end = _log.Size + count;
            _partition.ReadRecords(_log.Size, count, record => AddLeaves(leaves, record, end - count, end));
            try
            {
                _log.Append(leaves.ToArray());
            }
            catch (IOException)
            {
                // What was written in part is not worth mending.
                _hashes.Dispose();
                (_hashes, _log) = Begin(_folder);
                throw;
            }
        }
    }
}
