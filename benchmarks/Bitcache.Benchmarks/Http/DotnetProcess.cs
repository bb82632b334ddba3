using System.Net;
using Bitcache.Cli.Commands;
using Bitcache.Cli.Demo;

namespace Bitcache.Benchmarks.Http;

/// <summary>An HTTP server as a process of its own. All run under the runtime settings of the <c>bitcache</c>
/// command, whichever program of this folder they are.</summary>
internal sealed class DotnetProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private bool _killed;

    private DotnetProcess(ChildProcess process, Uri url) => (_process, Url) = (process, url);

    public Uri Url { get; }
    public EndPoint EndPoint => new IPEndPoint(IPAddress.Parse(Url.Host), Url.Port);

    /// <summary>What runs programs of this folder.</summary>
    public static string Program => Environment.ProcessPath is { } ours && Path.GetFileNameWithoutExtension(ours) == "dotnet" ? ours : "dotnet";

    /// <summary>The arguments by which it runs one.</summary>
    public static IReadOnlyList<string> Running(string assembly) => ["exec", "--runtimeconfig", InOurFolder("bitcache.runtimeconfig.json"), InOurFolder(assembly)];

    /// <summary>Starts a program that says where it listens.</summary>
    public static async Task<DotnetProcess> StartAsync(string assembly, string[] arguments, CancellationToken cancel)
    {
        var process = new ChildProcess(
            Program, [.. Running(assembly), .. arguments],
            line => line.StartsWith(ServeCommand.ListeningLine, StringComparison.Ordinal));
        try
        {
            var line = await process.StartAsync(cancel);
            return new DotnetProcess(process, new Uri(line[ServeCommand.ListeningLine.Length..]));
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>kill -9, once.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_killed) return;
        _killed = true;
        await _process.DisposeAsync();
    }

    private static string InOurFolder(string name) => Path.Combine(AppContext.BaseDirectory, name);
}
