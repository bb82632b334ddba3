// Which client ids have been used, and which entry each left. An id carries its own time, so the window is cut into
// slices of about a second of that time: a look-up reads one slice, and what the floor has passed is dropped slice by
// slice. Ids of withdrawals and addresses are kept for ever beside them.

namespace Bitcache.Core;

/// <summary>One used id.</summary>
/// <param name="Owner">The slot of the debited or owning wallet; for the making of wallets -1 - tenant.</param>
internal readonly record struct UsedId(OperationId Id, long Owner, long Sequence);

/// <summary>The used ids of one partition. Owned by its thread.</summary>
internal sealed class IdWindow(ulong secret) : IStateTable
{
    /// <summary>A slice holds the ids of 1,024 milliseconds.</summary>
    public const int SliceBits = 10;
    private const int ReadAhead = 32;

    private readonly IdSlicePool _pool = new();
    private readonly Dictionary<long, IdSlice> _slices = [];
    private readonly IdSlice _forEver = new(new IdSlicePool(), 0);
    // The slice that was used last: most ids are of the present.
    private long _recentKey = -1;
    private IdSlice? _recent;
    // Those that stand in slices, and those kept for ever that do not any more.
    private int _inSlices;
    private int _onlyForEver;
    // How many ids stand in slices after one, in how many, and after which; only counted once somebody has asked.
    private long _aheadOf = long.MaxValue;
    private (int Ids, int Slices) _ahead;
    // Of any slice so far, when it began.
    private int _mostExpected;
    private UnixTime _floor;
    /// <summary>The sequence that was remembered last.</summary>
    private long _newest = -1;

    /// <summary>How many ids are remembered.</summary>
    public int Count => _inSlices + _onlyForEver;

    /// <summary>Memory that they take.</summary>
    public long Bytes => _forEver.Bytes + Use.Bytes;

    /// <summary>The ids above the floor and their memory: what a higher floor gives back.</summary>
    public (int Ids, long Bytes) Use => (_inSlices, _pool.BytesInUse + ((long)_slices.Count * IdSlice.OverheadBytes));

    public int ForEverCount => _forEver.Count;

    /// <summary>The sequence of the entry that an id left, or null.</summary>
    public long? Find(long owner, OperationId id)
    {
        // Below the floor only those are left that are kept for ever.
        var slice = id.Time < _floor ? _forEver : SliceOf(id);
        var sequence = slice?.Find(Hash(owner, id), owner, id) ?? -1;
        return sequence < 0 ? null : sequence;
    }

    public void Add(long owner, OperationId id, long sequence, bool forEver)
    {
        var used = new UsedId(id, owner, sequence);
        var hash = Hash(owner, id);
        (SliceOf(id) ?? NewSlice(id)).Add(hash, used, forEver);
        if (forEver) _forEver.Add(hash, used, forEver);
        Counted(id, sequence);
    }

    /// <summary>Remembers an id that is not below the floor; false, with nothing changed, if it is remembered already.</summary>
    /// <param name="hash">Of owner and id.</param>
    public bool TryAdd(uint hash, long owner, OperationId id, long sequence)
    {
        if (!(SliceOf(id) ?? NewSlice(id)).TryAdd(hash, new UsedId(id, owner, sequence))) return false;
        Counted(id, sequence);
        return true;
    }

    private void Counted(OperationId id, long sequence)
    {
        _newest = sequence;
        _inSlices++;
        if (KeyOf(id.Time) > _aheadOf) _ahead.Ids++;
    }

    public void PrefetchCell(uint hash, OperationId id) => SliceOf(id)?.PrefetchCell(hash);

    /// <summary>How many ids lie ahead of a time by a slice at least, and in how many slices. Asked of times that do not run
    /// backwards, it costs a look at each slice that the time has passed.</summary>
    public (int Ids, int Slices) CountAhead(UnixTime time)
    {
        var key = KeyOf(time);
        // After a jump of the time it is shorter to count anew.
        if (_aheadOf > key || key - _aheadOf > _slices.Count)
        {
            var ahead = _slices.Where(s => s.Key > key).ToArray();
            (_aheadOf, _ahead) = (key, (ahead.Sum(s => s.Value.Count), ahead.Length));
        }
        while (_aheadOf < key)
        {
            if (_slices.TryGetValue(++_aheadOf, out var passed)) _ahead = (_ahead.Ids - passed.Count, _ahead.Slices - 1);
        }
        return _ahead;
    }

    public void ForgetBelow(UnixTime floor)
    {
        // Where ids are forgotten the window is as full as it becomes.
        _pool.Reserve(_mostExpected);
        // What is dropped is not ahead any more.
        if (KeyOf(floor) > _aheadOf) CountAhead(floor);
        _floor = floor;
        var (first, isInside) = (KeyOf(floor), (floor.Milliseconds & ((1 << SliceBits) - 1)) != 0);
        foreach (var key in _slices.Keys.Where(k => k < first || (isInside && k == first)).ToArray())
        {
            var slice = _slices[key];
            var cut = key == first ? Cut(slice, floor) : null;
            _inSlices -= slice.Count - (cut?.Count ?? 0);
            _onlyForEver += slice.ForEverCount - (cut?.ForEverCount ?? 0);
            slice.Drop();
            if (cut is null) _slices.Remove(key);
            else _slices[key] = cut;
        }
        (_recent, _recentKey) = (null, -1);
    }

