using System.Diagnostics;
using Bitcache.IntegrationTests.Postgres;

namespace Bitcache.Cluster.Tests;

/// <summary>Two silos as two processes on one real PostgreSQL, while clients go on: what is acknowledged is there once, and
/// every partition answers again soon.</summary>
[Trait("suite", "cluster"), Collection(PostgresFixture.Collection)]
public sealed class SiloProcessTests(PostgresFixture postgres)
{
    private const int Partitions = 64;
    private const int Clients = 16;
    private static readonly TimeSpan BackMax = TimeSpan.FromSeconds(5);
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BITCACHE_FULL") is null ? 2 : 20;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_silo_that_is_killed_is_replaced_within_five_seconds_and_nothing_is_lost()
    {
        var database = postgres.NewDatabase().ConnectionString;
        var silos = new[] { await SiloProcess.StartAsync(database, "one", Partitions, Cancel), await SiloProcess.StartAsync(database, "two", Partitions, Cancel) };
        await using var clients = await AddingClients.StartAsync(database, Partitions, Clients, Cancel);
        await clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), Cancel);
        var back = new List<TimeSpan>();
        var logs = new List<string>();
        for (var round = 0; round < Rounds; round++)
        {
            var at = round % silos.Length;
            var killed = Stopwatch.GetTimestamp();
            await silos[at].KillAsync();
            back.Add(await clients.UntilAllAnswerAsync(killed, Cancel));
            await silos[at].DisposeAsync();
            logs.Add($"round {round}: {await silos[at].Errors}");
            silos[at] = await SiloProcess.StartAsync(database, round % 2 == 0 ? "one" : "two", Partitions, Cancel);
            await clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), Cancel);
        }
        Report($"killed {Rounds} times, back after {string.Join(", ", back.Select(time => $"{time.TotalSeconds:0.00}"))} s; {clients.Acknowledged} acknowledged, {clients.Failures} tried again");
        await clients.CheckAsync(database);
        foreach (var silo in silos) await silo.DisposeAsync();
        if (back.Exists(time => time > BackMax)) logs.ForEach(Report);
        Assert.All(back, time => Assert.InRange(time, TimeSpan.Zero, BackMax));
    }

    [Fact]
    public async Task Silos_that_are_restarted_one_after_the_other_keep_answering()
    {
        var database = postgres.NewDatabase().ConnectionString;
        var silos = new[] { await SiloProcess.StartAsync(database, "one", Partitions, Cancel), await SiloProcess.StartAsync(database, "two", Partitions, Cancel) };
        await using var clients = await AddingClients.StartAsync(database, Partitions, Clients, Cancel);
        await clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), Cancel);
        var took = new List<TimeSpan>();
        for (var at = 0; at < silos.Length; at++)
        {
            var told = Stopwatch.GetTimestamp();
            Assert.Equal(0, await silos[at].EndAsync());
            took.Add(await clients.UntilAllAnswerAsync(told, Cancel));
            await silos[at].DisposeAsync();
            silos[at] = await SiloProcess.StartAsync(database, at == 0 ? "one" : "two", Partitions, Cancel);
            await clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), Cancel);
        }
        Report($"restarted, all answered after {string.Join(", ", took.Select(time => $"{time.TotalSeconds:0.00}"))} s; {clients.Acknowledged} acknowledged, {clients.Failures} tried again");
        await clients.CheckAsync(database);
        foreach (var silo in silos) await silo.DisposeAsync();
        Assert.All(took, time => Assert.InRange(time, TimeSpan.Zero, BackMax));
    }

    [Fact]
    public async Task A_silo_that_stood_still_and_was_replaced_writes_nothing_more_and_ends()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var first = await SiloProcess.StartAsync(database, "one", Partitions, Cancel);
        await using var second = await SiloProcess.StartAsync(database, "two", Partitions, Cancel);
        await using var clients = await AddingClients.StartAsync(database, Partitions, Clients, Cancel);
        await clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), Cancel);
        var paused = Stopwatch.GetTimestamp();
        await first.PauseAsync(Cancel);
        Report($"all answered {(await clients.UntilAllAnswerAsync(paused, Cancel)).TotalSeconds:0.00} s after the pause began");
        await first.GoOnAsync(Cancel);
        // The others have declared it dead: it finds that in the table, and must not go on.
        Assert.NotEqual(0, await first.WaitForEndAsync(Cancel).WaitAsync(TimeSpan.FromSeconds(30), Cancel));
        await clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), Cancel);
        Report($"{clients.Acknowledged} acknowledged, {clients.Failures} tried again");
        await clients.CheckAsync(database);
    }

    private static void Report(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);
}
