// Reads a partition's frames from the database and proves them, as JournalRecovery does with files. Nothing is torn here:
// what is in the table was committed whole, and a frame that is not what was written is damage.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Snapshots;

namespace Bitcache.Engine.Journal.Postgres;

/// <param name="start">Where the state of what is replayed stands; null for nothing.</param>
internal sealed class FrameRecovery(BatchTable batches, JournalStart? start)
{
    private Hash256 _chain = start?.ChainHash ?? default;
    private bool _isStarted;

    /// <summary>Of the last frame; zeros before the first.</summary>
    internal Hash256 ChainHash => _chain;
    internal long Frames { get; private set; }
    internal long NextSequence { get; private set; } = start?.NextSequence ?? 0;
    internal long WriterEpoch { get; private set; }

    /// <summary>Verifies every frame from the start on, or from where it stood when it was last called, and replays it.</summary>
    /// <param name="end">How many sequences the head counts; null if it is not known, because others may be writing.</param>
    /// <param name="epochMax">The head's epoch; no frame has a higher one.</param>
    /// <param name="chain">The head's chain hash.</param>
    internal void Run(ReplayBatch replay, long? end, long epochMax, Hash256? chain)
    {
        if (start is not null && !_isStarted) CheckStart(end);
        _isStarted = true;
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        batches.ReadFrames(NextSequence, end ?? long.MaxValue, frame =>
        {
            var header = frame.Verify(batches.Name, NextSequence, WriterEpoch);
            if (header.WriterEpoch > epochMax) throw FrameRow.Damaged(batches.Name, NextSequence, $"a frame of writer epoch {header.WriterEpoch}, which is still to come");
            if (FrameHeader.Chain(frame.Bytes, frame.Payload(header), _chain, sha256) != header.ChainHash)
                throw FrameRow.Damaged(batches.Name, NextSequence, "a frame that does not continue the chain of hashes");
            replay(new RecoveredBatch(header.FirstSequence, header.Sequences, frame.Payload(header)));
            (_chain, WriterEpoch, Frames, NextSequence) = (header.ChainHash, header.WriterEpoch, Frames + 1, NextSequence + header.Sequences);
        });
        if (end is not null && NextSequence != end) throw FrameRow.Damaged(batches.Name, NextSequence, "no row");
        if (chain is not null && _chain != chain) throw FrameRow.Damaged(batches.Name, Math.Max(NextSequence - 1, 0), "a frame that is not the one that the journal's head names");
    }

    /// <summary>The frame that holds the entry before the start must be the one that the state was kept with.</summary>
    private void CheckStart(long? end)
    {
        if (end < start!.NextSequence) throw new SnapshotMismatchException(start.Name, $"it holds {start.NextSequence} entries, and the journal ends after {end}");
        var (header, ends) = batches.ReadHeader(start.NextSequence - 1);
        if (ends != start.NextSequence) throw new SnapshotMismatchException(start.Name, $"it holds {start.NextSequence} entries, where no batch of the journal ends");
        if (header.ChainHash != start.ChainHash) throw new SnapshotMismatchException(start.Name, $"it is the state of another journal than {batches.Name}");
        WriterEpoch = header.WriterEpoch;
    }
}
