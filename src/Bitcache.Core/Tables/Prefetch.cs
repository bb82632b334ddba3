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

    /// <summary>The lines of a row that may be longer than one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row<T>(ref readonly T row) => Lines(in row, Unsafe.SizeOf<T>());

    /// <summary>The lines that a number of bytes from a field on lie in; the last one perhaps not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Lines<T>(ref readonly T field, int bytes)
    {
        if (!Sse.IsSupported) return;
        var first = (byte*)Unsafe.AsPointer(ref Unsafe.AsRef(in field));
        for (var at = 0; at < bytes; at += LineBytes) Sse.Prefetch0(first + at);
    }
}