    /// <summary>The lowest floor, between two slices, that leaves at most so many ids above it in at most so many bytes;
    /// null if there are not more now.</summary>
    public UnixTime? FloorFor(int ids, long bytes)
    {
        var left = Use;
        UnixTime? floor = null;
        foreach (var key in _slices.Keys.Order())
        {
            if (left.Ids <= ids && left.Bytes <= bytes) break;
            left = (left.Ids - _slices[key].Count, left.Bytes - _slices[key].Bytes);
            floor = new UnixTime((key + 1) << SliceBits);
        }
        return floor;
    }

    public IStateRows View(bool hold)
    {
        if (hold) _pool.Hold();
        var slices = new KeyValuePair<long, IdSlice>[_slices.Count];
        ((ICollection<KeyValuePair<long, IdSlice>>)_slices).CopyTo(slices, 0);
        return new IdRows(slices, _newest + 1);
    }

    public void Release() => _pool.Release();

    public void Read(StateReader reader)
    {
        for (var left = reader.Section(StateSection.Ids); left > 0; left--)
        {
            var (key, ids) = IdRows.ReadHead(reader);
            var slice = new IdSlice(_pool, ids);
            _slices.Add(key, slice);
            ReadIds(reader, slice, ids);
            _inSlices += ids;
        }
    }

    /// <summary>Goes on where the state that was read had come to.</summary>
    public void Resume(UnixTime floor)
    {
        _floor = floor;
        foreach (var used in _forEver.All())
        {
            // Those above the floor stand in a slice as well.
            if (used.Id.Time >= floor && SliceOf(used.Id) is { } slice) slice.ForEverCount++;
            else _onlyForEver++;
        }
    }

    private void ReadIds(StateReader reader, IdSlice slice, int count)
    {
        for (var left = count; left > 0;)
        {
            var rows = reader.Begin();
            var some = Math.Min(left, rows.Left / IdRows.RowBytes);
            if (some == 0) throw new FormatException("an id that is cut in two");
            ReadIds(rows.Take(some * IdRows.RowBytes), slice);
            reader.End(rows);
            left -= some;
        }
        if (count > 0) _newest = Math.Max(_newest, slice.Newest);
    }

    private void ReadIds(ReadOnlySpan<byte> rows, IdSlice slice)
    {
        Span<uint> hashes = stackalloc uint[ReadAhead];
        while (!rows.IsEmpty)
        {
            var ids = slice.Room(Math.Min(ReadAhead, rows.Length / IdRows.RowBytes));
            IdRows.Read(rows, ids);
            for (var i = 0; i < ids.Length; i++) slice.PrefetchCell(hashes[i] = Hash(ids[i].Owner, ids[i].Id));
            slice.AddRoom(hashes[..ids.Length]);
            rows = rows[(ids.Length * IdRows.RowBytes)..];
        }
    }

    /// <summary>The ids that are kept for ever, as they were used: a part of the state of its own.</summary>
    public sealed class ForEverTable(IdWindow window) : IStateTable
    {
        public IStateRows View(bool hold) => new IdForEverRows(window._forEver, window._newest + 1);

        public void Release()
        {
        }

        public void Read(StateReader reader) => window.ReadIds(reader, window._forEver, reader.Rows(StateSection.IdsForEver));
    }

    /// <summary>Depends on nothing that changes: on any thread.</summary>
    public uint Hash(long owner, OperationId id) => SlotIndex.Hash(id.Value, secret, unchecked((ulong)owner * 0xBF58476D1CE4E5B9));

    /// <summary>What a floor inside the slice leaves of it.</summary>
    private IdSlice Cut(IdSlice slice, UnixTime floor)
    {
        var cut = new IdSlice(_pool, 0);
        foreach (var used in slice.All())
        {
            if (used.Id.Time < floor) continue;
            var hash = Hash(used.Owner, used.Id);
            cut.Add(hash, used, forEver: _forEver.Find(hash, used.Owner, used.Id) >= 0);
        }
        return cut;
    }

    private static long KeyOf(UnixTime time) => time.Milliseconds >> SliceBits;

    private IdSlice? SliceOf(OperationId id)
    {
        var key = KeyOf(id.Time);
        if (key == _recentKey) return _recent;
        if (!_slices.TryGetValue(key, out var slice)) return null;
        (_recentKey, _recent) = (key, slice);
        return slice;
    }

    private IdSlice NewSlice(OperationId id)
    {
        // As large as the second before it: growing means to move what is there. One apart from all others begins small,
        // or a client could take megabytes for an id by spreading a few over far seconds.
        var key = KeyOf(id.Time);
        var expected = _slices.GetValueOrDefault(key - 1)?.Count ?? 0;
        _mostExpected = Math.Max(_mostExpected, expected);
        var slice = new IdSlice(_pool, expected);
        _slices.Add(key, slice);
        if (key > _aheadOf) _ahead.Slices++;
        return slice;
    }
}
