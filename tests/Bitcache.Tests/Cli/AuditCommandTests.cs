using System.Text.Json;
using Bitcache.Cli;
using Bitcache.Tests.Audit.Auditor;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class AuditCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bitcache-audit-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private string Export => Path.Combine(_folder, "export");
    private string Auditors => Path.Combine(_folder, "auditor");
    private string State => Path.Combine(_folder, "audit.state");
    private string Replay => State + ".replay";

    [Fact]
    public async Task An_export_is_audited_and_its_state_is_the_ground_of_the_next_audit()
    {
        Write(SampleOperator.Run(epochs: 2));
        var first = await CommandLineRun.OfAsync("audit", Export, "--pins", Pins(), "--state", State);
        Assert.Equal((ExitCode.Done, ""), (first.ExitCode, first.Error));
        Assert.Contains("all that was given holds", first.Output, StringComparison.Ordinal);

        Write(SampleOperator.Run());
        var second = await CommandLineRun.OfAsync("audit", Export, "--pins", Pins(), "--state", State);
        Assert.Equal(ExitCode.Done, second.ExitCode);
        Assert.Contains("the log only grew since the last audit", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("epoch 2: ", second.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_does_not_hold_is_named_with_its_evidence_and_the_state_stays()
    {
        Write(SampleOperator.Run());
        await CommandLineRun.OfAsync("audit", Export, "--state", State);
        var before = await File.ReadAllBytesAsync(State, Cancel);
        Write(SampleOperator.Run(epochs: 2));
        var run = await CommandLineRun.OfAsync("audit", Export, "--state", State, "--json");
        Assert.Equal(ExitCode.Failed, run.ExitCode);
        using var json = JsonDocument.Parse(run.Output);
        Assert.False(json.RootElement.GetProperty("holds").GetBoolean());
        var finding = json.RootElement.GetProperty("finding");
        Assert.Equal("log-shrunk", finding.GetProperty("code").GetString());
        Assert.Equal(2, finding.GetProperty("evidence").GetArrayLength());
        Assert.Equal(before, await File.ReadAllBytesAsync(State, Cancel));
    }

    [Fact]
    public async Task The_replay_of_the_entries_is_kept_beside_the_state_and_gone_on_with()
    {
        string[] audit = ["audit", Export, "--entries", Auditors, "--state", State];
        Write(SampleOperator.Run(epochs: 2));
        Assert.Equal(ExitCode.Done, (await CommandLineRun.OfAsync(audit)).ExitCode);
        var kept = await File.ReadAllBytesAsync(Replay, Cancel);

        Write(SampleOperator.Run());
        var second = await CommandLineRun.OfAsync(audit);
        Assert.Equal((ExitCode.Done, ""), (second.ExitCode, second.Error));
        Assert.Contains("the replay goes on behind", second.Output, StringComparison.Ordinal);
        var next = await File.ReadAllBytesAsync(Replay, Cancel);
        Assert.NotEqual(kept, next);

        // One that the state does not name is not believed.
        await File.WriteAllBytesAsync(Replay, kept, Cancel);
        var third = await CommandLineRun.OfAsync(audit);
        Assert.Contains("every entry is replayed from the first one on", third.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, third.ExitCode);
        Assert.Equal(next, await File.ReadAllBytesAsync(Replay, Cancel));
    }

    [Fact]
    public async Task Receipts_in_a_folder_are_held_against_the_log()
    {
        var by = SampleOperator.Run();
        Write(by);
        var receipts = Directory.CreateDirectory(Path.Combine(_folder, "receipts")).FullName;
        var receipt = SampleExport.Receipt(by, 30, 200, by.Epochs[0]);
        var leaf = Path.Combine(receipts, receipt.Name);
        await File.WriteAllBytesAsync(leaf, receipt.Files.Leaf.ToArray(), Cancel);
        await File.WriteAllBytesAsync(leaf + ".tlog-proof", receipt.Files.Proof.ToArray(), Cancel);
        await File.WriteAllBytesAsync(leaf + ".ots", receipt.Files.Timestamp!.Value.ToArray(), Cancel);
        var good = await CommandLineRun.OfAsync("audit", Export, "--receipts", receipts);
        Assert.Contains("1 receipts that are held are in the log", good.Output, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(leaf, [.. receipt.Files.Leaf.ToArray(), 1], Cancel);
        var bad = await CommandLineRun.OfAsync("audit", Export, "--receipts", receipts);
        Assert.Contains("[receipt-false]", bad.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_no_audit()
    {
        var run = await CommandLineRun.OfAsync("audit", Path.Combine(_folder, "nothing"));
        Assert.Equal(ExitCode.Failed, run.ExitCode);
        Assert.Contains("there is no folder", run.Error, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Pins()
    {
        var path = Path.Combine(_folder, "my-pins.json");
        if (!File.Exists(path)) File.Copy(Path.Combine(Export, "pins.json"), path);
        return path;
    }

    private void Write(SampleOperator by)
    {
        var export = SampleExport.Of(by);
        export.Open.WriteTo(Export);
        export.Auditors.WriteTo(Auditors);
    }
}
