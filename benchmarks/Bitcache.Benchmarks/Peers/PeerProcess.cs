// A database server for one benchmark: on a free port of loopback, with its data in a scratch folder, and gone with
// the benchmark however that ends.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bitcache.Cli.Demo;

namespace Bitcache.Benchmarks.Peers;

internal sealed class PeerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ChildProcess _process;

    private PeerProcess(ChildProcess process) => _process = process;

    /// <summary>Starts a server; it answers when this returns.</summary>
    /// <param name="ready">Part of the line with which it says so.</param>
    public static async Task<PeerProcess> StartAsync(string program, string[] arguments, string ready, CancellationToken cancel)
    {
        var process = new ChildProcess(program, arguments, line => line.Contains(ready, StringComparison.Ordinal));
        try
        {
            await process.StartAsync(cancel);
            return new PeerProcess(process);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>A port that nobody has.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>One of the files of benchmarks/peers.</summary>
    public static string FileText(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "peers", name));

    /// <summary>Runs a program that is over soon.</summary>
    /// <exception cref="BenchFailedException">It failed.</exception>
    public static async Task RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancel)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = await process.StandardError.ReadToEndAsync(cancel);
        await output;
        await process.WaitForExitAsync(cancel);
        if (process.ExitCode != 0) throw new BenchFailedException($"{program} failed: {errors.Trim()}");
    }

    /// <summary>SIGINT, at which both servers close their files and end; kill -9 if they do not.</summary>
    public async ValueTask DisposeAsync()
    {
        await using (_process)
        {
            using var patience = new CancellationTokenSource(Patience);
            var exit = _process.WaitForExitAsync(patience.Token);
            // Ctrl-C reaches it before we do.
            if (exit.IsCompleted) return;
            try
            {
                await RunAsync("kill", ["-INT", _process.Id.ToString(CultureInfo.InvariantCulture)], patience.Token);
                await exit;
            }
            catch (OperationCanceledException)
            {
                await Console.Error.WriteLineAsync($"bitcache: process {_process.Id} does not stop and is killed");
            }
        }
    }
}
