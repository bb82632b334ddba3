using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bitcache.Core;

/// <summary>Tells the system how a range of memory is used. Only a hint.</summary>
public delegate void MemoryAdvice(nint address, nint bytes);

/// <summary>Large arrays of tables that are read at random.</summary>
public static class TableMemory
{
    /// <summary>Smaller arrays gain nothing.</summary>
    private const int LargeBytesMin = 4 << 20;

    /// <summary>Called with each large array before it is touched. A host that can have large pages sets it at its start:
    /// with pages of 4 KiB, finding the page costs more than the line of memory that is wanted.</summary>
    public static MemoryAdvice? Advise { get; set; }

    /// <summary>Whether an array of that length stays at its place, and has large pages.</summary>
    internal static bool IsLarge<T>(int length) =>
        !RuntimeHelpers.IsReferenceOrContainsReferences<T>() && (long)length * Unsafe.SizeOf<T>() >= LargeBytesMin;

    /// <summary>An array of zeros.</summary>
    internal static T[] Allocate<T>(int length)
    {
        var array = AllocateAnyContent<T>(length);
        Array.Clear(array);
        return array;
    }

    /// <summary>An array whose items have no value yet, for whoever writes each before he reads it.</summary>
    internal static T[] AllocateAnyContent<T>(int length)
    {
        if (!IsLarge<T>(length)) return GC.AllocateUninitializedArray<T>(length);
        var array = GC.AllocateUninitializedArray<T>(length, pinned: true);
        Advise?.Invoke(Marshal.UnsafeAddrOfPinnedArrayElement(array, 0), (nint)((long)length * Unsafe.SizeOf<T>()));
        return array;
    }
}
