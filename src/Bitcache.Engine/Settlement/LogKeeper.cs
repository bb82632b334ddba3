// The transparency log: every statement of the journal, hashed in the order that the journaled cuts fix. Hashing
// runs here, off the payment path, and catches up. A checkpoint is signed only for a size that a durable cut
// covers, so that no crash can sign two roots for one size.
//
// The hashes lie in files that are never synced. A start goes on from them where they lead to the root that was signed
// last, which is durable, when the newest of them are hashed again from the journal.

using System.Buffers;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>Hashes, cuts and signs. Cuts come from the settlement loop alone; proofs may be asked for by any thread.</summary>
public sealed class LogKeeper : IDisposable
{
    /// <summary>Leaves hashed between two writes, about two milliseconds' work: then requests that wait for the thread have
    /// their turn.</summary>
    private const int LeavesAtOnce = 4_096;
    /// <summary>How many more leaves are hashed again when those before them were not enough.</summary>
    private const int StepBack = 8;

    private readonly SettlementTerm _term;
    private readonly PartitionSet _partitions;
    private readonly LogOrder _order;
    // Changed by a rotation alone, between two signatures.
    private volatile CheckpointKey _key;
    private readonly SignedMark _mark;
    private readonly IFileSystem _files;
    private readonly string _folder;
    private readonly Lock _lock = new();
    // Both null until they are opened, and again after a failed write.
    private FileHashStore? _hashes;
    private MerkleLog? _log;
    private volatile SignedCheckpoint? _checkpoint;
    private volatile string _rotations = "";

    private sealed record SignedCheckpoint(long Size, string Note);

    internal LogKeeper(SettlementTerm term, CheckpointKey key, SignedMark mark, IFileSystem files, string folder)
    {
        (_term, _partitions, _key, _mark, _files, _folder) = (term, term.Partitions, key, mark, files, folder);
        _order = new LogOrder(_partitions, files, folder);
    }

    /// <summary>The newest signed checkpoint, as its note; empty before the first.</summary>
    public string Checkpoint => _checkpoint?.Note ?? "";

    /// <summary>The key that signs checkpoints now.</summary>
    public VerifierKey Verifier => _key.Verifier;

    /// <summary>The notes in which each checkpoint key named the next (<see cref="KeyRotation"/>); empty if the first one signs.</summary>
    public string KeyRotations => _rotations;

    /// <summary>How many statements the newest checkpoint covers.</summary>
    public long CheckpointSize => _checkpoint?.Size ?? 0;

    /// <summary>Opens the log, and hashes it up to the newest journaled cut: all of it where that was never done on this machine. Signs
    /// nothing, and needs no term.</summary>
    /// <exception cref="HistoryMismatchException">The journal's history is not the one that was signed.</exception>
    /// <exception cref="OperationCanceledException">It was given up. The next call begins with what is written.</exception>
    public async Task OpenAsync(CancellationToken cancel)
    {
        var cut = await _partitions.First.QueryAsync(ledger => ledger.LastLogCut);
        await CheckReachesAsync(cut);
        lock (_lock) _order.Follow(cut, cancel);
        With(log => log.Size, cancel);
        if (cut is not null) await HashAsync(LogOrder.SizeOf(cut), cancel);
    }

    /// <summary>Opens the log, and signs the newest journaled cut again: the same size gives the same root.</summary>
    /// <exception cref="HistoryMismatchException">The journal's history is not the one that was signed.</exception>
    public async Task ResumeAsync()
    {
        var cut = await _partitions.First.QueryAsync(ledger => ledger.LastLogCut);
        await CheckReachesAsync(cut);
        lock (_lock) _order.Follow(cut);
        With(log => log.Size);
        await ReadRotationsAsync();
        if (cut is null) return;
        await SignAsync(cut);
        if (_checkpoint is null) await AdvanceAsync();
    }

    /// <summary>Cuts the log at what is durable now, if there is anything new in it.</summary>
    /// <exception cref="IOException">The hashes could not be written. They are derived: the next call opens them again.</exception>
    public async Task AdvanceAsync()
    {
        With(log => log.Size);
        var last = await LastCutAsync();
        var content = await _partitions.QueryAllAsync(ledger => ledger.LastContentSequence);
        if (last is not null && last.Through.Zip(content).All(pair => pair.First >= pair.Second))
        {
            if (CheckpointSize < LogOrder.SizeOf(last)) await SignAsync(last);
            return;
        }
        // The answers to the questions left after everything they saw was durable, so these sequences are, too.
        await CutAsync(content, last);
    }

    /// <summary>Makes one of the log's sizes behind the cuts of an epoch, which every partition has closed, one that is
    /// covered by a checkpoint. With one partition it is the size right after the epoch's cut.</summary>
    /// <returns>The size, the same whenever it is asked for, and the root there.</returns>
    public async Task<(long Size, Hash256 Root)> CutAtAsync(long epoch) =>
        await CutAtAsync(await _partitions.QueryAllAsync(ledger => ledger.FindEpoch(epoch)!.Entries - 1));

