// `bitcache audit` as a process of its own, so that the memory that it needs is an auditor's.

using System.Diagnostics;
using System.Globalization;
using Bitcache.Benchmarks.Http;
using Bitcache.Cli.Demo;

namespace Bitcache.Benchmarks.Audit;

/// <param name="ProcessorSeconds">Of all its threads: what it costs, whoever else uses the machine.</param>
/// <param name="PeakBytes">The most memory that the process had (proc(5), VmHWM).</param>
internal sealed record AuditRun(double Seconds, double ProcessorSeconds, long PeakBytes);

/// <summary>What is audited, and what an audit keeps.</summary>
internal sealed record AuditedPaths(string Open, string Auditors, string State)
{
    private const string Kept = ".kept";

    private IEnumerable<string> StateFiles => Directory.EnumerateFiles(Path.GetDirectoryName(State)!, Path.GetFileName(State) + "*");

    public void Forget()
    {
        foreach (var path in StateFiles.Where(path => !path.EndsWith(Kept, StringComparison.Ordinal)).ToArray()) File.Delete(path);
    }

    /// <summary>Puts aside what the newest audit kept.</summary>
    public void Keep()
    {
        foreach (var path in StateFiles.ToArray()) File.Copy(path, path + Kept, overwrite: true);
    }

    /// <summary>Brings it back.</summary>
    public void Restore()
    {
        Forget();
        foreach (var path in StateFiles.ToArray()) File.Copy(path, path[..^Kept.Length]);
    }

    public long StateBytes() => StateFiles.Where(path => !path.EndsWith(Kept, StringComparison.Ordinal)).Sum(path => new FileInfo(path).Length);
}

internal static class AuditProcess
{
    private const string Report = "{\"holds\":";
    /// <summary>As ./bitcache has it for an audit.</summary>
    private const string Runtime = "DOTNET_TieredCompilation=0";

    public static async Task<AuditRun> RunAsync(AuditedPaths paths, bool withEntries, CancellationToken cancel)
    {
        string[] entries = withEntries ? ["--entries", paths.Auditors] : [];
        var watch = Stopwatch.StartNew();
        await using var process = new ChildProcess(
            "env", [Runtime, DotnetProcess.Program, .. DotnetProcess.Running("bitcache.dll"), "audit", paths.Open, .. entries, "--state", paths.State, "--json"],
            line => line.StartsWith(Report, StringComparison.Ordinal));
        using var ended = new CancellationTokenSource();
        var report = process.StartAsync(cancel);
        var use = FollowAsync(process, ended.Token);
        var line = await report;
        await process.WaitForExitAsync(cancel);
        var seconds = watch.Elapsed.TotalSeconds;
        await ended.CancelAsync();
        if (!line.StartsWith(Report + "true", StringComparison.Ordinal)) throw new BenchFailedException($"the audit of an honest ledger says {line}");
        var (processor, peak) = await use;
        return new AuditRun(seconds, processor, peak);
    }

    /// <summary>Both only rise: the newest look is what they came to, but for the last milliseconds.</summary>
    private static async Task<(double ProcessorSeconds, long PeakBytes)> FollowAsync(ChildProcess process, CancellationToken ended)
    {
        const double TicksPerSecond = 100;
        const int UserTime = 11;
        var (processor, peak) = (0.0, 0L);
        while (!ended.IsCancellationRequested)
        {
            try
            {
                var folder = $"/proc/{process.Id}";
                var line = (await File.ReadAllLinesAsync($"{folder}/status", CancellationToken.None)).FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
                if (line is not null) peak = long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1_024;
                // Behind the program's name, which is in brackets.
                var stat = await File.ReadAllTextAsync($"{folder}/stat", CancellationToken.None);
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                processor = (long.Parse(fields[UserTime], CultureInfo.InvariantCulture) + long.Parse(fields[UserTime + 1], CultureInfo.InvariantCulture)) / TicksPerSecond;
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                // Not started, or gone.
            }
            await Task.Delay(TimeSpan.FromMilliseconds(5), CancellationToken.None);
        }
        return (processor, peak);
    }
}
