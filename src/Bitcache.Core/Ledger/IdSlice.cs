using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>The used ids of one second, in the order of their use, with an index over them. Only ever added to, and
/// dropped whole.</summary>
internal sealed class IdSlice
{
    private const int ChunkBits = 12;
    public const int ChunkIds = 1 << ChunkBits;
    private const int FirstChunkIds = 4;
    /// <summary>What a slice takes beside its rows and cells: its objects, and its place among the slices.</summary>
    public const int OverheadBytes = 256;

    private readonly IdSlicePool _pool;
    private readonly SlotIndex _index;
    private SlabPage<UsedId>[] _chunks = [SlabPage<UsedId>.Empty];
    private int _chunkCount = 1;

    public IdSlice(IdSlicePool pool, int expected)
    {
        (_pool, _index) = (pool, new SlotIndex(pool.Cells, expected));
        if (expected < ChunkIds) return;
        _chunks = new SlabPage<UsedId>[(expected / ChunkIds) + 1];
        _chunks[0] = _pool.TakeChunk(ChunkIds);
    }

    /// <summary>Read by other threads, too: what is counted is there.</summary>
    private int _count;

    public int Count => Volatile.Read(ref _count);
    public int ForEverCount { get; set; }

    public long Bytes => OverheadBytes + _index.CellBytes + (_chunks.Take(_chunkCount).Sum(c => (long)c.Length) * Unsafe.SizeOf<UsedId>());

    private ref UsedId this[int at] => ref _chunks[at >> ChunkBits][at & (ChunkIds - 1)];

    /// <summary>The sequence of the entry that an id left, or -1.</summary>
    public long Find(uint hash, long owner, OperationId id)
    {
        var page = _index.PageOf(hash);
        for (var at = page.First(hash, out var cursor); at >= 0; at = page.Next(hash, ref cursor))
        {
            ref readonly var used = ref this[at];
            if (used.Id == id && used.Owner == owner) return used.Sequence;
        }
        return -1;
    }

    public void Add(uint hash, in UsedId used, bool forEver)
    {
        MakeRoom();
        this[_count] = used;
        _index.Add(hash, _count);
        Volatile.Write(ref _count, _count + 1);
        if (forEver) ForEverCount++;
    }

    /// <summary>Where the next ids belong, at most so many: they are there once <see cref="AddRoom"/> has their hashes.</summary>
    public Span<UsedId> Room(int most)
    {
        MakeRoom();
        var items = _chunks[_chunkCount - 1].Items[(_count - ((_chunkCount - 1) << ChunkBits))..];
        return items[..Math.Min(most, items.Length)];
    }

    /// <summary>Adds the ids that were written where <see cref="Room"/> said.</summary>
    public void AddRoom(ReadOnlySpan<uint> hashes)
    {
        for (var i = 0; i < hashes.Length; i++) _index.Add(hashes[i], _count + i);
        Volatile.Write(ref _count, _count + hashes.Length);
    }

    /// <summary>Adds an id unless it is there: one look at the index for both.</summary>
    public bool TryAdd(uint hash, in UsedId used)
    {
        MakeRoom();
        var page = _index.PageToAdd(hash);
        var at = page.First(hash, out var cursor);
        for (; at >= 0; at = page.Next(hash, ref cursor))
        {
            ref readonly var other = ref this[at];
            if (other.Id == used.Id && other.Owner == used.Owner) return false;
        }
        this[_count] = used;
        page.AddAt(cursor, hash, _count);
        Volatile.Write(ref _count, _count + 1);
        return true;
    }

    public void PrefetchCell(uint hash) => _index.PrefetchCell(hash);

    public IEnumerable<UsedId> All()
    {
        for (var at = 0; at < Count; at++) yield return this[at];
    }

    /// <summary>The sequence of the one that was added last.</summary>
    public long Newest => this[_count - 1].Sequence;

    /// <summary>How many were added before the entry of a sequence was written: they are in the order of their entries.</summary>
    public int CountBefore(long sequence)
    {
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (this[middle].Sequence < sequence) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    /// <summary>The used ids from one on, up to an end or less; more in the next call.</summary>
    public ReadOnlySpan<UsedId> Some(int from, int end)
    {
        var start = from & (ChunkIds - 1);
        return _chunks[from >> ChunkBits].Items.Slice(start, Math.Min(ChunkIds - start, end - from));
    }

    /// <summary>Gives the memory back.</summary>
    public void Drop()
    {
        _index.Drop();
        foreach (var chunk in _chunks.AsSpan(0, _chunkCount)) _pool.Return(chunk);
    }

    private void MakeRoom()
    {
        ref var last = ref _chunks[_chunkCount - 1];
        if (_count - ((_chunkCount - 1) << ChunkBits) < last.Length) return;
        // A quiet second has a few ids only: the first chunk grows, the others are whole.
        if (last.Length < ChunkIds)
        {
            var larger = _pool.TakeChunk(Math.Max(2 * last.Length, FirstChunkIds));
            last.Items.CopyTo(larger.Items);
            _pool.Return(last);
            last = larger;
            return;
        }
        if (_chunkCount == _chunks.Length) Array.Resize(ref _chunks, 2 * _chunkCount);
        _chunks[_chunkCount++] = _pool.TakeChunk(ChunkIds);
    }
}
