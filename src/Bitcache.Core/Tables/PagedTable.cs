// Rows of one kind in pages. A capture keeps all rows as they are at one moment without stopping their owner: from
// then on the first write to a page goes to a copy of it, and whoever holds the capture reads the pages of that moment
// at his own pace, on another thread.

using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>Rows by slot, from 0 without gaps. Owned by one thread; only a <see cref="Capture"/> may be read by another.</summary>
internal sealed class PagedTable<T>
{
    private const int RowBits = 5;
    private const int PageRows = 1 << RowBits;
    private const int SlabPageBits = 12;
    private const int SlabPages = 1 << SlabPageBits;
    private const int FirstSlabPages = 4;
    private const int SlabGrowth = 4;
    /// <summary>Marks a page that a capture holds: it is copied before it is written.</summary>
    internal const int Shared = int.MinValue;

    // Which physical page holds a page of rows: the number of its slab and, in the lower bits, its place there. Physical
    // pages are carved from slabs, so that pages are made, copied and used again without the collector.
    private int[] _pages = new int[16];
    private int _pageCount;
    private Slab<T>[] _slabs = [];
    // Of the last slab; the others are full.
    private int _usedPages;
    private readonly Stack<int> _free = new();
    private readonly Stack<int> _retired = new();
    private int _captures;

    public int Count { get; private set; }

    /// <summary>Memory that the rows take, pages of a capture included.</summary>
    public long Bytes => (_slabs.Sum(s => (long)s.Length) * Unsafe.SizeOf<T>()) + ((long)_pages.Length * sizeof(int));

    /// <summary>A row to read or to write. Good until the next <see cref="Capture"/>: neither <see cref="Add"/> nor the copy of
    /// another row's page moves it.</summary>
    public ref T this[int slot]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(unchecked((uint)slot), (uint)Count, nameof(slot));
            var physical = _pages[slot >> RowBits];
            if (physical < 0) physical = Copy(slot >> RowBits);
            return ref Row(_slabs, physical, slot);
        }
    }

    /// <summary>A row to read only: it is not copied.</summary>
    public ref readonly T Peek(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(unchecked((uint)slot), (uint)Count, nameof(slot));
        return ref Row(_slabs, _pages[slot >> RowBits] & ~Shared, slot);
    }

    public void PrefetchRow(int slot) => Prefetch.Row(in Peek(slot));

    public int Add(in T row)
    {
        if ((Count & (PageRows - 1)) == 0) AddPage();
        var slot = Count++;
        this[slot] = row;
        return slot;
    }

    /// <summary>All rows as they are now; good until the next change.</summary>
    public PagedRows<T> View() => new(_slabs, _pages, Count);

    /// <summary>All rows as they are now; given back with <see cref="Release"/>. There may be several at a time.</summary>
    public PagedRows<T> Capture()
    {
        _captures++;
        var pages = _pages.AsSpan(0, _pageCount).ToArray();
        foreach (ref var page in _pages.AsSpan(0, _pageCount)) page |= Shared;
        return new PagedRows<T>(_slabs, pages, Count);
    }

    /// <summary>Nobody reads one of the captures any more. What they hold is used again when the last of them is given back:
    /// they are few and short, and need no account of who holds which page.</summary>
    public void Release()
    {
        if (_captures == 0) throw new InvalidOperationException("nothing is captured");
        if (--_captures > 0) return;
        foreach (ref var page in _pages.AsSpan(0, _pageCount)) page &= ~Shared;
        while (_retired.TryPop(out var physical)) _free.Push(physical);
    }

    internal static ref T Row(Slab<T>[] slabs, int physical, int slot) =>
        ref slabs[physical >> SlabPageBits][((physical & (SlabPages - 1)) << RowBits) | (slot & (PageRows - 1))];

    internal const int RowsAPage = PageRows;

    private void AddPage()
    {
        if (_pageCount == _pages.Length) Array.Resize(ref _pages, 2 * _pageCount);
        _pages[_pageCount++] = NewPhysical();
    }

    private int Copy(int page)
    {
        var old = _pages[page] & ~Shared;
        var copy = NewPhysical();
        Page(old).CopyTo(Page(copy));
        _retired.Push(old);
        return _pages[page] = copy;
    }

    private Span<T> Page(int physical) => _slabs[physical >> SlabPageBits].Rows.Slice((physical & (SlabPages - 1)) << RowBits, PageRows);

    private int NewPhysical()
    {
        if (_free.TryPop(out var free)) return free;
        // The first slabs are small: most ledgers of a test have few rows. A slab is never replaced, so that whoever
        // holds a row may go on with it while another row's page is copied.
        if (_slabs.Length == 0 || _usedPages == _slabs[^1].Length / PageRows)
        {
            var pages = _slabs.Length == 0 ? FirstSlabPages : Math.Min(SlabPages, SlabGrowth * _usedPages);
            _slabs = [.. _slabs, new Slab<T>(pages * PageRows)];
            _usedPages = 0;
        }
        return ((_slabs.Length - 1) << SlabPageBits) | _usedPages++;
    }
}

/// <summary>The rows of a <see cref="PagedTable{T}"/> at one moment. May be read by any thread until it is released.</summary>
internal readonly struct PagedRows<T>(Slab<T>[] slabs, int[] pages, int count)
{
    public int Count => count;

    public ref readonly T this[int slot] => ref PagedTable<T>.Row(slabs, pages[slot / PagedTable<T>.RowsAPage] & ~PagedTable<T>.Shared, slot);
}
