// How fast the log is made of the journal, on one core: statements read, hashed into the tree with its store, and signed
// for. And what that costs whoever pays meanwhile: payments at half of what the partition can do, with the log sealed
// every second and without, in the same run, in turn.

using System.Diagnostics;
using System.Globalization;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;

namespace Bitcache.Benchmarks;

/// <param name="Duration">Of one run, in which there are three parts: payments as fast as they can be, paced ones, and paced ones beside the log.</param>
internal sealed record SealBenchOptions(int Wallets, int WindowIds, int BlockPayments, int Blocks, TimeSpan Duration, int Runs, string Folder);

internal static class SealBench
{
    private static readonly TimeSpan SealEvery = TimeSpan.FromSeconds(1);

    private sealed record Run(double LeafRate, double LeavesPerCpuSecond, long Leaves, double FullRate, double Without, double With, double P99Without, double P99With);

    public static async Task<BenchResult> RunAsync(SealBenchOptions options)
    {
        var runs = new List<Run>();
        for (var number = 0; number < options.Runs; number++)
        {
            runs.Add(await LedgerBook.InFolderAsync(options.Folder, folder => MeasureAsync(options, folder)));
            var last = runs[^1];
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"run {number + 1} of {options.Runs}: {last.LeafRate:N0} leaves/s; {last.With:N0} payments/s beside the log and {last.Without:N0} without, of {last.FullRate:N0}; p99 {last.P99With:0.0} and {last.P99Without:0.0} ms"));
        }
        double Median(Func<Run, double> of) => BenchResult.Median([.. runs.Select(of)]);
        return new BenchResult(
            "seal", "leaves/s on one core", [.. runs.Select(run => run.LeafRate)],
            new Dictionary<string, double> { ["paymentsWhileSealing"] = Median(run => run.With / run.Without) },
            new Dictionary<string, object>
            {
                ["wallets"] = options.Wallets,
                ["leaves"] = runs[^1].Leaves,
                ["leavesPerProcessorSecond"] = Median(run => run.LeavesPerCpuSecond),
                ["fullTransfersPerSecond"] = Median(run => run.FullRate),
                ["transfersPerSecondWith"] = Median(run => run.With),
                ["transfersPerSecondWithout"] = Median(run => run.Without),
                ["p99MillisecondsWith"] = Median(run => run.P99With),
                ["p99MillisecondsWithout"] = Median(run => run.P99Without),
            });
    }

    private static async Task<Run> MeasureAsync(SealBenchOptions options, string folder)
    {
        var book = LedgerBook.Open(folder);
        await using var partition = LedgerBook.Start(book, options.WindowIds);
        var load = new EngineLoad(partition, await EngineLoad.FillAsync(partition, options.Wallets), options.BlockPayments, options.Blocks);
        var part = options.Duration / 3;
        var (full, _) = await PayAsync(load, part, rate: null);

        var files = new LinuxFileSystem();
        var keys = Path.Combine(folder, "keys");
        files.CreateFolder(keys);
        using var log = new LogKeeper(
            new SettlementTerm(new PartitionSet([partition])), CheckpointKey.Open(files, keys, "bench.example/log", mayCreate: true), SignedMark.Open(files, keys), files,
            Path.Combine(folder, "log"));
        await log.ResumeAsync();
        // On one thread: what hashes goes from one to another, and never on two.
        var (watch, cpu) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        await log.AdvanceAsync();
        var (leaves, seconds) = (log.CheckpointSize, watch.Elapsed.TotalSeconds);
        cpu = Environment.CpuUsage.TotalTime - cpu;

        var (without, p99Without) = await PayAsync(load, part, full / 2);
        // What was paid meanwhile is not sealed at the cost of the next part.
        await log.AdvanceAsync();
        using var stop = new CancellationTokenSource();
        var sealing = RepeatAsync(log.AdvanceAsync, stop.Token);
        var (with, p99With) = await PayAsync(load, part, full / 2);
        var behind = book.Ledger.NextSequence - log.CheckpointSize;
        await stop.CancelAsync();
        await sealing;
        // A log that falls behind would cost less than it must.
        if (behind > 2 * full) throw new BenchFailedException(string.Create(CultureInfo.InvariantCulture, $"the log is {behind:N0} statements behind the payments"));
        return new Run(leaves / seconds, leaves / cpu.TotalSeconds, leaves, full, without, with, p99Without, p99With);
    }

    private static async Task<(double Rate, double P99)> PayAsync(EngineLoad load, TimeSpan length, double? rate)
    {
        load.Reset();
        var watch = Stopwatch.StartNew();
        await load.RunAsync(() => watch.Elapsed < length, rate);
        return (load.Accepted / watch.Elapsed.TotalSeconds, load.Percentile(0.99));
    }

    private static async Task RepeatAsync(Func<Task> seal, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(SealEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(stop)) await seal();
        }
        catch (OperationCanceledException)
        {
            // The payments are made.
        }
    }
}
