// The server as a process, with its journal in PostgreSQL: killed, cut off from its database, and started a second time.

using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.IntegrationTests.Crashes;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class ServeOnPostgresTests(PostgresFixture postgres, RegtestFixture regtest) : IClassFixture<RegtestFixture>, IDisposable
{
    private const int FailFast = 134;
    private static readonly Sats Funds = new(50_000_000);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-connection-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Killed_or_without_its_database_it_has_after_a_start_what_it_acknowledged()
    {
        var settings = SettingsOf(postgres.NewDatabase().ConnectionString);
        await using var server = new ServerProcess(regtest.Node, more: settings);
        using var clients = new PayingClients(server);
        await server.StartAsync();
        await clients.PrepareAsync(server, Funds);

        var paying = clients.PayUntilItEndsAsync(server, clients: 8);
        await Task.Delay(TimeSpan.FromMilliseconds(300), ServerProcess.Cancel);
        await server.KillAsync();
        await paying;
        await server.StartAsync();
        await clients.CheckAsync(server);

        paying = clients.PayUntilItEndsAsync(server, clients: 8);
        await Task.Delay(TimeSpan.FromMilliseconds(300), ServerProcess.Cancel);
        await postgres.Server.KillAsync();
        await paying;
        Assert.Equal(FailFast, (await server.WaitForEndAsync()).Code);
        // It does not start without its database, and says why.
        Assert.False(await server.TryStartAsync());
        Assert.Contains("The database of the journal cannot be used", (await server.WaitForEndAsync()).Errors, StringComparison.Ordinal);
        await postgres.Server.StartAsync(ServerProcess.Cancel);
        await server.StartAsync();
        await clients.CheckAsync(server);
        Assert.True(clients.Acknowledged > 20, $"only {clients.Acknowledged} payments were acknowledged");

        // Another ledger that is pointed at the database by mistake.
        Assert.Equal(0, await server.TerminateAsync());
        await using var other = new ServerProcess(regtest.Node, more: new Dictionary<string, string>(settings) { ["origin"] = "other.test/log" });
        Assert.False(await other.TryStartAsync());
        Assert.Contains("give each ledger a database of its own", (await other.WaitForEndAsync()).Errors, StringComparison.Ordinal);
    }

    private Dictionary<string, string> SettingsOf(string connectionString)
    {
        var file = Path.Combine(_folder.FullName, "postgres");
        File.WriteAllText(file, connectionString + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return new Dictionary<string, string> { ["journal"] = "postgres", ["postgresConnectionFile"] = file };
    }
}
