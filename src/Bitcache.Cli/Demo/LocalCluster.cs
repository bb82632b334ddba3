// A whole cluster on this machine: a PostgreSQL and a Bitcoin node of its own, and silos over them, each a child process with a
// data folder and a settings file, as it would have on a machine of its own.

using System.Globalization;
using System.Text.Json;
using Bitcache.Cli.Commands;
using Bitcache.Engine;
using Bitcache.Server.Keys;
using Bitcache.Server.Settings;

namespace Bitcache.Cli.Demo;

internal sealed class LocalCluster : IAsyncDisposable
{
    private const string Database = "bitcache";

    /// <summary>Each silo writes with a connection for each partition, and reads with a few more.</summary>
    private const string ServerSettings =
        """
        max_connections = 300
        shared_buffers = 256MB
        max_wal_size = 4GB

        """;

    private readonly string _program;
    private readonly int _partitions;
    private readonly LocalPostgres _postgres;
    private readonly List<LocalSilo> _silos = [];

    private LocalCluster(string program, string folder, int partitions, LocalPostgres postgres, RegtestNode node) =>
        (_program, Folder, _partitions, _postgres, Node) = (program, folder, partitions, postgres, node);

    public string Folder { get; }
    public RegtestNode Node { get; }
    public IReadOnlyList<LocalSilo> Silos => _silos;

    /// <summary>As Npgsql reads it.</summary>
    public string ConnectionString => _postgres.ConnectionString(Database);

    /// <summary>Of the tenant "demo".</summary>
    public string UserKey { get; private set; } = "";
    public string OperatorKey { get; private set; } = "";

    /// <param name="program">The program bitcache-silo, as the path of its dll.</param>
    /// <param name="say">Told what is done.</param>
    /// <exception cref="ChildProcessException">Something could not be started; it says what.</exception>
    public static async Task<LocalCluster> StartAsync(string program, int silos, int partitions, Action<string> say, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("bitcache-silos-").FullName;
        // Root has another user run PostgreSQL, who must find his folder in it; what is secret is in files of their own.
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        LocalPostgres? postgres = null;
        RegtestNode? node = null;
        LocalCluster? cluster = null;
        try
        {
            say("starting PostgreSQL");
            postgres = await LocalPostgres.StartAsync(Path.Combine(folder, "postgres"), ServerSettings, cancel);
            await postgres.RunAsync("createdb", [Database], cancel);
            say("starting a Bitcoin node on regtest");
            node = await RegtestNode.StartAsync(Path.Combine(folder, "node"), cancel);
            cluster = new LocalCluster(program, folder, partitions, postgres, node);
            cluster.MakeKeys();
            for (var number = 0; number < silos; number++)
            {
                say($"starting silo {LocalSilo.NameOf(number)}");
                await cluster.AddSiloAsync(cancel);
            }
            return cluster;
        }
        catch
        {
            if (cluster is not null) await cluster.StopSilosAsync();
            if (node is not null) await node.DisposeAsync();
            if (postgres is not null) await postgres.DisposeAsync();
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopSilosAsync();
        await Node.DisposeAsync();
        await _postgres.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private async Task StopSilosAsync()
    {
        await Task.WhenAll(_silos.Select(silo => silo.EndAsync()));
        foreach (var silo in _silos) await silo.DisposeAsync();
    }

    private async Task AddSiloAsync(CancellationToken cancel)
    {
        var number = _silos.Count;
        var data = Path.Combine(Folder, $"data-{LocalSilo.NameOf(number)}");
        // The first one has begun the ledger: the others settle with the same keys.
        if (number > 0) CopyKeys(_silos[0].DataFolder, data);
        var silo = new LocalSilo(_program, data, WriteSettings(number, data));
        _silos.Add(silo);
        await silo.StartAsync(cancel);
    }

    private void MakeKeys()
    {
        var settings = SettingsFile.Load(WriteSettings(0, Path.Combine(Folder, "data-a")), []);
        using var database = LedgerEngine.OpenSharedDatabase(settings.Engine);
        var keys = new ApiKeyStore(new KeyTable(database), settings.Engine.Network, TimeProvider.System);
        OperatorKey = keys.Create(new KeyTerms("operator", NewTenant: false, Scopes.Admin | Scopes.Audit, "operator")).Secret;
        UserKey = keys.Create(new KeyTerms("demo", NewTenant: true, Scopes.Read | Scopes.Pay | Scopes.Withdraw, "user")).Secret;
    }

    private static void CopyKeys(string from, string to)
    {
        var keys = Directory.CreateDirectory(Path.Combine(to, "keys"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var file in Directory.GetFiles(Path.Combine(from, "keys"), "*.key")) File.Copy(file, Path.Combine(keys.FullName, Path.GetFileName(file)));
    }

    /// <returns>The path of the file.</returns>
    private string WriteSettings(int number, string dataFolder)
    {
        var connection = Path.Combine(Folder, "postgres-connection");
        WritePrivate(connection, ConnectionString);
        var path = Path.Combine(Folder, $"silo-{LocalSilo.NameOf(number)}.json");
        if (File.Exists(path)) return path;
        WritePrivate(path, JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["dataFolder"] = dataFolder,
            ["network"] = "regtest",
            ["origin"] = "silos.example/log",
            ["partitions"] = _partitions.ToString(CultureInfo.InvariantCulture),
            ["journal"] = "postgres",
            ["postgresConnectionFile"] = connection,
            ["snapshotsIn"] = "database",
            ["cluster"] = "silos",
            ["silo"] = LocalSilo.NameOf(number),
            ["siloPort"] = RegtestNode.FreePort().ToString(CultureInfo.InvariantCulture),
            ["listen"] = $"127.0.0.1:{RegtestNode.FreePort()}",
            ["nodeUrl"] = Node.Endpoint.ToString(),
            ["nodeCookieFile"] = Node.CookieFile,
            ["nodeWallet"] = RegtestNode.ServerWallet,
            ["confirmationsToCredit"] = "0:1",
            ["finalityDepth"] = DemoStage.FinalityDepth.ToString(CultureInfo.InvariantCulture),
            ["epochLength"] = "24h",
            ["pollInterval"] = "250ms",
        }));
        return path;
    }

    private static void WritePrivate(string path, string text)
    {
        using var file = new StreamWriter(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        file.Write(text);
    }
}

/// <summary>One silo of a <see cref="LocalCluster"/>.</summary>
internal sealed class LocalSilo(string program, string dataFolder, string settings) : IAsyncDisposable
{
    private ChildProcess? _process;

    public string DataFolder => dataFolder;

    /// <summary>Its API; the same after a restart.</summary>
    public Uri Url { get; private set; } = new("http://127.0.0.1");

    /// <summary>What it wrote last.</summary>
    public string LastLines => _process?.LastLines ?? "";

    /// <summary>a, b, c, …</summary>
    public static string NameOf(int number) => ((char)('a' + number)).ToString();

    /// <summary>Starts it, for the first time or again; it answers when this returns.</summary>
    public async Task StartAsync(CancellationToken cancel)
    {
        _process = new ChildProcess("dotnet", [program, "silo", "--config", settings], line => line.StartsWith(ServeCommand.ListeningLine, StringComparison.Ordinal));
        Url = new Uri((await _process.StartAsync(cancel))[ServeCommand.ListeningLine.Length..]);
    }

    /// <summary>Has it hand on what it has, and end.</summary>
    public async Task EndAsync()
    {
        if (_process is not null) await _process.EndAsync();
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _process = null;
    }

    public async ValueTask DisposeAsync() => await KillAsync();
}
