// Payments a second over HTTP, each answered after its sync, beside what the same process setup does without a
// ledger; how long they take at half that rate; and how long one alone takes, beside the bare sync. The generator
// shares the machine with the server.

using System.Net;
using Bitcache.Benchmarks.Load;

namespace Bitcache.Benchmarks.Http;

/// <param name="BatchConnections">Connections in the mode batch, each with one request under way.</param>
internal sealed record HttpBenchOptions(int Wallets, int Connections, int BatchConnections, TimeSpan Duration, int Runs, string Folder);

internal static class HttpBench
{
    public const string Single = "single";
    public const string Batch = "batch";
    public const int PaymentsPerBatch = Bitcache.Core.Limits.BlockPaymentsMax;
    /// <summary>What one payment alone adds to the journal: the head of a frame, an entry of 143 bytes, padding.</summary>
    private const int FrameBytes = 224;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);

    public static async Task<BenchResult> RunBatchAsync(HttpBenchOptions options, CancellationToken cancel)
    {
        using var scratch = new ScratchFolder(options.Folder);
        await using var server = await OurServer.StartAsync(scratch.Inside("data"), options.Wallets, options.BatchConnections, cancel);
        var acknowledged = 0L;
        await PayAsync(WarmUp);
        var results = new List<LoadResult>();
        for (var run = 1; run <= options.Runs; run++)
        {
            results.Add(await PayAsync(options.Duration));
            await Console.Error.WriteLineAsync($"run {run} of {options.Runs}: {results[^1].Rate:N0} payments/s");
        }
        var half = BenchResult.Median([.. results.Select(r => r.Rate)]) / 2;
        var atHalf = new List<LoadResult>();
        for (var run = 0; run < options.Runs; run++) atHalf.Add(await PayAsync(options.Duration, half / PaymentsPerBatch));
        await server.CheckAsync(acknowledged, cancel);
        return new BenchResult(
            "http", "payments/s", [.. results.Select(r => r.Rate)], new Dictionary<string, double>(),
            new Dictionary<string, object>
            {
                ["mode"] = Batch,
                ["connections"] = options.BatchConnections,
                ["paymentsPerRequest"] = PaymentsPerBatch,
                ["wallets"] = options.Wallets,
                ["p50Ms"] = MedianOf(results, 0.5),
                ["p99Ms"] = MedianOf(results, 0.99),
                ["p50MsAtHalfLoad"] = MedianOf(atHalf, 0.5),
                ["p99MsAtHalfLoad"] = MedianOf(atHalf, 0.99),
                ["p99MsAtHalfLoadRuns"] = QuantilesOf(atHalf, 0.99),
                ["acknowledgedAndInTheJournal"] = acknowledged,
            });

        async Task<LoadResult> PayAsync(TimeSpan duration, double? pace = null)
        {
            using var load = new LoadGenerator(server.EndPoint, options.BatchConnections, server.Batches(PaymentsPerBatch));
            var result = await load.RunAsync(duration, pace, cancel);
            acknowledged += result.Payments;
            return result;
        }
    }

    public static async Task<BenchResult> RunSingleAsync(HttpBenchOptions options, CancellationToken cancel)
    {
        using var scratch = new ScratchFolder(options.Folder);
        await using var server = await OurServer.StartAsync(scratch.Inside("data"), options.Wallets, options.Connections, cancel);
        await using var empty = await DotnetProcess.StartAsync("Bitcache.Benchmarks.dll", [EmptyEndpoint.CommandName], cancel);
        var acknowledged = 0L;

        await OursAsync(options.Connections, WarmUp);
        await EmptyAsync(WarmUp);
        var (rates, emptyRates) = (new List<double>(), new List<double>());
        for (var run = 1; run <= options.Runs; run++)
        {
            rates.Add((await OursAsync(options.Connections, options.Duration)).Rate);
            emptyRates.Add((await EmptyAsync(options.Duration)).Rate);
            await Console.Error.WriteLineAsync(
                $"run {run} of {options.Runs}: {rates[^1]:N0} payments/s, empty endpoint {emptyRates[^1]:N0}/s, ratio {rates[^1] / emptyRates[^1]:0.00}");
        }
        var atHalf = new List<LoadResult>();
        for (var run = 0; run < options.Runs; run++) atHalf.Add(await OursAsync(options.Connections, options.Duration, BenchResult.Median(rates) / 2));
        var (alone, bare) = (new List<double>(), new List<double>());
        for (var run = 0; run < options.Runs; run++)
        {
            bare.Add(BareSync.Measure(scratch.Path, FrameBytes).Quantile(0.5));
            alone.Add((await OursAsync(1, options.Duration / 4)).Latencies.Quantile(0.5));
        }
        await server.CheckAsync(acknowledged, cancel);

        return new BenchResult(
            "http", "payments/s", rates,
            new Dictionary<string, double> { ["floor"] = BenchResult.Median([.. rates.Zip(emptyRates, (ours, floor) => ours / floor)]) },
            new Dictionary<string, object>
            {
                ["mode"] = Single,
                ["connections"] = options.Connections,
                ["wallets"] = options.Wallets,
                ["emptyEndpointPerSecond"] = Math.Round(BenchResult.Median(emptyRates)),
                ["p50MsAtHalfLoad"] = MedianOf(atHalf, 0.5),
                ["p99MsAtHalfLoad"] = MedianOf(atHalf, 0.99),
                ["p99MsAtHalfLoadRuns"] = QuantilesOf(atHalf, 0.99),
                ["p50MsAtOneConnection"] = BenchResult.Median(alone),
                ["p50MsBareSync"] = BenchResult.Median(bare),
                ["acknowledgedAndInTheJournal"] = acknowledged,
            });

        async Task<LoadResult> OursAsync(int connections, TimeSpan duration, double? pace = null)
        {
            using var load = new LoadGenerator(server.EndPoint, connections, server.SinglePayments());
            var result = await load.RunAsync(duration, pace, cancel);
            acknowledged += result.Payments;
            return result;
        }

        async Task<LoadResult> EmptyAsync(TimeSpan duration)
        {
            using var load = new LoadGenerator(
                empty.EndPoint, options.Connections, server.SinglePayments(empty.Url, (int)HttpStatusCode.OK));
            return await load.RunAsync(duration, null, cancel);
        }
    }

    private static double MedianOf(IEnumerable<LoadResult> runs, double quantile) => BenchResult.Median(QuantilesOf(runs, quantile));

    private static double[] QuantilesOf(IEnumerable<LoadResult> runs, double quantile) => [.. runs.Select(run => run.Latencies.Quantile(quantile))];
}
