// What cannot be beaten on this machine: measured beside the figure, in the same run.

using System.Diagnostics;
using Bitcache.Engine.Files;

namespace Bitcache.Benchmarks;

internal static class Floors
{
    /// <summary>Entries a second if there were nothing but the disk: the same bytes in batches of the same size, on
    /// preallocated space, each written and synced.</summary>
    public static double Disk(string folder, int bytesPerEntry, int entriesPerBatch, TimeSpan duration)
    {
        var files = new LinuxFileSystem();
        using var file = files.Create(Path.Combine(folder, "floor"));
        const long Length = 4L << 30;
        file.Preallocate(Length);
        var batch = new byte[Math.Max(1, entriesPerBatch) * bytesPerEntry];
        Random.Shared.NextBytes(batch);
        var watch = Stopwatch.StartNew();
        long offset = 0, entries = 0;
        while (watch.Elapsed < duration)
        {
            if (offset + batch.Length > Length) offset = 0;
            file.Write(offset, batch);
            file.SyncData();
            offset += batch.Length;
            entries += entriesPerBatch;
        }
        return entries / watch.Elapsed.TotalSeconds;
    }

    /// <summary>Transfers a second if they were nothing but finding payer and payee and changing a number of each: two
    /// random cells of an index, two random rows of 64 bytes.</summary>
    public static double Probes(int wallets, TimeSpan duration)
    {
        const int RowWords = 8;
        const int Ahead = 16;
        var cells = new int[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(wallets * 4 / 3))];
        var rows = new long[(long)wallets * RowWords];
        for (var i = 0; i < cells.Length; i++) cells[i] = i % wallets;
        var random = new Xoshiro(7);
        var waiting = new int[Ahead];
        var watch = Stopwatch.StartNew();
        long done = 0;
        while (watch.Elapsed < duration)
        {
            // The loads of a group do not wait for one another: that is what prefetching gives.
            for (var group = 0; group < 1_000; group++)
            {
                for (var i = 0; i < Ahead; i++) waiting[i] = cells[(int)(random.Next() & (uint)(cells.Length - 1))];
                for (var i = 0; i < Ahead; i++) rows[(long)waiting[i] * RowWords]++;
            }
            done += 1_000 * Ahead / 2;
        }
        return done / watch.Elapsed.TotalSeconds;
    }
}
