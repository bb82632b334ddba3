using System.Numerics;
using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>Memory of dropped slices for the next ones: with the window full, ids come and go by the million a second
/// and the collector has nothing to do. Owned by the partition's thread.</summary>
internal sealed class IdSlicePool
{
    /// <summary>Smaller arrays are the collector's affair.</summary>
    private const int CellsMin = 1 << 12;
    private const int CellArraysMax = 8;
    private const int ChunksMax = 2_048;

    private readonly Stack<ulong[]>[] _cells = [.. Enumerable.Range(0, 32).Select(_ => new Stack<ulong[]>())];
    private readonly Stack<UsedId[]> _chunks = new();
    private readonly Stack<UsedId[]> _held = new();
    private bool _isHeld;

    /// <summary>Memory that was taken and not given back.</summary>
    public long BytesInUse { get; private set; }

    /// <summary>An array of zeros of that length, a power of two.</summary>
    public ulong[] TakeCells(int length)
    {
        BytesInUse += BytesOf(length, sizeof(ulong));
        if (!_cells[BitOperations.Log2((uint)length)].TryPop(out var cells)) return TableMemory.Allocate<ulong>(length);
        Array.Clear(cells);
        return cells;
    }

    /// <summary>A chunk for so many ids, of any content.</summary>
    public UsedId[] TakeChunk(int ids)
    {
        BytesInUse += BytesOf(ids, Unsafe.SizeOf<UsedId>());
        if (ids < IdSlice.ChunkIds) return new UsedId[ids];
        return _chunks.TryPop(out var chunk) ? chunk : GC.AllocateUninitializedArray<UsedId>(IdSlice.ChunkIds);
    }

    public void Return(ulong[] cells)
    {
        BytesInUse -= BytesOf(cells.Length, sizeof(ulong));
        var pool = _cells[BitOperations.Log2((uint)cells.Length)];
        if (cells.Length >= CellsMin && pool.Count < CellArraysMax) pool.Push(cells);
    }

    public void Return(UsedId[] chunk)
    {
        BytesInUse -= BytesOf(chunk.Length, Unsafe.SizeOf<UsedId>());
        if (chunk.Length == IdSlice.ChunkIds && _chunks.Count + _held.Count < ChunksMax) (_isHeld ? _held : _chunks).Push(chunk);
    }

    /// <summary>From now on no chunk that is given back is used again: somebody may still read it.</summary>
    public void Hold() => _isHeld = true;

    /// <summary>Nobody does any more.</summary>
    public void Release()
    {
        _isHeld = false;
        while (_held.TryPop(out var chunk)) _chunks.Push(chunk);
    }

    private static long BytesOf(int length, int each) => (long)length * each;
}
