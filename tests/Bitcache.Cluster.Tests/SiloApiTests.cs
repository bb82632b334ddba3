using System.Diagnostics;
using System.Globalization;
using Bitcache.Cli.Demo;

namespace Bitcache.Cluster.Tests;

/// <summary>Two silos as a user meets them: as processes with an API each, over a real PostgreSQL and a real bitcoind. Whoever pays asks
/// again under the same id, at either.</summary>
[Trait("suite", "cluster")]
public sealed class SiloApiTests
{
    private const int Partitions = 8;
    private static readonly TimeSpan BackMax = TimeSpan.FromSeconds(5);
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BITCACHE_FULL") is null ? 2 : 20;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Also the one that settles: the next one goes on with deposits.</summary>
    [Fact]
    public async Task Killed_or_restarted_under_load_nothing_acknowledged_is_lost_or_made_twice()
    {
        await using var cluster = await LocalCluster.StartAsync(typeof(SiloCommand).Assembly.Location, 2, Partitions, _ => { }, Cancel);
        using var payers = await HttpPayers.CreateAsync(cluster, Partitions);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var paying = payers.PayAsync(stop.Token);
        var (killed, restarted) = (new List<TimeSpan>(), new List<TimeSpan>());
        for (var round = 0; round < Rounds; round++)
        {
            var silo = cluster.Silos[round % 2];
            await payers.UntilAllAnsweredAsync(Stopwatch.GetTimestamp());
            var at = Stopwatch.GetTimestamp();
            await silo.KillAsync();
            killed.Add(await payers.UntilAllAnsweredAsync(at));
            await silo.StartAsync(Cancel);
        }
        await payers.FundAsync(await payers.CreateWalletAsync());
        var failures = payers.Failures;
        for (var at = 0; at < 2; at++)
        {
            await payers.UntilAllAnsweredAsync(Stopwatch.GetTimestamp());
            var told = Stopwatch.GetTimestamp();
            await cluster.Silos[at].EndAsync();
            restarted.Add(await payers.UntilAllAnsweredAsync(told));
            await cluster.Silos[at].StartAsync(Cancel);
        }
        await payers.UntilAllAnsweredAsync(Stopwatch.GetTimestamp());
        failures = payers.Failures - failures;
        await stop.CancelAsync();
        await paying;
        await payers.FundAsync(await payers.CreateWalletAsync());

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"back after kill -9 in {Seconds(killed)} s, after a graceful end in {Seconds(restarted)} s; {payers.Acknowledged} payments acknowledged; {payers.Failures} requests had to be sent again, {failures} of them while silos were restarted");
        await payers.CheckAsync();
        Assert.All(killed.Concat(restarted), time => Assert.InRange(time, TimeSpan.Zero, BackMax));
    }

    private static string Seconds(IEnumerable<TimeSpan> times) => string.Join(", ", times.Select(time => time.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture)));
}
