// How many payments one partition makes durable in a second with its journal in PostgreSQL, beside a double-entry function
// on the same server, in turn. Payments arrive as the records of a batch request, in blocks, through the queue that HTTP
// uses. At the end the whole journal is read back, verified and replayed, and must give the state that was in memory.

using System.Diagnostics;
using Bitcache.Benchmarks.Peers;
using Bitcache.Core;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks;

internal sealed record PostgresBenchOptions(int Wallets, int BlockPayments, int Blocks, TimeSpan Duration, int Runs, string Folder);

internal static class PostgresBench
{
    private const int DoubleEntryClients = 16;
    private const string Database = "ledger";
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);

    public static async Task<BenchResult> RunAsync(PostgresBenchOptions options, CancellationToken cancel)
    {
        using var scratch = new ScratchFolder(options.Folder);
        await using var server = await PostgresServer.StartAsync(scratch.Inside("postgresql"), options.Wallets, cancel);
        await server.CreateDatabaseAsync(Database, cancel);
        using var database = JournalDatabase.Open(new PostgresSettings { ConnectionString = server.ConnectionString(Database), Origin = "bench.example/log", Network = 3 });
        var doubleEntry = new PostgresSingles(server, options.Wallets, DoubleEntryClients);
        var journal = PostgresJournal.Open(database, 0, _ => { }, NullLogger.Instance);
        var counted = new CountingJournal(journal);
        var (rates, ratios, p99) = (new List<double>(), new List<double>(), new List<double>());
        Hash256 state;
        var partition = new OwnedPartition(new Ledger(0, (ulong)Random.Shared.NextInt64()), counted, new BatchClock(TimeProvider.System, null), NullLogger.Instance, Fail);
        partition.Start();
        journal.Upkeep.Start(e => Fail("upkeep failed", e));
        await using (partition)
        {
            var load = new EngineLoad(partition, await EngineLoad.FillAsync(partition, options.Wallets), options.BlockPayments, options.Blocks);
            await MeasureAsync(load, WarmUp, cancel);
            await doubleEntry.RunAsync(WarmUp, cancel);
            await server.AnalyseAsync(cancel);
            counted.Reset();
            for (var run = 1; run <= options.Runs; run++)
            {
                rates.Add(await MeasureAsync(load, options.Duration, cancel));
                p99.Add(load.Percentile(0.99));
                doubleEntry.Rates.Add(await doubleEntry.RunAsync(options.Duration, cancel));
                ratios.Add(rates[^1] / doubleEntry.Rates[^1]);
                await Console.Error.WriteLineAsync($"run {run} of {options.Runs}: {rates[^1]:N0}/s, p99 {p99[^1]:0.0} ms, double entry {doubleEntry.Rates[^1]:N0}/s");
            }
            state = await partition.QueryAsync(ledger => ledger.StateHash());
        }
        await server.CheckAsync(doubleEntry.Acknowledged, cancel);
        var recoveries = new List<double>();
        for (var run = 1; run <= options.Runs; run++)
        {
            recoveries.Add(Replay(database, state));
            await Console.Error.WriteLineAsync($"run {run} of {options.Runs}: {recoveries[^1]:N0} entries/s read back, verified and replayed");
        }
        return new BenchResult(
            "postgres", "durable transfers/s", rates, new Dictionary<string, double> { ["postgres"] = BenchResult.Median(ratios) },
            new Dictionary<string, object>
            {
                ["wallets"] = options.Wallets,
                ["inFlight"] = options.BlockPayments * options.Blocks,
                ["doubleEntryPerSecond"] = Math.Round(BenchResult.Median(doubleEntry.Rates)),
                ["p99Milliseconds"] = BenchResult.Median(p99),
                ["appendP50Milliseconds"] = counted.Appends.Quantile(0.50),
                ["appendP99Milliseconds"] = counted.Appends.Quantile(0.99),
                ["entriesPerBatch"] = counted.Entries / counted.Batches,
                ["bytesPerEntry"] = counted.Bytes / counted.Entries,
                ["recoveredEntriesPerSecond"] = Math.Round(BenchResult.Median(recoveries)),
                ["recoveredEqual"] = true,
            });
    }

    private static async Task<double> MeasureAsync(EngineLoad load, TimeSpan duration, CancellationToken cancel)
    {
        load.Reset();
        var watch = Stopwatch.StartNew();
        await load.RunAsync(() => watch.Elapsed < duration && !cancel.IsCancellationRequested);
        cancel.ThrowIfCancellationRequested();
        return load.Accepted / watch.Elapsed.TotalSeconds;
    }

    /// <summary>Takes the journal over as a new owner does. Returns entries a second.</summary>
    private static double Replay(JournalDatabase database, Hash256 state)
    {
        var ledger = new Ledger(0);
        var watch = Stopwatch.StartNew();
        using var replay = new ReplayPipeline(ledger);
        using var journal = PostgresJournal.Open(database, 0, replay.Add, NullLogger.Instance, _ => replay.Finish());
        var rate = ledger.NextSequence / watch.Elapsed.TotalSeconds;
        return ledger.StateHash() == state ? rate : throw new BenchFailedException("the journal does not replay to the state that was in memory");
    }

    private static void Fail(string why, Exception cause) => Environment.FailFast(why, cause);
}
