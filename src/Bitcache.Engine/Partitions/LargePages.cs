using System.Runtime.CompilerServices;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Partitions;

/// <summary>Lets the ledger's tables have large pages, in every process that loads the engine.</summary>
internal static class LargePages
{
#pragma warning disable CA2255 // Before the first table, whoever makes it; and without it everything works, only slower.
    [ModuleInitializer]
    internal static void Enable() => TableMemory.Advise = Libc.AdviseHugePages;
#pragma warning restore CA2255
}
