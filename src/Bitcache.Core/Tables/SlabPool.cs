using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>A part of an array. An object, so that a thread that reads while another one puts a page in the place of this one
/// sees either.</summary>
internal sealed class SlabPage<T>(T[] slab, int start, int length)
{
    public static SlabPage<T> Empty { get; } = new([], 0, 0);

    public SlabPage(int length) : this(new T[length], 0, length)
    {
    }

    public T[] Slab => slab;
    public int Start => start;
    public int Length => length;
    public Span<T> Items => slab.AsSpan(start, length);

    public ref T this[int at]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref slab[start + at];
    }
}

/// <summary>Equal pages of memory, carved from large slabs and used again once they are given back: where rows come and
/// go by the million a second the collector has nothing to do. What was taken once is kept. Owned by one thread.</summary>
/// <param name="pageItems">Items of a page.</param>
/// <param name="slabPages">Pages of a slab, once the pool has grown: the first slab is one page, each next one twice as large.</param>
internal sealed class SlabPool<T>(int pageItems, int slabPages)
{
    private readonly Stack<SlabPage<T>> _free = new();
    private readonly Stack<SlabPage<T>> _held = new();
    private T[] _slab = [];
    private int _carved;
    private int _nextSlabPages = 1;
    private bool _isHeld;

    /// <summary>A page of any content.</summary>
    public SlabPage<T> Take() => _free.TryPop(out var page) ? page : Carve();

    /// <summary>Where fewer than <paramref name="least"/> pages can be taken without new memory, takes it until
    /// <paramref name="pages"/> can.</summary>
    public void Reserve(int least, int pages)
    {
        if (_free.Count >= least) return;
        while (_free.Count < pages) _free.Push(Carve());
    }

    public void Return(SlabPage<T> page) => (_isHeld ? _held : _free).Push(page);

    /// <summary>From now on no page that is given back is used again: somebody may still read it.</summary>
    public void Hold() => _isHeld = true;

    /// <summary>Nobody does any more.</summary>
    public void Release()
    {
        _isHeld = false;
        while (_held.TryPop(out var page)) _free.Push(page);
    }

    private SlabPage<T> Carve()
    {
        if (_carved == _slab.Length)
        {
            _slab = TableMemory.AllocateAnyContent<T>(_nextSlabPages * pageItems);
            _carved = 0;
            _nextSlabPages = Math.Min(slabPages, 2 * _nextSlabPages);
        }
        _carved += pageItems;
        return new SlabPage<T>(_slab, _carved - pageItems, pageItems);
    }
}
