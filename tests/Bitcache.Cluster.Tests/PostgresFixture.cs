using Bitcache.Cli.Demo;
using Npgsql;

namespace Bitcache.Cluster.Tests;

/// <summary>A real PostgreSQL for the tests of one class; each takes a database of its own.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"bitcache-cluster-{Guid.NewGuid():N}");
    private LocalPostgres? _server;
    private int _databases;

    public async ValueTask InitializeAsync() => _server = await LocalPostgres.StartAsync(_folder, "fsync=off\nmax_connections=200\n", CancellationToken.None);

    /// <summary>The connection string of an empty database.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"cluster{Interlocked.Increment(ref _databases)}";
        await using var source = NpgsqlDataSource.Create(_server!.ConnectionString());
        await using var command = source.CreateCommand($"CREATE DATABASE {name}");
        await command.ExecuteNonQueryAsync();
        return _server.ConnectionString(name);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }
}
