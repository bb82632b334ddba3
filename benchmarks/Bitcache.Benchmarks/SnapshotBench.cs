// What a snapshot costs whoever pays meanwhile: throughput and p99 while one is written, beside the same length of time
// without one, in the same run, in turn.

using System.Diagnostics;

namespace Bitcache.Benchmarks;

/// <param name="MebibytesPerSecond">How fast a snapshot is written.</param>
internal sealed record SnapshotBenchOptions(int Wallets, int WindowIds, int BlockPayments, int Blocks, int MebibytesPerSecond, int Runs, string Folder);

internal static class SnapshotBench
{
    public static Task<BenchResult> RunAsync(SnapshotBenchOptions options) => LedgerBook.InFolderAsync(options.Folder, folder => RunAsync(options, folder));

    private static async Task<BenchResult> RunAsync(SnapshotBenchOptions options, string folder)
    {
        var book = LedgerBook.Open(folder, (long)options.MebibytesPerSecond << 20);
        var (throughput, p99, seconds, rates, with) = (new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>());
        await using (var partition = LedgerBook.Start(book, options.WindowIds))
        {
            var load = new EngineLoad(partition, await EngineLoad.FillAsync(partition, options.Wallets), options.BlockPayments, options.Blocks);
            await load.RunAsync(() => book.Ledger.WindowIds < options.WindowIds - (options.WindowIds / 8));
            for (var run = 0; run < options.Runs; run++)
            {
                var taken = book.Snapshots.Taken;
                book.Snapshots.Request();
                var on = await MeasureAsync(load, _ => book.Snapshots.Taken == taken);
                var off = await MeasureAsync(load, elapsed => elapsed < on.Seconds);
                throughput.Add(on.Rate / off.Rate);
                p99.Add(on.P99 / off.P99);
                seconds.Add(on.Seconds);
                rates.Add(off.Rate);
                with.Add(on.Rate);
                await Console.Error.WriteLineAsync(
                    $"run {run + 1} of {options.Runs}: {on.Rate:N0}/s for {on.Seconds:0.0} s with, {off.Rate:N0}/s without; p99 {on.P99:0.0} and {off.P99:0.0} ms");
            }
        }
        return new BenchResult(
            "snapshot", "of the throughput without one", throughput, new Dictionary<string, double> { ["p99"] = BenchResult.Median(p99) },
            new Dictionary<string, object>
            {
                ["wallets"] = options.Wallets,
                ["windowIds"] = options.WindowIds,
                ["seconds"] = BenchResult.Median(seconds),
                ["transfersPerSecondWith"] = BenchResult.Median(with),
                ["transfersPerSecondWithout"] = BenchResult.Median(rates),
                ["p99Ratio"] = BenchResult.Median(p99),
                ["snapshotBytes"] = new DirectoryInfo(Path.Combine(folder, "snapshots", "p0000")).GetFiles("*.snapshot").Max(file => file.Length),
            });
    }

    private static async Task<(double Rate, double P99, double Seconds)> MeasureAsync(EngineLoad load, Func<double, bool> goesOn)
    {
        load.Reset();
        var watch = Stopwatch.StartNew();
        await load.RunAsync(() => goesOn(watch.Elapsed.TotalSeconds));
        var seconds = watch.Elapsed.TotalSeconds;
        return (load.Accepted / seconds, load.Percentile(0.99), seconds);
    }
}
