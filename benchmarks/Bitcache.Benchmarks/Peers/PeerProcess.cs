// A database server for one benchmark: on a free port of loopback, with its data in a scratch folder, and gone with
// the benchmark however that ends.

using Bitcache.Cli.Demo;

namespace Bitcache.Benchmarks.Peers;

internal sealed class PeerProcess : IAsyncDisposable
{
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

    /// <summary>One of the files of benchmarks/peers.</summary>
    public static string FileText(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "peers", name));

    public async ValueTask DisposeAsync()
    {
        await using (_process) await _process.EndAsync();
    }
}
