// An open-addressing index: from a hash to the slot of a row in a table beside it. A cell is eight bytes, a fingerprint
// of 32 bits and the slot; one line of memory holds eight. The cells lie in pages of 32 KiB, found through a directory.
// The hashes are cut into equal ranges, the roots, of which there are as many as the rows that are expected need; a page
// that is full is split in two, by the next bit of the place in its root. So the index grows a page at a time, without
// reading a row: no addition ever waits until all of it has moved (extendible hashing: Fagin et al., 1979).

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>Memory of indexes' pages.</summary>
internal sealed class CellPool
{
    public const int PageCells = 4_096;
    private const int SlabPages = 128;
    private readonly SlabPool<ulong> _memory = new(PageCells, SlabPages);
    private readonly Stack<CellPage> _free = new();

    /// <summary>Memory of the indexes that take their pages from here.</summary>
    public long BytesInUse { get; set; }

    /// <summary>A page of free cells: see <see cref="CellPage.Begin"/>.</summary>
    public CellPage Take(int roots, int depth) => (_free.TryPop(out var page) ? page : new CellPage(_memory.Take())).Begin(roots, depth);

    /// <summary>See <see cref="SlabPool{T}.Reserve"/>.</summary>
    public void Reserve(int least, int pages)
    {
        if (_free.Count >= least) return;
        while (_free.Count < pages) _free.Push(new CellPage(_memory.Take()));
    }

    /// <summary>Smaller pages are the collector's affair.</summary>
    public void Return(CellPage page)
    {
        if (page.Memory.Length == PageCells) _free.Push(page);
    }
}

/// <summary>Slots by hash. Nothing is taken out of it. Owned by the partition's thread.</summary>
internal sealed class SlotIndex
{
    private const int CellsMin = 16;
    /// <summary>Entries that the directory may have, as a power of two. A page that would need more is enlarged instead.</summary>
    private const int DirectoryBitsMax = 20;
    /// <summary>What a page holds before it is full.</summary>
    private const int PageRows = CellPool.PageCells / 4 * 3;
    /// <summary>Pages are made for this part more than is expected: hashes are not spread evenly, and expectations are exceeded.</summary>
    private const int MarginPart = 4;
    /// <summary>Stands in the directory until there is something to add.</summary>
    private static readonly CellPage Nothing = new(new SlabPage<ulong>(CellsMin));

    private readonly CellPool _pool;
    private readonly int _roots;
    // Bits of a place in its root that the directory uses: it has 2^depth entries for each root.
    private int _depth;
    private CellPage[] _directory;
    private long _cells;

    /// <param name="pool">Where pages come from and go to.</param>
    /// <param name="expected">How many rows there will probably be: with so many nothing is moved as a rule.</param>
    public SlotIndex(CellPool pool, int expected = 0)
    {
        _pool = pool;
        _roots = PagesFor(expected);
        _directory = new CellPage[_roots];
        Array.Fill(_directory, Nothing);
        if (_roots == 1) _directory[0] = Counted(Small((int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(CellsMin, ((4 * expected) + 2) / 3)), 0));
    }

    public SlotIndex() : this(new CellPool())
    {
    }

    /// <summary>Pages that the cells of so many rows take at first.</summary>
    public static int PagesFor(int rows) => rows <= PageRows ? 1 : (int)((rows + ((long)rows / MarginPart)) / PageRows) + 1;

    public long Bytes => CellBytes + (_directory.Length * (long)sizeof(ulong));

    /// <summary>The same without the directory, which is a thousandth of it.</summary>
    public long CellBytes => _cells * sizeof(ulong);

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

    /// <summary>The page of a hash, to search.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public CellPage PageOf(uint hash) => PageOf(_directory, hash);

    /// <summary>The page of a hash, with room for one more; what was found in it before is no longer good.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public CellPage PageToAdd(uint hash)
    {
        var page = PageOf(hash);
        return page.IsFull || page == Nothing ? MakeRoom(hash) : page;
    }

    /// <summary>The same for a thread that does not own the index, while the owner adds to it. A search there comes to an end, as no
    /// page is ever full. What it finds was added under this hash; what was added may be missed while its page is split.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public CellPage Glance(uint hash) => PageOf(hash);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchCell(uint hash) => PageOf(hash).Prefetch(hash);

    public void Add(uint hash, int slot) => PageToAdd(hash).Add(hash, slot);

    /// <summary>Gives the memory back. The index is of no use any more.</summary>
    public void Drop()
    {
        for (var at = 0; at < _directory.Length; at += EntriesOf(_directory[at])) _pool.Return(_directory[at]);
        Count(-_cells);
        _directory = [];
    }

    private CellPage MakeRoom(uint hash)
    {
        for (var page = PageOf(hash); ; page = PageOf(hash))
        {
            if (page == Nothing) _directory[EntryOf(_directory, hash)] = Counted(_pool.Take(_roots, _depth));
            else if (!page.IsFull) return page;
            else if (page.Memory.Length < CellPool.PageCells || IsAtEnd(page)) Enlarge(page, hash);
            else Split(page, hash);
        }
    }

    private void Enlarge(CellPage page, uint hash)
    {
        var cells = 2 * page.Memory.Length;
        var larger = Counted(cells == CellPool.PageCells ? _pool.Take(_roots, page.Depth) : Small(cells, page.Depth));
        page.MoveTo(larger, larger);
        Replace(page, hash, larger, larger);
    }

    private void Split(CellPage page, uint hash)
    {
        if (page.Depth == _depth) DoubleDirectory();
        var (zero, one) = (Counted(_pool.Take(_roots, page.Depth + 1)), Counted(_pool.Take(_roots, page.Depth + 1)));
        page.MoveTo(zero, one);
        Replace(page, hash, zero, one);
    }

    private void Replace(CellPage page, uint hash, CellPage zero, CellPage one)
    {
        var entries = EntriesOf(page);
        var first = EntryOf(_directory, hash) & -entries;
        Array.Fill(_directory, zero, first, (entries + 1) / 2);
        Array.Fill(_directory, one, first + (entries / 2), (entries + 1) / 2);
        Count(-page.Memory.Length);
        _pool.Return(page);
    }

    private void DoubleDirectory()
    {
        var larger = new CellPage[2 * _directory.Length];
        for (var at = 0; at < larger.Length; at++) larger[at] = _directory[at / 2];
        (_directory, _depth) = (larger, _depth + 1);
    }

    /// <summary>Whether to split it would take a directory that is too long.</summary>
    private bool IsAtEnd(CellPage page) => page.Depth == _depth && _directory.Length > 1 << (DirectoryBitsMax - 1);

    /// <summary>How many entries of the directory lead to a page.</summary>
    private int EntriesOf(CellPage page) => page == Nothing ? 1 : 1 << (_depth - page.Depth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static CellPage PageOf(CellPage[] directory, uint hash) => directory[EntryOf(directory, hash)];

    /// <summary>The root of a hash and, behind it, the first bits of its place there. The directory is read once: its owner may be
    /// putting a larger one in its place while another thread looks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int EntryOf(CellPage[] directory, uint hash) => unchecked((int)(((ulong)hash * (uint)directory.Length) >> 32));

    private CellPage Small(int cells, int depth) => new CellPage(new SlabPage<ulong>(cells)).Begin(_roots, depth);

    private CellPage Counted(CellPage page)
    {
        Count(page.Memory.Length);
        return page;
    }

    private void Count(long cells)
    {
        _cells += cells;
        _pool.BytesInUse += cells * sizeof(ulong);
    }
}
