using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Bitcache.Core;

/// <summary>Asks the processor for memory before it is needed. Only a hint: a wrong address harms nothing.</summary>
internal static class Prefetch
{
    private const int LineBytes = 64;

    /// <summary>The line that the field begins in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Line<T>(ref readonly T field)
    {
        // The collector may move the object before the hint is read: then it is a hint for nothing.
        if (Sse.IsSupported) Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AsRef(in field)));
    }

    /// <summary>The lines of a row that is longer than one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Row<T>(ref readonly T row)
    {
        if (!Sse.IsSupported) return;
        var first = (byte*)Unsafe.AsPointer(ref Unsafe.AsRef(in row));
        Sse.Prefetch0(first);
        if (Unsafe.SizeOf<T>() > LineBytes) Sse.Prefetch0(first + LineBytes);
    }
}