    /// <summary>The same behind the statement about an epoch, which an anchor is to cover.</summary>
    public async Task<(long Size, Hash256 Root)> CutBehindAsync(Epoch epoch)
    {
        var through = await _partitions.QueryAllAsync(ledger => ledger.FindEpoch(epoch.Number)!.Entries - 1);
        through[0] = epoch.Stated;
        return await CutAtAsync(through);
    }

    private async Task<(long Size, Hash256 Root)> CutAtAsync(long[] through)
    {
        var last = await LastCutAsync();
        if (last is null || last.Through.Zip(through).Any(pair => pair.First < pair.Second))
            await CutAsync([.. through.Select((entry, number) => Math.Max(entry, last?.Through[number] ?? 0))], last);
        var size = FindSize(through)!.Value;
        await HashAsync(size);
        return With(log =>
        {
            HashUpTo(log, size);
            return (size, log.Root(size));
        });
    }

    /// <summary>Has another key sign from now on. The same id draws one key, whatever is retried. The entry that names it is signed by
    /// the key before it; every checkpoint that covers the entry is signed by the new key, and no other is.</summary>
    /// <exception cref="IOException">The next key could not be written: nothing was changed. Or the files could not change their
    /// names, which the next start or rotation makes up for.</exception>
    public async Task<Answer> RotateKeyAsync(OperationId id)
    {
        // A key that was drawn before may be the one that the ledger names, if what became of its entry is not known here.
        await _term.CheckAsync();
        var next = _key.DrawNext();
        var rotation = KeyRotation.Sign(_key.Seed, next.Verifier);
        var answer = await _term.SubmitAsync(new RotateKey(
            id, new ByteString(rotation.Old.PublicKey), new ByteString(rotation.New.PublicKey), new ByteString(rotation.Signature)));
        if (answer.Outcome != Outcome.Accepted || answer.IsRetry) return answer;
        // After this point the ledger names the new key, whatever becomes of the files.
        _key = next;
        next.TakePlace();
        await ReadRotationsAsync();
        await AdvanceAsync();
        return answer;
    }

    /// <summary>Where a statement stands in the log; null while no cut covers it.</summary>
    public long? FindIndex(int partition, long sequence)
    {
        lock (_lock) return _order.IndexOf(partition, sequence);
    }

    /// <summary>How large the log was behind an epoch's cuts; with several partitions null while it is not cut there.</summary>
    /// <param name="through">The last entry of each partition that the epoch covers.</param>
    public long? FindSize(IReadOnlyList<long> through)
    {
        lock (_lock) return _order.SizeCovering(through);
    }

    /// <summary>The proof that a statement is in the newest checkpoint's tree, or null while it is not.</summary>
    /// <param name="index">Its place in the log.</param>
    public TlogProof? FindProof(long index)
    {
        if (_checkpoint is not { } checkpoint || index >= checkpoint.Size) return null;
        return FindPath(index, checkpoint.Size) is { } path ? new TlogProof(index, path, checkpoint.Note) : null;
    }

    /// <summary>The path from a statement to the root at a size; null while the hashes are being opened or made anew.</summary>
    public IReadOnlyList<Hash256>? FindPath(long index, long size)
    {
        lock (_lock)
        {
            if (_log is null || _log.Size < size) return null;
            try
            {
                return With(log => log.InclusionProof(index, size));
            }
            catch (IOException e) when (e is not JournalCorruptException)
            {
                // What was damaged could not be mended: that is for the next turn.
                return null;
            }
        }
    }

