// The server as users run it: a process of its own, which can be killed, traced, and started again on its folder.

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Bitcache.Cli.Demo;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Server.Keys;

namespace Bitcache.IntegrationTests.Crashes;

internal sealed class ServerProcess : IAsyncDisposable
{
    private const string ListeningLine = "listening on ";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-server-");
    private readonly Dictionary<string, string> _settings;
    private Process? _process;
    private Task<string> _errors = Task.FromResult("");
    private Task<string> _output = Task.FromResult("");

    /// <param name="dataFolder">Another server's data folder, to be refused; null for one of its own.</param>
    /// <param name="more">Settings beside those that every server here has.</param>
    public ServerProcess(RegtestNode node, string? dataFolder = null, IReadOnlyDictionary<string, string>? more = null)
    {
        Node = node;
        DataFolder = dataFolder ?? Path.Combine(_folder.FullName, "data");
        _settings = new Dictionary<string, string>(more ?? new Dictionary<string, string>())
        {
            ["dataFolder"] = DataFolder,
            ["network"] = "regtest",
            ["origin"] = more?.GetValueOrDefault("origin") ?? "process.test/log",
            ["nodeUrl"] = node.Endpoint.ToString(),
            ["nodeCookieFile"] = node.CookieFile,
            ["confirmationsToCredit"] = "0:1",
            ["finalityDepth"] = "2",
            ["pollInterval"] = "100ms",
            ["segmentMebibytes"] = "16",
            ["listen"] = "127.0.0.1:0",
        };
        SettingsFile = WriteSettings("settings", new Dictionary<string, string>());
        (UserKey, OperatorKey) = ("", "");
        if (dataFolder is not null) return;
        Directory.CreateDirectory(DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var keys = new ApiKeyStore(new LinuxFileSystem(), DataFolder, BitcoinNetwork.Regtest, TimeProvider.System);
        UserKey = keys.Create(new KeyTerms("user", NewTenant: true, Scopes.Read | Scopes.Pay | Scopes.Withdraw, "test")).Secret;
        OperatorKey = keys.Create(new KeyTerms("operator", NewTenant: false, Scopes.Admin | Scopes.Audit, "test")).Secret;
    }

    public RegtestNode Node { get; }
    public string DataFolder { get; }
    public string UserKey { get; }
    public string OperatorKey { get; }
    public Uri Url { get; private set; } = new("http://127.0.0.1");
    /// <summary>What the next start reads.</summary>
    public string SettingsFile { get; set; }
    public string TraceFile => Path.Combine(_folder.FullName, "trace");
    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Writes another settings file of this server, which says more.</summary>
    /// <returns>Its path.</returns>
    public string WriteSettings(string name, IReadOnlyDictionary<string, string> more)
    {
        var path = Path.Combine(_folder.FullName, name + ".json");
        File.WriteAllText(path, JsonSerializer.Serialize(new Dictionary<string, string>([.. _settings, .. more])));
        return path;
    }

    /// <summary>Starts the server and returns when it listens.</summary>
    public async Task StartAsync()
    {
        if (!await TryStartAsync()) Assert.Fail($"the server ended before it listened: {(await WaitForEndAsync()).Errors}");
    }

    /// <summary>Starts the server; false when it ended before it listened, as one whose first sync fails does.</summary>
    /// <param name="injection">What strace does to system calls, such as "fdatasync:error=EIO:when=3"; null for a plain start.</param>
    public async Task<bool> TryStartAsync(string? injection = null)
    {
        var start = new ProcessStartInfo("setpriv") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] trace = injection is null ? [] : ["strace", "-f", "-qq", "-o", TraceFile, "-e", "trace=fdatasync", "-e", "inject=" + injection];
        string[] serve = [Path.Combine(AppContext.BaseDirectory, "bitcache"), "serve", "--config", SettingsFile];
        foreach (var argument in (string[])["--pdeathsig", "KILL", "--", .. trace, .. serve]) start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        _errors = process.StandardError.ReadToEndAsync(Cancel);
        string? line;
        do
        {
            line = await process.StandardOutput.ReadLineAsync(Cancel);
        }
        while (line is not null && !line.StartsWith(ListeningLine, StringComparison.Ordinal));
        _output = process.StandardOutput.ReadToEndAsync(Cancel);
        _process = process;
        if (line is not null) Url = new Uri(line[ListeningLine.Length..]);
        return line is not null;
    }

    /// <summary>kill -9, as a power switch would end the process.</summary>
    public async Task KillAsync()
    {
        _process!.Kill(entireProcessTree: true);
        await EndAsync();
    }

    /// <summary>SIGTERM; the server finishes what it took.</summary>
    public async Task<int> TerminateAsync()
    {
        using (var kill = Process.Start("kill", ["-TERM", _process!.Id.ToString(CultureInfo.InvariantCulture)]))
            await kill.WaitForExitAsync(Cancel);
        return await EndAsync();
    }

    /// <summary>Waits for a server that ends by itself, and gives its exit code and its last words.</summary>
    public async Task<(int Code, string Errors)> WaitForEndAsync()
    {
        var errors = _errors;
        return (await EndAsync(), await errors);
    }

    private async Task<int> EndAsync()
    {
        await _process!.WaitForExitAsync(Cancel);
        await _output;
        var code = _process.ExitCode;
        _process.Dispose();
        _process = null;
        return code;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await KillAsync();
        _folder.Delete(recursive: true);
    }
}
