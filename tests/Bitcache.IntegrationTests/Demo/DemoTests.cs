// The demo as a process, against a real node: what it reports at its end, and that it leaves nothing behind.

using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Demo;

[Trait("suite", "node")]
public sealed partial class DemoTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "bitcache");

    [Fact]
    public async Task Once_shows_everything_and_sums_it_up_in_its_last_line()
    {
        var kept = Directory.CreateTempSubdirectory("bitcache-kept-");
        using var demo = Start("--out", Path.Combine(kept.FullName, "demo"));
        var errors = demo.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await demo.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await demo.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(demo.ExitCode == 0, await errors);
        using var json = JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]);
        var report = json.RootElement;
        Assert.Equal(
            ["depositTxid", "creditedMsat", "transfers", "withdrawalTxid", "anchorTxid", "blockHash", "receiptsVerified", "balanceChunksVerified", "restartedEqual", "conserved", "seconds"],
            report.EnumerateObject().Select(m => m.Name));
        foreach (var hash in (string[])["depositTxid", "withdrawalTxid", "anchorTxid", "blockHash"]) Assert.Matches(Hash(), report.GetProperty(hash).GetString());
        Assert.Equal(50_000_000_000, report.GetProperty("creditedMsat").GetInt64());
        Assert.Equal(300, report.GetProperty("transfers").GetInt32());
        Assert.Equal(3, report.GetProperty("receiptsVerified").GetInt32());
        Assert.InRange(report.GetProperty("balanceChunksVerified").GetInt32(), 1, 100);
        Assert.True(report.GetProperty("restartedEqual").GetBoolean());
        Assert.True(report.GetProperty("conserved").GetBoolean());
        Assert.InRange(report.GetProperty("seconds").GetDouble(), 0.1, 600);
        Assert.Equal(0, Running(ScratchFolder().Match(output).Value));
        Assert.False(Directory.Exists(ScratchFolder().Match(output).Value));

        var export = new DemoExportChecks(Path.Combine(kept.FullName, "demo"));
        export.NobodysAffairsAreInWhatEverybodyGets();
        await export.EachProofIsVerifiedAsync();
        await export.TimestampsLeadToBlocksAsync(kept.FullName);
        await export.TheLogIsReadByAStrangerAsync(kept.FullName);
        await export.ANodeFindsTheReservesProofGoodAsync(regtest.Node.Rpc);
        kept.Delete(recursive: true);
    }

    [Fact]
    public async Task Killed_it_takes_node_and_server_along()
    {
        using var demo = Start();
        string? line;
        var folder = "";
        do
        {
            line = await demo.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            if (line is not null && ScratchFolder().Match(line) is { Success: true } found) folder = found.Value;
        }
        while (line is not null && !line.Contains("server http://", StringComparison.Ordinal));
        Assert.NotEmpty(folder);

        Assert.Equal(2, Running(folder));

        demo.Kill();
        await demo.WaitForExitAsync(TestContext.Current.CancellationToken);

        // The kernel has told them to die; the last of it may still be going on.
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        for (var looked = 0; Running(folder) > 0; looked++)
        {
            Assert.True(looked < 1_000, "node or server outlived the demo by ten seconds");
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
        Directory.Delete(folder, recursive: true);
    }

    private static Process Start(params string[] more) => Process.Start(new ProcessStartInfo(Program, ["demo", "--once", "--payments", "300", .. more])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    /// <summary>How many processes have the scratch folder in their command line.</summary>
    private static int Running(string folder) => Directory.EnumerateDirectories("/proc").Count(process =>
    {
        try
        {
            return int.TryParse(Path.GetFileName(process), out _)
                && File.ReadAllText(Path.Combine(process, "cmdline")).Contains(folder, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended while we looked.
            return false;
        }
    });

    [GeneratedRegex("^[0-9a-f]{64}$")]
    private static partial Regex Hash();

    [GeneratedRegex(@"/\S*bitcache-demo-\w+")]
    private static partial Regex ScratchFolder();
}
