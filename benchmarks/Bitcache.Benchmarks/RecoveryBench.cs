// How long a start takes: entries replayed a second, from a journal of transfers, and the seconds until a large ledger
// is there again from its snapshot. Both are checked against the state that was in memory.
//
// A virtual machine may get memory from its host only when it touches it, which can take longer than what is measured:
// so each series begins with a run that is told apart, and the runs after it find the memory there.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks;

/// <param name="Wallets">Of the journal that is replayed.</param>
/// <param name="Entries">Transfers in it.</param>
/// <param name="SnapshotWallets">Of the ledger that is opened from a snapshot; 0 to leave that out.</param>
/// <param name="SnapshotIds">Client ids that it remembers.</param>
internal sealed record RecoveryBenchOptions(int Wallets, long Entries, int SnapshotWallets, int SnapshotIds, int Runs, string Folder);

internal static class RecoveryBench
{
    private const int BlockPayments = 4_096;
    private const int Blocks = 6;

    public static async Task<BenchResult> RunAsync(RecoveryBenchOptions options)
    {
        var (first, replays) = await LedgerBook.InFolderAsync(options.Folder, folder => ReplayAsync(options, folder));
        var rates = replays.Select(r => r.Rate).ToArray();
        var details = new Dictionary<string, object>
        {
            ["wallets"] = options.Wallets,
            ["entries"] = options.Entries,
            ["firstEntriesPerSecond"] = first.Rate,
            ["cpuNanosecondsPerEntry"] = BenchResult.Median([.. replays.Select(r => r.CpuNanoseconds)]),
            ["replayedEqual"] = true,
        };
        if (options.SnapshotWallets > 0)
            foreach (var (name, value) in await LedgerBook.InFolderAsync(options.Folder, folder => OpenAsync(options, folder))) details[name] = value;
        return new BenchResult("recovery", "entries/s replayed", rates, new Dictionary<string, double>(), details);
    }

    private static async Task<(Replayed First, List<Replayed> Runs)> ReplayAsync(RecoveryBenchOptions options, string folder)
    {
        var (beginning, hash) = await FillAsync(folder, options.Wallets, Limits.WindowIdsMax, load => load.Accepted < options.Entries);
        var first = await OnceAsync("first");
        var replays = new List<Replayed>();
        for (var run = 1; run <= options.Runs; run++) replays.Add(await OnceAsync($"run {run} of {options.Runs}"));
        return (first, replays);

        async Task<Replayed> OnceAsync(string run)
        {
            GC.Collect();
            var replayed = Replay(folder, beginning, hash);
            await Console.Error.WriteLineAsync($"{run}: {replayed.Rate:N0} entries/s replayed, {replayed.CpuNanoseconds:0} ns of processor time for one");
            return replayed;
        }
    }

    /// <summary>Replays the whole journal, and measures from the first transfer on.</summary>
    private static Replayed Replay(string folder, long beginning, Hash256 hash)
    {
        var ledger = new Ledger(0, (ulong)Random.Shared.NextInt64());
        var watch = new Stopwatch();
        var cpu = TimeSpan.Zero;
        using var replay = new ReplayPipeline(ledger);
        using var journal = FileJournal.Open(new LinuxFileSystem(), folder, new FileJournalSettings(), batch =>
        {
            if (batch.FirstSequence >= beginning && !watch.IsRunning)
            {
                cpu = Environment.CpuUsage.TotalTime;
                watch.Start();
            }
            replay.Add(batch);
        }, NullLogger.Instance, _ => replay.Finish());
        watch.Stop();
        cpu = Environment.CpuUsage.TotalTime - cpu;
        if (ledger.StateHash() != hash) throw new InvalidOperationException("the journal does not replay to the state that was in memory");
        var entries = ledger.NextSequence - beginning;
        return new Replayed(entries / watch.Elapsed.TotalSeconds, cpu.TotalNanoseconds / entries);
    }

    private readonly record struct Replayed(double Rate, double CpuNanoseconds);

    private static async Task<Dictionary<string, object>> OpenAsync(RecoveryBenchOptions options, string folder)
    {
        var written = Stopwatch.StartNew();
        var (_, hash) = await FillAsync(folder, options.SnapshotWallets, options.SnapshotIds, takesSnapshot: true);
        await Console.Error.WriteLineAsync($"{options.SnapshotWallets:N0} wallets and their ids after {written.Elapsed.TotalSeconds:0} s");
        var (wallets, ids) = (0, 0);
        var first = await OnceAsync("first");
        var seconds = new List<double>();
        for (var run = 1; run <= options.Runs; run++) seconds.Add(await OnceAsync($"run {run} of {options.Runs}"));
        var bytes = new DirectoryInfo(Path.Combine(folder, "snapshots", "p0000")).GetFiles("*.snapshot").Max(file => file.Length);
        return new Dictionary<string, object>
        {
            ["snapshotSeconds"] = BenchResult.Median(seconds),
            ["snapshotFirstSeconds"] = first,
            ["snapshotWallets"] = wallets,
            ["snapshotIds"] = ids,
            ["snapshotBytes"] = bytes,
            ["snapshotEqual"] = true,
        };

        async Task<double> OnceAsync(string run)
        {
            GC.Collect();
            var watch = Stopwatch.StartNew();
            var book = LedgerBook.Open(folder);
            var taken = watch.Elapsed.TotalSeconds;
            (wallets, ids) = (book.Ledger.WalletCount, book.Ledger.WindowIds);
            if (book.Start is null || book.Ledger.StateHash() != hash) throw new InvalidOperationException("the snapshot does not hold the state that was in memory");
            book.Journal.Dispose();
            book.Snapshots.Dispose();
            await Console.Error.WriteLineAsync($"{run}: {taken:0.00} s from the snapshot");
            return taken;
        }
    }

    /// <summary>Makes the wallets and pays until the window is as full as it becomes, or while <paramref name="goesOn"/>.
    /// Returns the sequence of the first payment between wallets and the state at the end.</summary>
    private static async Task<(long Beginning, Hash256 State)> FillAsync(
        string folder, int wallets, int windowIds, Func<EngineLoad, bool>? goesOn = null, bool takesSnapshot = false)
    {
        var book = LedgerBook.Open(folder);
        long beginning;
        await using (var partition = LedgerBook.Start(book, windowIds))
        {
            var load = new EngineLoad(partition, await EngineLoad.FillAsync(partition, wallets), BlockPayments, Blocks);
            beginning = await partition.QueryAsync(ledger => ledger.NextSequence);
            await load.RunAsync(() => goesOn?.Invoke(load) ?? book.Ledger.WindowIds < windowIds - (windowIds / 16));
            if (takesSnapshot)
            {
                book.Snapshots.Request();
                while (book.Snapshots.Taken == 0) await partition.QueryAsync(ledger => ledger.NextSequence);
            }
        }
        return (beginning, book.Ledger.StateHash());
    }
}
