// Finds the record that an id left, long after the ledger's window has forgotten the id.

using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>A run of records that has an id filter, or will: a segment of a file journal, or a run of batches in a database.</summary>
internal abstract class RecordRun(long firstSequence)
{
    private volatile IdFilter? _filter;

    internal long FirstSequence { get; } = firstSequence;

    /// <summary>The sequence after its last.</summary>
    internal abstract long NextSequence { get; }

    /// <summary>Once there is one; never of the run that is written to.</summary>
    internal IdFilter? Filter { get => _filter; set => _filter = value; }
}

/// <summary>
/// Looks through the segments, newest first. One with a filter costs nothing if the id's time is outside the times of
/// its ids, else one read of 12 KiB, and one of 64 KiB more to verify a hit. Those without are read after all others:
/// a closed one whole (64 MiB take about 0.1 s), which lasts until its filter is made; of the one being written only
/// what was written since the last look-up that came so far. Ids of that one are remembered, in less than 100 bytes
/// each and up to a bound, and only if somebody asks: an id that is forgotten so early is a rare thing.
/// </summary>
/// <param name="rememberedMax">How many of its ids are remembered; those behind are read again.</param>
internal abstract class IdSearch(int rememberedMax)
{
    private readonly Lock _scan = new();
    // Under the lock: the ids of the newest segment, up to a sequence.
    private readonly Dictionary<EntryId, long> _newestIds = [];
    private RecordRun? _newest;
    private long _rememberedTo;

    /// <param name="end">The sequence after the last one to look at; all before it are durable.</param>
    /// <exception cref="IdsNotIndexedException">More than <see cref="Limits.SegmentsScannedMax"/> would have to be read.</exception>
    internal long? Find(in EntryId identity, long end)
    {
        var all = Runs();
        var unfiltered = new List<RecordRun>();
        for (var i = all.Length - 1; i >= 0; i--)
        {
            if (!TryAskFilter(all[i], identity, out var found)) unfiltered.Add(all[i]);
            else if (found is not null) return found;
        }
        if (unfiltered.Count > Limits.SegmentsScannedMax) throw new IdsNotIndexedException(unfiltered.Count);
        lock (_scan)
        {
            foreach (var run in unfiltered)
            {
                var found = run == all[^1] ? FindInNewest(run, identity, end) : FindByReading(run.FirstSequence, run.NextSequence, identity);
                if (found is not null) return found;
            }
        }
        return null;
    }

    /// <summary>All runs, oldest first; records are still added to the last one.</summary>
    protected abstract RecordRun[] Runs();

    /// <summary>Has a run's filter collect the sequences at which the id may stand; false if it cannot be read.</summary>
    protected abstract bool TryReadFilter(RecordRun run, IdFilter filter, in EntryId identity, List<long> candidates);

    protected abstract byte[] ReadRecord(long sequence);

    /// <inheritdoc cref="IdScan"/>
    protected abstract long ReadIds(long first, long end, IdReader reader, Func<bool> goOn);

    /// <summary>Has a damaged filter made again.</summary>
    protected abstract void Repair();

    /// <summary>Asks the run's filter, and verifies what it says; false if there is no good one.</summary>
    private bool TryAskFilter(RecordRun run, in EntryId identity, out long? found)
    {
        found = null;
        if (run.Filter is not { IsDamaged: false } filter) return false;
        if (!filter.Spans(identity.Id.Time)) return true;
        var candidates = new List<long>();
        if (!TryReadFilter(run, filter, identity, candidates))
        {
            filter.IsDamaged = true;
            Repair();
            return false;
        }
        foreach (var sequence in candidates)
        {
            if (sequence < run.NextSequence && EntryId.TryRead(ReadRecord(sequence), out var there) && there == identity) found = sequence;
        }
        return true;
    }

    private long? FindByReading(long first, long end, EntryId identity)
    {
        long? found = null;
        ReadIds(first, end, (in EntryId there, long sequence) =>
        {
            if (there == identity) found = sequence;
        }, () => found is null);
        return found;
    }

    private long? FindInNewest(RecordRun run, in EntryId identity, long end)
    {
        if (_newest != run)
        {
            _newestIds.Clear();
            _newestIds.TrimExcess();
            (_newest, _rememberedTo) = (run, run.FirstSequence);
        }
        end = Math.Min(end, run.NextSequence);
        _rememberedTo = ReadIds(
            _rememberedTo, end, (in EntryId there, long sequence) => _newestIds[there] = sequence, () => _newestIds.Count < rememberedMax);
        return _newestIds.TryGetValue(identity, out var found) ? found : FindByReading(_rememberedTo, end, identity);
    }
}

/// <summary>The search in the segments of a file journal.</summary>
internal sealed class SegmentIdSearch(IFileSystem files, SegmentList segments, SegmentUpkeep upkeep, int rememberedMax = Limits.NewestIdsMax) : IdSearch(rememberedMax)
{
    protected override RecordRun[] Runs() => segments.ToArray();

    protected override bool TryReadFilter(RecordRun run, IdFilter filter, in EntryId identity, List<long> candidates)
    {
        try
        {
            using var file = ((SegmentIndex)run).Open(files, IdFilter.Extension);
            return filter.TryFind(file.Read, identity, candidates);
        }
        catch (IOException)
        {
            return false;
        }
    }

    protected override byte[] ReadRecord(long sequence) => segments.ReadRecord(sequence);
    protected override long ReadIds(long first, long end, IdReader reader, Func<bool> goOn) => segments.ReadIds(first, end, reader, goOn);
    protected override void Repair() => upkeep.Wake();
}
