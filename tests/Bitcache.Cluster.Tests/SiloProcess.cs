using System.Diagnostics;
using System.Globalization;
using Bitcache.Cli.Demo;

namespace Bitcache.Cluster.Tests;

/// <summary>A silo as a process of its own; it ends with its input, and so with this process.</summary>
internal sealed class SiloProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    private SiloProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>What it logged. Ends with the process.</summary>
    public Task<string> Errors => _errors;

    /// <summary>Starts it; it is a member of the cluster when this returns.</summary>
    public static async Task<SiloProcess> StartAsync(string database, string name, int partitions, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        // The tests run as `dotnet X.dll` or as the program itself.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(SiloProcess).Assembly.Location);
        foreach (var argument in (string[])["silo", database, name, Port(), Port(), partitions.ToString(CultureInfo.InvariantCulture)]) start.ArgumentList.Add(argument);
        var silo = new SiloProcess(Process.Start(start)!);
        while (await silo._process.StandardOutput.ReadLineAsync(cancel) is { } line)
        {
            if (line == TestSilo.Ready) return silo;
        }
        throw new InvalidOperationException($"The silo {name} did not start: {await silo.Errors}");
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Stands still until <see cref="GoOnAsync"/>, as in a pause of its machine.</summary>
    public Task PauseAsync(CancellationToken cancel) => SignalAsync("-STOP", cancel);

    public Task GoOnAsync(CancellationToken cancel) => SignalAsync("-CONT", cancel);

    /// <summary>Waits for it to end by itself.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> WaitForEndAsync(CancellationToken cancel)
    {
        await _process.WaitForExitAsync(cancel);
        return _process.ExitCode;
    }

    /// <summary>Ends gracefully.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> EndAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        await _errors;
        _process.Dispose();
    }

    private Task<string> SignalAsync(string signal, CancellationToken cancel) =>
        ChildProcess.RunAsync("kill", [signal, _process.Id.ToString(CultureInfo.InvariantCulture)], cancel);

    private static string Port() => RegtestNode.FreePort().ToString(CultureInfo.InvariantCulture);
}
