// Where the demo plays: a scratch folder, a node on regtest, and the server as a child process of this program.

using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Bitcache.Cli.Client;
using Bitcache.Cli.Commands;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Server.Keys;

namespace Bitcache.Cli.Demo;

internal sealed class DemoStage : IAsyncDisposable
{
    /// <summary>Regtest blocks come when asked for: two make a transaction final here.</summary>
    public const int FinalityDepth = 2;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _settings;
    private ChildProcess? _server;
    private string _listen = "127.0.0.1:0";

    private DemoStage(string folder, RegtestNode node)
    {
        (Folder, Node) = (folder, node);
        var data = Path.Combine(folder, "data");
        _settings = Path.Combine(folder, "bitcache.json");
        File.WriteAllText(_settings, JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["dataFolder"] = data,
            ["network"] = "regtest",
            ["origin"] = "demo.example/log",
            ["nodeUrl"] = node.Endpoint.ToString(),
            ["nodeCookieFile"] = node.CookieFile,
            ["nodeWallet"] = RegtestNode.ServerWallet,
            ["confirmationsToCredit"] = "0:1",
            ["finalityDepth"] = FinalityDepth.ToString(CultureInfo.InvariantCulture),
            ["epochLength"] = "24h",
            ["pollInterval"] = "250ms",
        }));
        Directory.CreateDirectory(data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var keys = new ApiKeyStore(new LinuxFileSystem(), data, BitcoinNetwork.Regtest, TimeProvider.System);
        OperatorKey = keys.Create(new KeyTerms("operator", NewTenant: false, Scopes.Admin | Scopes.Audit, "demo operator")).Secret;
        UserKey = keys.Create(new KeyTerms("demo", NewTenant: true, Scopes.Read | Scopes.Pay | Scopes.Withdraw, "demo user")).Secret;
    }

    public string Folder { get; }
    public RegtestNode Node { get; }

    /// <summary>Of the tenant that owns the demo's wallets.</summary>
    public string UserKey { get; }
    public string OperatorKey { get; }

    /// <summary>The server's address; the same one after a restart.</summary>
    public Uri Url { get; private set; } = new("http://127.0.0.1");
    public ApiClient User { get; private set; } = null!;
    public ApiClient Operator { get; private set; } = null!;

    /// <summary>Whether the scratch folder stays for somebody to look at.</summary>
    public bool KeepsFolder { get; set; }

    /// <summary>What the server wrote last.</summary>
    public string ServerLines => _server?.LastLines ?? "";

    public static async Task<DemoStage> StartAsync(CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("bitcache-demo-").FullName;
        RegtestNode? node = null;
        DemoStage? stage = null;
        try
        {
            node = await RegtestNode.StartAsync(Path.Combine(folder, "node"), cancel);
            stage = new DemoStage(folder, node);
            await stage.StartServerAsync(cancel);
            return stage;
        }
        catch
        {
            if (stage is not null) await stage.DisposeAsync();
            else if (node is not null) await node.DisposeAsync();
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    /// <summary>Starts the server, for the first time or again; it answers when this returns.</summary>
    public async Task StartServerAsync(CancellationToken cancel)
    {
        var (program, arguments) = OurselvesAs(["serve", "--config", _settings, "--listen", _listen]);
        _server = new ChildProcess(program, arguments, line => line.StartsWith(ServeCommand.ListeningLine, StringComparison.Ordinal));
        Url = new Uri((await _server.StartAsync(cancel))[ServeCommand.ListeningLine.Length..]);
        _listen = Url.Authority;
        User?.Dispose();
        Operator?.Dispose();
        User = new ApiClient(new ApiConnection(Url, UserKey, Patience, TimeProvider.System));
        Operator = new ApiClient(new ApiConnection(Url, OperatorKey, Patience, TimeProvider.System));
    }

    /// <summary>kill -9: the server writes, flushes and closes nothing any more.</summary>
    public async Task KillServerAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _server = null;
    }

    public async ValueTask DisposeAsync()
    {
        User?.Dispose();
        Operator?.Dispose();
        await KillServerAsync();
        await Node.DisposeAsync();
        if (!KeepsFolder) Directory.Delete(Folder, recursive: true);
    }

    /// <summary>This very program, also where it was started as `dotnet bitcache.dll`.</summary>
    private static (string Program, IEnumerable<string> Arguments) OurselvesAs(string[] arguments)
    {
        var program = Environment.ProcessPath ?? throw new DemoFailedException("the path of this program is not known");
        return Path.GetFileNameWithoutExtension(program) == "dotnet"
            ? (program, [Assembly.GetExecutingAssembly().Location, .. arguments])
            : (program, arguments);
    }
}
