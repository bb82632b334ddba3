using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bitcache.Core;

/// <summary>Many rows, all zeros at first. Where a row is a whole number of lines of memory and the slab is large, each row
/// begins with a line: an array begins anywhere, so the first row is moved up to the next line.</summary>
internal readonly struct Slab<T>
{
    private const int LineBytes = 64;
    private readonly T[] _array;
    private readonly nint _skew;

    public Slab(int length)
    {
        Length = length;
        if (TableMemory.IsLarge<T>(length) && Unsafe.SizeOf<T>() % LineBytes == 0)
        {
            // One row more than asked for: what is skipped at the beginning is there at the end.
            _array = TableMemory.Allocate<T>(length + 1);
            _skew = -Marshal.UnsafeAddrOfPinnedArrayElement(_array, 0) & (LineBytes - 1);
        }
        else
        {
            _array = TableMemory.Allocate<T>(length);
        }
    }

    public int Length { get; }

    public ref T this[int at]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref Unsafe.AddByteOffset(ref _array[at], _skew);
    }

    public Span<T> Rows => Length == 0 ? [] : MemoryMarshal.CreateSpan(ref this[0], Length);
}
