// A PostgreSQL of our own: on a free port of loopback, with its data in a folder that is ours, and gone with us however
// we end. It refuses to run as root, so that root runs it as the user that Debian's package makes for it.

using System.Diagnostics;
using System.Globalization;

namespace Bitcache.Cli.Demo;

/// <summary>One server and its data folder. Owned by one caller.</summary>
internal sealed class LocalPostgres : IAsyncDisposable
{
    public const string User = "postgres";

    private readonly string _programs;
    private readonly string _folder;
    private ChildProcess? _process;

    private LocalPostgres(string programs, string folder, int port) => (_programs, _folder, Port) = (programs, folder, port);

    public int Port { get; }

    /// <summary>As Npgsql reads it; everybody on this machine is let in.</summary>
    public string ConnectionString(string database = User) =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={Port};Username={User};Database={database}");

    /// <summary>Makes a data folder and starts a server on it; it answers when this returns.</summary>
    /// <param name="folder">A folder that is not there yet, in one that everybody may pass through.</param>
    /// <param name="settings">Lines of postgresql.conf.</param>
    /// <exception cref="ChildProcessException">There is no PostgreSQL, or it does not start.</exception>
    public static async Task<LocalPostgres> StartAsync(string folder, string settings, CancellationToken cancel)
    {
        var server = new LocalPostgres(FindPrograms(), folder, RegtestNode.FreePort());
        if (Environment.IsPrivilegedProcess) await ChildProcess.RunAsync("install", ["-d", "-o", User, "-g", User, "-m", "700", folder], cancel);
        var (initdb, arguments) = AsUser(server.Program("initdb"),
            "-D", folder, "-U", User, "-A", "trust", "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync");
        await ChildProcess.RunAsync(initdb, arguments, cancel);
        await File.AppendAllTextAsync(Path.Combine(folder, "postgresql.conf"), settings, cancel);
        try
        {
            await server.StartAsync(cancel);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the server again, on the same port; it has recovered when this returns.</summary>
    public async Task StartAsync(CancellationToken cancel)
    {
        var (postgres, arguments) = AsUser(Program("postgres"),
            "-D", _folder, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
            "-c", string.Create(CultureInfo.InvariantCulture, $"port={Port}"));
        _process = new ChildProcess(postgres, arguments, line => line.Contains("ready to accept connections", StringComparison.Ordinal));
        await _process.StartAsync(cancel);
    }

    /// <summary>kill -9 of the server and of all processes that it has started; returns when they are gone.</summary>
    public async Task KillAsync()
    {
        if (_process is null) return;
        var processes = new List<int>();
        // The first one may start others until it is gone: it goes first.
        AddWithChildren(_process.Id, processes);
        await _process.DisposeAsync();
        _process = null;
        foreach (var id in processes)
        {
            try
            {
                using var process = Process.GetProcessById(id);
                process.Kill();
                await process.WaitForExitAsync();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // It is gone already.
            }
        }
    }

    /// <summary>Runs one of the server's programs, such as pg_dump, against it; returns what it wrote.</summary>
    public Task<string> RunAsync(string program, string[] arguments, CancellationToken cancel) =>
        ChildProcess.RunAsync(Program(program), ["-h", "127.0.0.1", "-p", Port.ToString(CultureInfo.InvariantCulture), "-U", User, .. arguments], cancel);

    public async ValueTask DisposeAsync()
    {
        if (_process is null) return;
        await using (_process) await _process.EndAsync();
    }

    private string Program(string name) => Path.Combine(_programs, name);

    private static void AddWithChildren(int id, List<int> processes)
    {
        processes.Add(id);
        var path = string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/task/{id}/children");
        if (!File.Exists(path)) return;
        foreach (var child in File.ReadAllText(path).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            AddWithChildren(int.Parse(child, CultureInfo.InvariantCulture), processes);
    }

    /// <summary>The programs of the newest version that is installed.</summary>
    private static string FindPrograms()
    {
        const string Versions = "/usr/lib/postgresql";
        var newest = Directory.Exists(Versions)
            ? Directory.GetDirectories(Versions)
                .Where(folder => File.Exists(Path.Combine(folder, "bin", "initdb")))
                .MaxBy(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var version) ? version : 0)
            : null;
        return newest is null ? throw new ChildProcessException($"there is no PostgreSQL in {Versions}") : Path.Combine(newest, "bin");
    }

    private static (string Program, string[] Arguments) AsUser(string program, params string[] arguments) => Environment.IsPrivilegedProcess
        // A change of user ends the promise that the child dies with us, so it is asked for again.
        ? ("setpriv", ["--reuid", User, "--regid", User, "--clear-groups", "--pdeathsig", "KILL", "--", program, .. arguments])
        : (program, arguments);
}
