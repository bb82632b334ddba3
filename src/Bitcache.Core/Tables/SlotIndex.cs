// An open-addressing index: from a hash to the slot of a row in a table beside it. A cell is eight bytes, a fingerprint
// of 32 bits and the slot; one line of memory holds eight. The upper bits of the fingerprint say where a cell belongs,
// so that the index grows without reading a row.

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>Slots by hash. Nothing is taken out of it. Owned by the partition's thread.</summary>
internal sealed class SlotIndex
{
    private const int CellsMin = 16;
    private readonly IdSlicePool? _pool;
    // Fingerprint above, slot + 1 below; 0 where free.
    private ulong[] _cells;
    private int _shift;
    private int _count;

    /// <param name="cells">All zeros; a power of two of them.</param>
    /// <param name="pool">Where larger arrays come from and smaller ones go; null for the collector.</param>
    public SlotIndex(ulong[] cells, IdSlicePool? pool = null) => (_cells, _shift, _pool) = (cells, ShiftFor(cells), pool);

    public SlotIndex() : this(new ulong[CellsMin])
    {
    }

    /// <summary>The array as it is, for whoever uses it next.</summary>
    public ulong[] Cells => _cells;

    public long Bytes => (long)_cells.Length * sizeof(ulong);

    /// <summary>How many cells a number of rows needs: at most three quarters are in use.</summary>
    public static int CellsFor(int rows) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(CellsMin, rows + (rows / 3) + 1));

    /// <summary>Hashes 128 bits that an attacker may have chosen, with a secret that he does not know.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Hash(UInt128 value, ulong secret, ulong more = 0)
    {
        unchecked
        {
            // Multiply and fold, as in wyhash. Both factors are keyed: nobody can make one of them 0.
            var other = BitOperations.RotateLeft(secret, 32) ^ more ^ 0x9E3779B97F4A7C15;
            var high = Math.BigMul((ulong)value ^ secret, (ulong)(value >> 64) ^ other, out var low);
            return (uint)((high ^ low) >> 32);
        }
    }

    /// <summary>The first slot with this fingerprint, or -1. Another row may share it: go on with <see cref="Next"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int First(uint hash, out int cursor)
    {
        cursor = Home(hash, _shift);
        return Scan(hash, ref cursor);
    }

    /// <summary>The next slot with this fingerprint, or -1.</summary>
    public int Next(uint hash, ref int cursor)
    {
        cursor = (cursor + 1) & (_cells.Length - 1);
        return Scan(hash, ref cursor);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchCell(uint hash) => Prefetch.Line(in _cells[Home(hash, _shift)]);

    public void Add(uint hash, int slot)
    {
        if (_count >= _cells.Length / 4 * 3) Grow();
        Place(_cells, _shift, ((ulong)hash << 32) | (uint)(slot + 1));
        _count++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Scan(uint hash, ref int cursor)
    {
        var cells = _cells;
        for (; ; cursor = (cursor + 1) & (cells.Length - 1))
        {
            var cell = cells[cursor];
            if (cell == 0) return -1;
            if ((uint)(cell >> 32) == hash) return (int)(uint)(cell & uint.MaxValue) - 1;
        }
    }

    private void Grow()
    {
        var larger = _pool?.TakeCells(2 * _cells.Length) ?? TableMemory.Allocate<ulong>(2 * _cells.Length);
        var shift = ShiftFor(larger);
        foreach (var cell in _cells)
        {
            if (cell != 0) Place(larger, shift, cell);
        }
        _pool?.Return(_cells);
        (_cells, _shift) = (larger, shift);
    }

    private static void Place(ulong[] cells, int shift, ulong cell)
    {
        var at = Home((uint)(cell >> 32), shift);
        while (cells[at] != 0) at = (at + 1) & (cells.Length - 1);
        cells[at] = cell;
    }

    private static int Home(uint hash, int shift) => (int)(hash >> shift);

    private static int ShiftFor(ulong[] cells) => 32 - BitOperations.Log2((uint)cells.Length);
}
