using System.Numerics;
using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>A small open-addressing table: the cells of the hashes of one root of an index, all of them or those whose places in
/// it begin with the same bits. Used again with its memory: see <see cref="CellPool"/>.</summary>
/// <param name="memory">A power of two of cells, of any content until <see cref="Begin"/>.</param>
internal sealed class CellPage(SlabPage<ulong> memory)
{
    // Fingerprint above, slot + 1 below; 0 where free.
    private readonly ulong[] _slab = memory.Slab;
    private readonly int _start = memory.Start;
    private readonly int _mask = memory.Length - 1;
    private readonly int _homeShift = 32 - BitOperations.Log2((uint)memory.Length);
    private readonly int _most = memory.Length / 4 * 3;
    private uint _roots;
    private int _count;

    /// <summary>How many first bits the places share.</summary>
    public int Depth { get; private set; }
    public SlabPage<ulong> Memory => memory;

    /// <summary>From now on all cells are free, for hashes of an index with so many roots whose places share so many first bits.</summary>
    public CellPage Begin(int roots, int depth)
    {
        memory.Items.Clear();
        (_roots, Depth, _count) = ((uint)roots, depth, 0);
        return this;
    }

    /// <summary>At most three quarters of the cells are in use.</summary>
    public bool IsFull => _count >= _most;

    public void Prefetch(uint hash) => Bitcache.Core.Prefetch.Line(in _slab[_start + Home(hash)]);

    /// <summary>The first slot with this fingerprint, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int First(uint hash, out int cursor)
    {
        cursor = Home(hash);
        return Scan(hash, ref cursor);
    }

    /// <summary>The next slot with this fingerprint, or -1.</summary>
    public int Next(uint hash, ref int cursor)
    {
        cursor = (cursor + 1) & _mask;
        return Scan(hash, ref cursor);
    }

    /// <summary>Adds where a search came to its end, having found nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddAt(int cursor, uint hash, int slot)
    {
        _slab[_start + cursor] = ((ulong)hash << 32) | (uint)(slot + 1);
        _count++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(uint hash, int slot)
    {
        var at = Home(hash);
        while (_slab[_start + at] != 0) at = (at + 1) & _mask;
        AddAt(at, hash, slot);
    }

    /// <summary>Adds all cells of this page to two others: those whose place has the next bit to the second.</summary>
    public void MoveTo(CellPage zero, CellPage one)
    {
        foreach (var cell in memory.Items)
        {
            if (cell == 0) continue;
            var hash = (uint)(cell >> 32);
            ((Place(hash) << Depth & 0x8000_0000) == 0 ? zero : one).Add(hash, (int)(uint)(cell & uint.MaxValue) - 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Scan(uint hash, ref int cursor)
    {
        for (; ; cursor = (cursor + 1) & _mask)
        {
            var cell = _slab[_start + cursor];
            if (cell == 0) return -1;
            if ((uint)(cell >> 32) == hash) return (int)(uint)(cell & uint.MaxValue) - 1;
        }
    }

    /// <summary>By the bits behind those that all places share.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Home(uint hash) => (int)(Place(hash) << Depth >> _homeShift);

    /// <summary>Where in its root a hash belongs, as a part of 2^32: what is behind the point when a hash, as a part of 2^32, is
    /// multiplied with the number of roots.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Place(uint hash) => unchecked(hash * _roots);
}
