using System.Diagnostics;
using Bitcache.IntegrationTests.Postgres;

namespace Bitcache.Cluster.Tests;

/// <summary>Two silos as two processes on one real PostgreSQL, while clients go on paying: what is acknowledged is there once, and
/// every partition answers again soon. Restarts are in <see cref="SiloApiTests"/>.</summary>
[Trait("suite", "cluster"), Collection(PostgresFixture.Collection)]
public sealed class SiloProcessTests(PostgresFixture postgres)
{
    private const int Partitions = 8;
    private static readonly TimeSpan BackMax = TimeSpan.FromSeconds(5);
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BITCACHE_FULL") is null ? 1 : 20;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_silo_that_is_killed_is_replaced_within_five_seconds_and_nothing_is_lost()
    {
        await using var silos = await StartAsync();
        var back = new List<TimeSpan>();
        var logs = new List<string>();
        for (var round = 0; round < Rounds; round++)
        {
            var at = round % silos.All.Length;
            var killed = Stopwatch.GetTimestamp();
            await silos.All[at].KillAsync();
            back.Add(await silos.Clients.UntilAllAnswerAsync(killed, Cancel));
            logs.Add($"round {round}: {await silos.All[at].Errors}");
            await silos.ReplaceAsync(at, Cancel);
        }
        Report($"killed {Rounds} times, back after {Seconds(back)} s", silos.Clients);
        await silos.CheckAsync(Cancel);
        if (back.Exists(time => time > BackMax)) logs.ForEach(TestContext.Current.TestOutputHelper!.WriteLine);
        Assert.All(back, time => Assert.InRange(time, TimeSpan.Zero, BackMax));
    }

    [Fact]
    public async Task A_silo_that_stood_still_and_was_replaced_writes_nothing_more_and_ends()
    {
        await using var silos = await StartAsync();
        await silos.All[0].PauseAsync(Cancel);
        // Before that it answered still.
        var paused = Stopwatch.GetTimestamp();
        Report($"all answered {(await silos.Clients.UntilAllAnswerAsync(paused, Cancel)).TotalSeconds:0.00} s after the pause began", silos.Clients);
        await silos.All[0].GoOnAsync(Cancel);
        // The others have declared it dead: it finds that in the table, and must not go on.
        Assert.NotEqual(0, await silos.All[0].WaitForEndAsync(Cancel).WaitAsync(TimeSpan.FromSeconds(30), Cancel));
        await silos.Clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), Cancel);
        await silos.CheckAsync(Cancel);
    }

    private Task<TwoSilos> StartAsync() => TwoSilos.StartAsync(postgres.NewDatabase().ConnectionString, Partitions, Cancel);

    private static string Seconds(IEnumerable<TimeSpan> times) => string.Join(", ", times.Select(time => $"{time.TotalSeconds:0.00}"));

    private static void Report(string line, PayingClients clients) =>
        TestContext.Current.TestOutputHelper?.WriteLine($"{line}; {clients.Acknowledged} acknowledged, {clients.Failures} tried again");
}
