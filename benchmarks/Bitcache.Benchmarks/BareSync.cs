using System.Diagnostics;
using Bitcache.Benchmarks.Load;
using Bitcache.Engine.Files;

namespace Bitcache.Benchmarks;

/// <summary>What the disk alone takes to make some bytes durable: written and synced on space that is there.</summary>
internal static class BareSync
{
    private const int Samples = 1_000;

    public static Latencies Measure(string folder, int bytes)
    {
        var path = Path.Combine(folder, "bare-sync");
        var files = new LinuxFileSystem();
        using var file = files.Create(path);
        var record = new byte[bytes];
        Random.Shared.NextBytes(record);
        // Written before, as the journal's segments are: the sync has no new extents to note.
        file.Write(0, new byte[Samples * bytes]);
        file.SyncData();
        var latencies = new Latencies();
        for (var i = 0; i < Samples; i++)
        {
            var start = Stopwatch.GetTimestamp();
            file.Write((long)i * bytes, record);
            file.SyncData();
            latencies.Add(Stopwatch.GetTimestamp() - start);
        }
        files.Delete(path);
        return latencies;
    }
}
