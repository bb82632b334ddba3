using System.Runtime.CompilerServices;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Partitions;

/// <summary>Lets the ledger's tables have large pages, in every process that loads the engine.</summary>
internal static class LargePages
{
#pragma warning disable CA2255 // Before the first table, whoever makes it; and without it everything works, only slower.
    [ModuleInitializer]
    internal static void Enable() => TableMemory.Advise = Prepare;
#pragma warning restore CA2255

    /// <summary>The first touch of a large page clears it. Where tables grow fast, in a replay above all, that would be a third
    /// of their owner's time: another thread goes ahead of him.</summary>
    private static void Prepare(nint address, nint bytes)
    {
        Libc.AdviseHugePages(address, bytes);
        ThreadPool.UnsafeQueueUserWorkItem(static range => Libc.Populate(range.address, range.bytes), (address, bytes), preferLocal: false);
    }
}
