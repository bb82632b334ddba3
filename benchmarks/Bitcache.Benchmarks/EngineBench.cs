// How many payments one partition makes durable in a second, with everything on but HTTP: payments arrive as the
// records of a batch request, in blocks, through the queue that HTTP uses; ledger, journal, sync, answers. The floors are
// measured in the same run: the same bytes written and synced in batches of the same size and nothing else, and the
// look-ups of payer and payee alone in tables of the same size.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks;

/// <param name="WindowIds">How many ids are remembered; the window is full before anything is measured.</param>
/// <param name="BlockPayments">Payments that arrive together.</param>
/// <param name="Blocks">Blocks that wait for their answer at any time.</param>
internal sealed record EngineBenchOptions(
    int Wallets, int WindowIds, int BlockPayments, int Blocks, TimeSpan Duration, int Runs, string Folder);

internal static class EngineBench
{
    public static async Task<BenchResult> RunAsync(EngineBenchOptions options)
    {
        var measured = new List<EngineRun>();
        for (var run = 0; run < options.Runs; run++)
        {
            var folder = Path.Combine(options.Folder, $"bitcache-bench-{Environment.ProcessId}-{run}");
            Directory.CreateDirectory(folder);
            try
            {
                measured.Add(await MeasureAsync(options, folder));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
            var last = measured[^1];
            await Console.Error.WriteLineAsync(
                $"run {run + 1} of {options.Runs}: {last.Rate:N0}/s, p99 {last.P99Milliseconds:0.0} ms, disk floor {last.DiskFloor:N0}/s, probe floor {last.ProbeFloor:N0}/s");
        }
        double Median(Func<EngineRun, double> of) => BenchResult.Median([.. measured.Select(of)]);
        return new BenchResult(
            "engine", "durable transfers/s", [.. measured.Select(m => m.Rate)],
            new Dictionary<string, double>
            {
                ["floor"] = Median(m => m.Rate / Math.Min(m.DiskFloor, m.ProbeFloor)),
                ["diskFloor"] = Median(m => m.Rate / m.DiskFloor),
                ["probeFloor"] = Median(m => m.Rate / m.ProbeFloor),
            },
            new Dictionary<string, object>
            {
                ["wallets"] = options.Wallets,
                ["windowIds"] = measured[^1].WindowIds,
                ["inFlight"] = options.BlockPayments * options.Blocks,
                ["p50Milliseconds"] = Median(m => m.P50Milliseconds),
                ["p99Milliseconds"] = Median(m => m.P99Milliseconds),
                ["appendP50Milliseconds"] = Median(m => m.AppendP50Milliseconds),
                ["appendP99Milliseconds"] = Median(m => m.AppendP99Milliseconds),
                ["bytesPerEntry"] = measured[^1].BytesPerEntry,
                ["entriesPerBatch"] = measured[^1].EntriesPerBatch,
                ["bytesPerWallet"] = measured[^1].BytesPerWallet,
                ["bytesPerWindowId"] = measured[^1].BytesPerWindowId,
                ["allocatedBytesPerTransfer"] = Median(m => m.AllocatedPerTransfer),
                ["cpuNanosecondsPerTransfer"] = Median(m => m.CpuNanoseconds),
                ["replayedEntriesPerSecond"] = Median(m => m.ReplayRate),
                ["replayedEqual"] = true,
            });
    }

    private static async Task<EngineRun> MeasureAsync(EngineBenchOptions options, string folder)
    {
        var counted = new CountingJournal(Open(folder, _ => { }, _ => { }));
        var ledger = new Ledger(0, (ulong)Random.Shared.NextInt64());
        var partition = new OwnedPartition(
            ledger, counted, new BatchClock(TimeProvider.System, null), NullLogger.Instance, Fail, bounds: new PartitionBounds { WindowIds = options.WindowIds });
        partition.Start();
        Hash256 state;
        EngineRun run;
        await using (partition)
        {
            var book = await EngineLoad.FillAsync(partition, options.Wallets);
            var load = new EngineLoad(partition, book, options.BlockPayments, options.Blocks);
            // Until the oldest part of the window is forgotten for the first time: from then on it is full.
            await load.RunAsync(WhileFilling(ledger, options.WindowIds));
            counted.Reset();
            load.Reset();
            var allocated = GC.GetTotalAllocatedBytes(precise: true);
            var cpu = Environment.CpuUsage.TotalTime;
            var watch = Stopwatch.StartNew();
            await load.RunAsync(() => watch.Elapsed < options.Duration);
            var rate = load.Accepted / watch.Elapsed.TotalSeconds;
            cpu = Environment.CpuUsage.TotalTime - cpu;
            allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
            var (memory, ids, hash) = await partition.QueryAsync(l => (l.MemoryBytes, l.WindowIds, l.StateHash()));
            state = hash;
            var (perEntry, perBatch) = ((int)(counted.Bytes / counted.Entries), (int)(counted.Entries / counted.Batches));
            run = new EngineRun
            {
                Rate = rate,
                P50Milliseconds = load.Percentile(0.50),
                P99Milliseconds = load.Percentile(0.99),
                AppendP50Milliseconds = counted.Appends.Quantile(0.50),
                AppendP99Milliseconds = counted.Appends.Quantile(0.99),
                BytesPerEntry = perEntry,
                EntriesPerBatch = perBatch,
                WindowIds = ids,
                BytesPerWallet = memory.Wallets / (double)options.Wallets,
                BytesPerWindowId = memory.WindowIds / (double)ids,
                CpuNanoseconds = cpu.TotalNanoseconds / load.Accepted,
                AllocatedPerTransfer = allocated / (double)load.Accepted,
            };
        }
        var diskFloor = Floors.Disk(folder, run.BytesPerEntry, run.EntriesPerBatch, options.Duration / 4);
        var probeFloor = Floors.Probes(options.Wallets, options.Duration / 4);
        return run with { DiskFloor = diskFloor, ProbeFloor = probeFloor, ReplayRate = CheckReplay(folder, state) };
    }

    /// <summary>The ids are counted by another thread: only a drop that is larger than any doubt ends it.</summary>
    private static Func<bool> WhileFilling(Ledger ledger, int windowIds)
    {
        var most = 0;
        return () =>
        {
            var now = ledger.WindowIds;
            if (now > Volatile.Read(ref most)) Volatile.Write(ref most, now);
            return now > Volatile.Read(ref most) - (windowIds / 16);
        };
    }

    private static FileJournal Open(string folder, ReplayBatch replay, Action<long> accept) => FileJournal.Open(
        new LinuxFileSystem(), folder, new FileJournalSettings { PreparesSegments = true }, replay, NullLogger.Instance, accept);

    /// <summary>What is on the disk rebuilds what was in memory, or the figure counts for nothing. Returns entries replayed a second.</summary>
    private static double CheckReplay(string folder, Hash256 state)
    {
        var ledger = new Ledger(0);
        var watch = Stopwatch.StartNew();
        using var replay = new ReplayPipeline(ledger);
        using var journal = Open(folder, replay.Add, _ => replay.Finish());
        var rate = ledger.NextSequence / watch.Elapsed.TotalSeconds;
        if (ledger.StateHash() != state) throw new InvalidOperationException("the journal does not replay to the state that was in memory");
        return rate;
    }

    private static void Fail(string why, Exception cause) => Environment.FailFast(why, cause);
}

internal sealed record EngineRun
{
    public double Rate { get; init; }
    public double P50Milliseconds { get; init; }
    public double P99Milliseconds { get; init; }
    public double AppendP50Milliseconds { get; init; }
    public double AppendP99Milliseconds { get; init; }
    public int BytesPerEntry { get; init; }
    public int EntriesPerBatch { get; init; }
    public int WindowIds { get; init; }
    public double BytesPerWallet { get; init; }
    public double BytesPerWindowId { get; init; }
    public double CpuNanoseconds { get; init; }
    public double AllocatedPerTransfer { get; init; }
    public double DiskFloor { get; init; }
    public double ProbeFloor { get; init; }
    public double ReplayRate { get; init; }
}
