// What an engine publishes, exported into folders and audited by the auditor's own program, as a process of its own.

using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Bitcache.Core.Audit;
using Bitcache.Engine.Export;
using Bitcache.Engine.Files;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Settlement;

namespace Bitcache.IntegrationTests.Audit;

internal sealed class EngineExport(EngineHarness harness) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-audit-");

    public string Open => Path.Combine(_folder.FullName, "export");
    public string Auditors => Path.Combine(_folder.FullName, "auditor");

    /// <summary>Brings both folders up to what is published now.</summary>
    public async Task RunAsync()
    {
        var files = new LinuxFileSystem();
        using var everybodys = new ExportFolder(files, Open, isPublic: true);
        using var auditors = new ExportFolder(files, Auditors, isPublic: false);
        await new LogExport(GetAsync, everybodys, auditors).RunAsync(EngineHarness.Cancel, new EpochExport(FindAsync, everybodys, auditors).RunAsync);
    }

    /// <summary>Audits the folders against the node.</summary>
    /// <param name="remembers">Whether the state of the last audit is looked at, and that of this one kept.</param>
    public async Task<AuditAnswer> AuditAsync(bool remembers = true, bool entries = true)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "bitcache")) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] state = remembers ? ["--state", Path.Combine(_folder.FullName, "audit.state")] : [];
        string[] folder = entries ? ["--entries", Auditors] : [];
        foreach (var argument in (string[])["audit", Open, "--json", "--node", harness.Node.Endpoint.ToString(), "--cookie", harness.Node.CookieFile, .. state, .. folder])
            start.ArgumentList.Add(argument);
        using var audit = Process.Start(start)!;
        var error = audit.StandardError.ReadToEndAsync(EngineHarness.Cancel);
        var output = await audit.StandardOutput.ReadToEndAsync(EngineHarness.Cancel);
        await audit.WaitForExitAsync(EngineHarness.Cancel);
        Assert.True(output.Length > 0, await error);
        using var json = JsonDocument.Parse(output);
        var answer = new AuditAnswer(
            json.RootElement.GetProperty("holds").GetBoolean(),
            json.RootElement.GetProperty("finding") is { ValueKind: JsonValueKind.Object } finding ? finding.GetProperty("code").GetString() : null, output);
        Assert.Equal(answer.Holds ? 0 : 1, audit.ExitCode);
        return answer;
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<byte[]> GetAsync(string path, CancellationToken cancel) => path switch
    {
        LogExport.CheckpointFile => Encoding.UTF8.GetBytes(harness.Engine.Checkpoint),
        LogExport.PinsFile => Encoding.UTF8.GetBytes((await harness.Engine.PinsAsync()).Write()),
        LogExport.RotationsFile => Encoding.UTF8.GetBytes(harness.Engine.KeyRotations),
        _ when LogTile.TryParse(path, out var tile) => harness.Engine.FindTile(tile) ?? throw new FileNotFoundException(path),
        _ => throw new FileNotFoundException(path),
    };

    private async Task<Stream?> FindAsync(string path, CancellationToken cancel)
    {
        if (path.Split('/') is not ["epochs", .. var rest]) throw new FileNotFoundException(path);
        if (rest is [EpochPublication.IndexName]) return new MemoryStream(await harness.Engine.EpochIndexAsync());
        var file = await harness.Engine.FindEpochFileAsync(long.Parse(rest[0], System.Globalization.CultureInfo.InvariantCulture), rest[1]);
        return file switch
        {
            { Bytes: { } bytes } => new MemoryStream(bytes),
            { Path: { } name } => File.OpenRead(name),
            _ => null,
        };
    }
}

/// <param name="Code">Of what was found; null if it holds.</param>
/// <param name="Text">Everything that was said.</param>
internal sealed record AuditAnswer(bool Holds, string? Code, string Text);
