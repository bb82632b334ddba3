// The transparency log: every statement of the journal, hashed in the order that the journaled cuts fix. Hashing
// runs here, off the payment path, and catches up. A checkpoint is signed only for a size that a durable cut
// covers, so that no crash can sign two roots for one size.
//
// The hashes lie in files that are never synced. A start goes on from them where they lead to the root that was signed
// last, which is durable, when the newest of them are hashed again from the journal.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>Hashes, cuts and signs. Cuts come from the settlement loop alone; proofs may be asked for by any thread.</summary>
public sealed class LogKeeper : IDisposable
{
    /// <summary>Leaves hashed between two writes: bounds the memory that catching up takes.</summary>
    private const int LeavesAtOnce = 65_536;
    /// <summary>How many more leaves are hashed again when those before them were not enough.</summary>
    private const int StepBack = 8;

    private readonly Partition _partition;
    private readonly CheckpointKey _key;
    private readonly SignedMark _mark;
    private readonly IFileSystem _files;
    private readonly string _folder;
    private readonly Lock _lock = new();
    // Both null until they are opened, and again after a failed write.
    private FileHashStore? _hashes;
    private MerkleLog? _log;
    private volatile SignedCheckpoint? _checkpoint;

    private sealed record SignedCheckpoint(long Size, string Note);

    internal LogKeeper(Partition partition, CheckpointKey key, SignedMark mark, IFileSystem files, string folder) =>
        (_partition, _key, _mark, _files, _folder) = (partition, key, mark, files, folder);

    /// <summary>The newest signed checkpoint, as its note; empty before the first.</summary>
    public string Checkpoint => _checkpoint?.Note ?? "";

    /// <summary>How many statements the newest checkpoint covers.</summary>
    public long CheckpointSize => _checkpoint?.Size ?? 0;

    /// <summary>Opens the log, and signs the newest journaled cut again: the same size gives the same root.</summary>
    /// <exception cref="HistoryMismatchException">The journal's history is not the one that was signed.</exception>
    public async Task ResumeAsync()
    {
        var cut = await _partition.QueryAsync(ledger => ledger.LastLogCut);
        With(log => log.Size);
        if (cut is not null) Sign(cut);
    }

    /// <summary>Cuts the log at what is durable now, if there is anything new in it.</summary>
    /// <exception cref="IOException">The hashes could not be written. They are derived: the next call opens them again.</exception>
    public async Task AdvanceAsync()
    {
        With(log => log.Size);
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
        return With(log =>
        {
            HashUpTo(log, epoch.TreeSize);
            return log.Root(epoch.TreeSize);
        });
    }

    /// <summary>The proof that a statement is in the newest checkpoint's tree, or null while it is not.</summary>
    public TlogProof? FindProof(long sequence)
    {
        if (_checkpoint is not { } checkpoint || sequence >= checkpoint.Size) return null;
        return FindPath(sequence, checkpoint.Size) is { } path ? new TlogProof(sequence, path, checkpoint.Note) : null;
    }

    /// <summary>The path from a statement to the root at a size; null while the hashes are being opened or made anew.</summary>
    public IReadOnlyList<Hash256>? FindPath(long sequence, long size)
    {
        lock (_lock)
        {
            if (_log is null || _log.Size < size) return null;
            try
            {
                return With(log => log.InclusionProof(sequence, size));
            }
            catch (IOException e) when (e is not JournalCorruptException)
            {
                // What was damaged could not be mended: that is for the next turn.
                return null;
            }
        }
    }

    public void Dispose()
    {
        lock (_lock) Close();
    }

    /// <summary>Does something with the log, which is opened first if it has to be.</summary>
    private T With<T>(Func<MerkleLog, T> step)
    {
        lock (_lock)
        {
            try
            {
                return step(_log ??= Open(_hashes ??= new FileHashStore(_files, _folder)));
            }
            catch (IOException)
            {
                // What was written in part is found out when the files are opened again.
                Close();
                throw;
            }
        }
    }

    private void Close()
    {
        _hashes?.Dispose();
        (_hashes, _log) = (null, null);
    }

    /// <summary>The log as it was when it was signed last. At least its newest tile is hashed from the journal, so that a
    /// journal that is not the log's is noticed; if the root is then another one, more and more of what is stored is given up.</summary>
    private MerkleLog Open(FileHashStore hashes)
    {
        for (long again = MerkleLog.TileWidth; ; again *= StepBack)
        {
            var from = Math.Max(0, _mark.Size - again) / MerkleLog.TileWidth * MerkleLog.TileWidth;
            if (MerkleLog.Open(hashes, ReadLeaves, from) is { } log)
            {
                HashUpTo(log, _mark.Size);
                if (_mark.IsRoot(log.Root(_mark.Size))) return log;
            }
            if (from == 0) throw _mark.Mismatch();
        }
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
        _checkpoint = With(log =>
        {
            HashUpTo(log, size);
            var root = log.Root(size);
            _mark.Advance(size, root);
            // After this point the signature may exist.
            return new SignedCheckpoint(size, new Checkpoint(_key.Origin, size, root).Sign(_key.Seed));
        });
    }

    /// <summary>The leaves of a record, as far as they are wanted: of a split some may be in the log already.</summary>
    private static void AddLeaves(List<Hash256> leaves, ReadOnlySpan<byte> record, long first, long end)
    {
        var (sequence, sequences) = Entry.SequencesOf(record);
        for (var at = Math.Max(first, sequence); at < Math.Min(end, sequence + sequences); at++)
            leaves.Add(Rfc6962.LeafHash(Entry.StatementOf(record, at)));
    }

    private Hash256[] ReadLeaves(long first, int count)
    {
        var leaves = new List<Hash256>(count);
        _partition.ReadRecords(first, count, record => AddLeaves(leaves, record, first, first + count));
        return [.. leaves];
    }

    private void HashUpTo(MerkleLog log, long size)
    {
        while (log.Size < size) log.Append(ReadLeaves(log.Size, (int)Math.Min(size - log.Size, LeavesAtOnce)));
    }
}
