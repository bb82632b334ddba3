using Bitcache.Core.Audit;
using Bitcache.Engine.Export;
using Bitcache.Tests.Audit.Auditor;

namespace Bitcache.Tests.Export;

/// <summary>Epochs as files, from a server on which anchors come while they are fetched.</summary>
[Trait("suite", "core")]
public sealed class EpochExportTests
{
    private const string Folder = "/www/log";

    [Fact]
    public async Task An_anchor_that_comes_between_any_two_files_leaves_an_export_that_holds()
    {
        var by = SampleOperator.Run();
        var (before, after, again) = (SampleExport.Of(by), SampleExport.Of(by), 0);
        before.HideAnchor(3);
        ChangingFolder server;
        var files = 0;
        do
        {
            server = new ChangingFolder(before.Open, after.Open, ++files);
            var disk = NewDisk();
            var report = await ExportAsync(disk, server);
            if (report.Files > 30) again++;
            var exported = after.Open.Copy();
            foreach (var path in exported.Files.Keys.Where(path => path.StartsWith("epochs/", StringComparison.Ordinal)).ToArray()) exported.Files.Remove(path);
            foreach (var (path, _) in disk.Image().Where(f => f.Value is not null && f.Key.StartsWith(Folder + "/epochs/", StringComparison.Ordinal))) exported[path[(Folder.Length + 1)..]] = disk[path];
            var audit = LedgerAuditor.Run(new AuditInputs(exported) { Pins = SampleOperator.Pins(by.Epochs[0].Anchor!.Txid), Chain = new SampleChainView(by.Chain) });
            Assert.True(audit.Holds, $"after {files} files: {audit.Finding?.Text}");
        }
        while (server.HasChanged);
        Assert.True(again > 2, $"{again} exports met the change");
    }

    [Fact]
    public async Task A_server_whose_timestamps_lead_to_no_anchor_is_refused()
    {
        var server = SampleExport.Of(SampleOperator.Run()).Open;
        foreach (var name in new[] { AuditPaths.Anchor, AuditPaths.Record, AuditPaths.Header }) server.Files.Remove(AuditPaths.Of(3, name));
        var refusal = await Assert.ThrowsAsync<ExportContradictionException>(() => ExportAsync(NewDisk(), server));
        Assert.Contains("do not fit together", refusal.Message, StringComparison.Ordinal);
    }

    private static SimDisk NewDisk()
    {
        var disk = new SimDisk(1);
        disk.MakeDurableFolder("/www");
        return disk;
    }

    private static async Task<EpochExportReport> ExportAsync(SimDisk disk, IAuditFolder server)
    {
        using var open = new ExportFolder(disk, Folder, isPublic: true);
        return await new EpochExport((path, _) => Task.FromResult(server.Read(path, int.MaxValue) is { } bytes ? new MemoryStream(bytes) : (Stream?)null), open, null)
            .RunAsync(TestContext.Current.CancellationToken);
    }
}
