// Finds the record that an id left, long after the ledger's window has forgotten the id.

using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>
/// Looks through the segments, newest first. One with a filter costs nothing if the id's time is outside the times of
/// its ids, else one read of 12 KiB, and one of 64 KiB more to verify a hit. Those without are read after all others:
/// a closed one whole (64 MiB take about 0.1 s), which lasts until its filter is made; of the one being written only
/// what was written since the last look-up that came so far. Ids of that one are remembered, in less than 100 bytes
/// each and up to a bound, and only if somebody asks: an id that is forgotten so early is a rare thing.
/// </summary>
/// <param name="rememberedMax">How many of its ids are remembered; those behind are read again.</param>
internal sealed class IdSearch(IFileSystem files, SegmentList segments, SegmentUpkeep upkeep, int rememberedMax = Limits.NewestIdsMax)
{
    private readonly Lock _scan = new();
    // Under the lock: the ids of the newest segment, up to a sequence.
    private readonly Dictionary<EntryId, long> _newestIds = [];
    private SegmentIndex? _newest;
    private long _rememberedTo;

    /// <param name="end">The sequence after the last one to look at; all before it are durable.</param>
    /// <exception cref="IdsNotIndexedException">More than <see cref="Limits.SegmentsScannedMax"/> would have to be read.</exception>
    internal long? Find(in EntryId identity, long end)
    {
        var all = segments.ToArray();
        var unfiltered = new List<SegmentIndex>();
        for (var i = all.Length - 1; i >= 0; i--)
        {
            if (!TryAskFilter(all[i], identity, out var found)) unfiltered.Add(all[i]);
            else if (found is not null) return found;
        }
        if (unfiltered.Count > Limits.SegmentsScannedMax) throw new IdsNotIndexedException(unfiltered.Count);
        lock (_scan)
        {
            foreach (var segment in unfiltered)
            {
                var found = segment == all[^1] ? FindInNewest(segment, identity, end) : FindByReading(segment.FirstSequence, segment.NextSequence, identity);
                if (found is not null) return found;
            }
        }
        return null;
    }

    /// <summary>Asks the segment's filter, and verifies what it says; false if there is no good one.</summary>
    private bool TryAskFilter(SegmentIndex segment, in EntryId identity, out long? found)
    {
        found = null;
        if (segment.Filter is not { IsDamaged: false } filter) return false;
        if (!filter.Spans(identity.Id.Time)) return true;
        var candidates = new List<long>();
        if (!TryReadFilter(segment, filter, identity, candidates))
        {
            filter.IsDamaged = true;
            upkeep.Wake();
            return false;
        }
        foreach (var sequence in candidates)
        {
            if (sequence < segment.NextSequence && EntryId.TryRead(segments.ReadRecord(sequence), out var there) && there == identity) found = sequence;
        }
        return true;
    }

    private bool TryReadFilter(SegmentIndex segment, IdFilter filter, in EntryId identity, List<long> candidates)
    {
        try
        {
            using var file = segment.Open(files, IdFilter.Extension);
            return filter.TryFind(file, identity, candidates);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private long? FindByReading(long first, long end, EntryId identity)
    {
        long? found = null;
        segments.ReadIds(first, end, (in EntryId there, long sequence) =>
        {
            if (there == identity) found = sequence;
        }, () => found is null);
        return found;
    }

    private long? FindInNewest(SegmentIndex segment, in EntryId identity, long end)
    {
        if (_newest != segment)
        {
            _newestIds.Clear();
            _newestIds.TrimExcess();
            (_newest, _rememberedTo) = (segment, segment.FirstSequence);
        }
        end = Math.Min(end, segment.NextSequence);
        _rememberedTo = segments.ReadIds(
            _rememberedTo, end, (in EntryId there, long sequence) => _newestIds[there] = sequence, () => _newestIds.Count < rememberedMax);
        return _newestIds.TryGetValue(identity, out var found) ? found : FindByReading(_rememberedTo, end, identity);
    }
}
