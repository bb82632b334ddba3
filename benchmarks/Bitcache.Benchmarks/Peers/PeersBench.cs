// The same payments on Bitcache over HTTP, on PostgreSQL and on Redis: the same number of wallets, all syncing before
// they answer, over TCP on loopback, on the same disk and the same cores, one after the other in every run.

using Bitcache.Benchmarks.Http;

namespace Bitcache.Benchmarks.Peers;

internal static class PeersBench
{
    private const int PostgresClients = 16;
    private const int PostgresBatchClients = 2;
    private const int PostgresBatch = 8_192;
    private const int RedisConnections = 50; // as many as redis-benchmark has
    private const int RedisPipeline = 50;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);

    public static async Task<BenchResult> RunAsync(HttpBenchOptions options, CancellationToken cancel)
    {
        using var scratch = new ScratchFolder(options.Folder);
        await using var postgres = await PostgresServer.StartAsync(scratch.Inside("postgresql"), options.Wallets, cancel);
        await using var redis = await RedisServer.StartAsync(scratch.Inside("redis"), options.Wallets, cancel);
        await using var bitcache = await OurServer.StartAsync(scratch.Inside("bitcache"), options.Wallets, options.Connections, cancel);
        Contender[] ours = [new OurSingles(bitcache, options.Connections), new OurBatches(bitcache, options.BatchConnections)];
        Contender[] postgresWays =
        [
            new PostgresSingles(postgres, options.Wallets, PostgresClients),
            new PostgresBatches(postgres, options.Wallets, PostgresBatchClients, PostgresBatch),
        ];
        var redisWay = new RedisTransfers(redis, options.Wallets, RedisConnections, RedisPipeline);
        Contender[] peers = [.. postgresWays, redisWay];
        Contender[] all = [.. ours, .. peers];

        foreach (var contender in all) await contender.RunAsync(WarmUp, cancel);
        await postgres.AnalyseAsync(cancel);
        for (var run = 1; run <= options.Runs; run++)
        {
            foreach (var contender in all) contender.Rates.Add(await contender.RunAsync(options.Duration, cancel));
            await Console.Error.WriteLineAsync(
                $"run {run} of {options.Runs}: {string.Join(", ", all.Select(c => $"{c.Name} {c.Rates[^1]:N0}/s"))}");
        }
        await postgres.CheckAsync(postgresWays.Sum(c => c.Acknowledged), cancel);
        redis.Check(redisWay.Acknowledged);
        await bitcache.CheckAsync(ours.Sum(c => c.Acknowledged), cancel);

        // The value is our quickest way; each of our ways is compared with every peer in the details.
        var best = ours.MaxBy(c => BenchResult.Median(c.Rates))!;
        var details = new Dictionary<string, object>
        {
            ["wallets"] = options.Wallets,
            ["value"] = best.Name,
        };
        foreach (var contender in all) details[contender.Name + "PerSecond"] = Math.Round(BenchResult.Median(contender.Rates));
        foreach (var way in ours) foreach (var peer in peers) details[$"{way.Name}/{peer.Name}"] = Math.Round(Ratio(way, peer), 2);
        return new BenchResult("peers", "payments/s", best.Rates, peers.ToDictionary(peer => peer.Name, peer => Ratio(best, peer)), details);
    }

    /// <summary>The median of the ratios of the runs.</summary>
    private static double Ratio(Contender ours, Contender peer) =>
        BenchResult.Median([.. ours.Rates.Zip(peer.Rates, (our, their) => our / their)]);
}