    /// <summary>The bytes of a tile of hashes, or of a bundle of entries; null if the newest checkpoint does not cover it.</summary>
    /// <exception cref="PartitionUnavailableException">The hashes are being opened or made anew: not now.</exception>
    public byte[]? FindTile(LogTile tile)
    {
        // Hashed ahead of the checkpoint is not signed yet.
        if (!tile.IsIn(CheckpointSize)) return null;
        if (tile.IsBundle) return ReadBundle(tile);
        lock (_lock)
        {
            if (_log is null || _log.Size < CheckpointSize) throw new PartitionUnavailableException(Unavailable.Busy);
            try
            {
                return With(log => HashTile.Write(log.Tile(tile)));
            }
            catch (IOException e) when (e is not JournalCorruptException)
            {
                // As for a path: what was damaged could not be mended.
                throw new PartitionUnavailableException(Unavailable.Busy);
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            Close();
            _order.Dispose();
        }
    }

    /// <summary>Does something with the log, which is opened first if it has to be.</summary>
    private T With<T>(Func<MerkleLog, T> step, CancellationToken cancel = default)
    {
        lock (_lock)
        {
            try
            {
                return step(_log ??= Open(_hashes ??= new FileHashStore(_files, _folder), cancel));
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
    private MerkleLog Open(FileHashStore hashes, CancellationToken cancel)
    {
        for (long again = MerkleLog.TileWidth; ; again *= StepBack)
        {
            var from = Math.Max(0, _mark.Size - again) / MerkleLog.TileWidth * MerkleLog.TileWidth;
            if (MerkleLog.Open(hashes, ReadLeaves, from) is { } log)
            {
                HashUpTo(log, _mark.Size, cancel);
                if (_mark.IsRoot(log.Root(_mark.Size))) return log;
            }
            if (from == 0) throw _mark.Mismatch();
        }
    }

    /// <summary>With one partition this was seen before anything was repaired (<see cref="SignedMark.CheckReaches"/>).</summary>
    private async Task CheckReachesAsync(LogCut? newest)
    {
        if (_partitions.Count == 1) return;
        // Asked, and not what was durable when somebody asked last.
        var durable = await _partitions.QueryAllAsync(ledger => ledger.NextSequence - 1);
        _mark.CheckReaches(newest is null ? 0 : LogOrder.SizeOf(newest));
        for (var number = 0; number < newest?.Through.Count; number++)
        {
            var through = newest.Through[number];
            if (through > durable[number])
                throw new HistoryMismatchException($"The journal of partition {number} ends after {durable[number] + 1} entries, but the log's newest cut covers {through + 1} of them.");
        }
    }

    private async Task<LogCut?> LastCutAsync()
    {
        var last = await _partitions.First.QueryAsync(ledger => ledger.LastLogCut);
        lock (_lock) _order.Follow(last);
        return last;
    }

    private async Task CutAsync(IReadOnlyList<long> through, LogCut? last)
    {
        var cut = new LogCut((last?.Round ?? 0) + 1, through);
        var answer = await _term.SubmitAsync(cut);
        bool isAdded;
        lock (_lock) isAdded = _order.TryAdd(cut, answer.Entry!.Sequence);
        if (!isAdded)
        {
            // Where another process writes the first partition, its answer may be ahead of the copy that is read here.
            await _partitions.First.QueryAsync(ledger => ledger.NextSequence);
            lock (_lock) _order.Follow(cut);
        }
        await SignAsync(cut);
    }

    /// <summary>Not where the key was rotated behind the cut: whoever follows the log learns of a key from the entries that it
    /// signs. The next cut covers the rotation.</summary>
    private async Task SignAsync(LogCut cut)
    {
        if (await _partitions.First.QueryAsync(ledger => ledger.LastKeyRotation) is { } rotation && rotation > cut.Through[0]) return;
        await HashAsync(LogOrder.SizeOf(cut));
        Sign(cut);
    }

    private void Sign(LogCut cut)
    {
        var size = LogOrder.SizeOf(cut);
        _checkpoint = With(log =>
        {
            HashUpTo(log, size);
            var root = log.Root(size);
            _mark.Advance(size, root);
            // After this point the signature may exist.
            return new SignedCheckpoint(size, new Checkpoint(_key.Origin, size, root).Sign(_key.Seed));
        });
    }

    private byte[] ReadBundle(LogTile bundle)
    {
        var bytes = new ArrayBufferWriter<byte>();
        IReadOnlyList<LogRun> runs;
        lock (_lock) runs = _order.Find(bundle.First, bundle.Width);
        // Old segments may lie on a slow disk: nobody else waits for it.
        foreach (var run in runs) run.Read(statement => EntryBundle.Add(bytes, statement));
        return bytes.WrittenSpan.ToArray();
    }

    private async Task ReadRotationsAsync() =>
        _rotations = string.Concat(await _partitions.First.QueryAsync(ledger => ledger.KeyRotations.Select(rotation => rotation.Note).ToArray()));

    private ReadOnlySpan<Hash256> ReadLeaves(long first, int count) => _order.ReadLeaves(first, count);

    /// <summary>Hashes what is missing at a size. What another call loses by a failed write meanwhile, <see cref="HashUpTo"/>
    /// makes up for.</summary>
    private async Task HashAsync(long size, CancellationToken cancel = default)
    {
        while (With(log => HashSome(log, size), cancel))
        {
            cancel.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private void HashUpTo(MerkleLog log, long size, CancellationToken cancel = default)
    {
        while (HashSome(log, size)) cancel.ThrowIfCancellationRequested();
    }

    /// <summary>False when nothing is missing any more.</summary>
    private bool HashSome(MerkleLog log, long size)
    {
        if (log.Size >= size) return false;
        log.Append(ReadLeaves(log.Size, (int)Math.Min(size - log.Size, LeavesAtOnce)));
        return log.Size < size;
    }
}
