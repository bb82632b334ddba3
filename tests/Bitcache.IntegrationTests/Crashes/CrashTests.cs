using System.Net;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Crashes;

/// <summary>F6: the running server under failed syncs, with clients that remember what they were told.</summary>
[Trait("suite", "faults")]
public sealed class CrashTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    /// <summary>Killed by SIGABRT, which is how Environment.FailFast ends a process.</summary>
    private const int AbortedExitCode = 134;

    private static readonly Sats Funds = new(50_000_000);

    [Fact]
    public async Task A_failed_sync_stops_the_server_and_no_acknowledged_payment_is_lost()
    {
        await using var server = new ServerProcess(regtest.Node);
        using var clients = new PayingClients(server);
        await server.StartAsync();
        await clients.PrepareAsync(server, Funds);
        Assert.Equal(0, await server.TerminateAsync());

        foreach (var sync in (int[])[2, 3, 10, 50, 200])
        {
            if (await server.TryStartAsync($"fdatasync:error=EIO:when={sync}")) await clients.PayUntilItEndsAsync(server, clients: 8);
            var (code, errors) = await server.WaitForEndAsync();
            Assert.Equal(AbortedExitCode, code);
            Assert.Contains("journal", errors, StringComparison.Ordinal);
            AssertNoRetry(server.TraceFile);

            await server.StartAsync();
            await clients.CheckAsync(server);
            await server.TerminateAsync();
        }
        Assert.True(clients.Acknowledged > 100, $"only {clients.Acknowledged} payments were acknowledged");
    }

    [Fact]
    public async Task The_same_id_while_the_first_waits_for_the_disk_is_in_flight()
    {
        await using var server = new ServerProcess(regtest.Node);
        using var clients = new PayingClients(server);
        await server.StartAsync();
        await clients.PrepareAsync(server, Funds);
        await server.TerminateAsync();

        // From the first payment on every sync of the journal takes two seconds.
        Assert.True(await server.TryStartAsync("fdatasync:delay_enter=2s:when=3+"));
        var id = PayingClients.NewId();
        var answers = await Task.WhenAll(clients.SendAsync(server, id, 1_000), clients.SendAsync(server, id, 1_000));
        Assert.Single(answers, a => a.StatusCode == HttpStatusCode.Created);
        var second = Assert.Single(answers, a => a.StatusCode == HttpStatusCode.Conflict);
        using var problem = JsonDocument.Parse(await second.Content.ReadAsStringAsync(ServerProcess.Cancel));
        Assert.Equal("id_in_flight", problem.RootElement.GetProperty("code").GetString());
        Assert.NotNull(second.Headers.RetryAfter);
        using var again = await clients.SendAsync(server, id, 1_000);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        foreach (var answer in answers) answer.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_journal_that_ends_before_what_was_signed_is_refused_and_left_alone(bool gone)
    {
        await using var server = new ServerProcess(regtest.Node);
        using var clients = new PayingClients(server);
        await server.StartAsync();
        await clients.PrepareAsync(server, Funds);
        for (var i = 0; i < 50; i++) (await clients.SendAsync(server, PayingClients.NewId(), 1)).Dispose();
        Assert.Equal(0, await server.TerminateAsync());

        var journal = Path.Combine(server.DataFolder, "journal", "p0000");
        var segment = Assert.Single(Directory.GetFiles(journal, "*.segment"));
        if (gone) Directory.Move(journal, journal + ".away");
        else Cut(segment, 5_000);
        var left = gone ? [] : await File.ReadAllBytesAsync(segment, ServerProcess.Cancel);
        Assert.False(await server.TryStartAsync());
        var (code, errors) = await server.WaitForEndAsync();
        Assert.Equal(1, code);
        Assert.Contains("were signed for with the key", errors, StringComparison.Ordinal);
        if (!gone) Assert.Equal(left, await File.ReadAllBytesAsync(segment, ServerProcess.Cancel));
    }

    private static void Cut(string file, long length)
    {
        using var stream = File.OpenWrite(file);
        stream.SetLength(length);
    }

    [Fact]
    public async Task A_second_server_on_the_same_folder_is_refused()
    {
        await using var server = new ServerProcess(regtest.Node);
        await server.StartAsync();
        await using var second = new ServerProcess(regtest.Node, server.DataFolder);
        Assert.False(await second.TryStartAsync());
        var (code, errors) = await second.WaitForEndAsync();
        Assert.Equal(1, code);
        Assert.Contains("in use by another Bitcache process", errors, StringComparison.Ordinal);
    }

    /// <summary>The thread whose sync failed never calls it again.</summary>
    private static void AssertNoRetry(string traceFile)
    {
        var lines = File.ReadAllLines(traceFile);
        var failed = Array.FindIndex(lines, l => l.Contains("EIO", StringComparison.Ordinal));
        Assert.True(failed >= 0, "no sync was made to fail");
        var thread = lines[failed].Split(' ')[0];
        Assert.DoesNotContain(lines[(failed + 1)..], l => l.StartsWith(thread + " ", StringComparison.Ordinal) && l.Contains("fdatasync(", StringComparison.Ordinal));
    }
}
