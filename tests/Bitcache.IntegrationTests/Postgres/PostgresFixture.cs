using System.Globalization;
using Bitcache.Cli.Demo;
using Bitcache.Engine.Journal.Postgres;
using Npgsql;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>A real PostgreSQL for all tests that need one, which run one after the other, and a fresh database for each that asks.</summary>
[CollectionDefinition(Collection)]
public sealed class PostgresFixture : IAsyncLifetime, ICollectionFixture<PostgresFixture>
{
    public const string Collection = "postgres";

    /// <summary>As durable as it is by default; only what a test server need not do is left out.</summary>
    private const string Settings =
        """
        shared_buffers = 256MB
        max_wal_size = 4GB
        recovery_init_sync_method = syncfs

        """;

    private readonly DirectoryInfo _folder = Directory.CreateDirectory(
        Path.Combine(Path.GetTempPath(), "bitcache-postgres-" + Guid.NewGuid().ToString("N")), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    private LocalPostgres? _server;
    private int _databases;

    internal LocalPostgres Server => _server ?? throw new InvalidOperationException("the server is not started");

    public async ValueTask InitializeAsync() =>
        _server = await LocalPostgres.StartAsync(Path.Combine(_folder.FullName, "data"), Settings, CancellationToken.None);

    /// <summary>Settings of a ledger of one partition in a database that nobody had.</summary>
    internal PostgresSettings NewDatabase()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"ledger{Interlocked.Increment(ref _databases)}");
        Execute(Server.ConnectionString(), $"CREATE DATABASE {name}");
        return new PostgresSettings { ConnectionString = Server.ConnectionString(name) + ";SSL Mode=Disable;GSS Encryption Mode=Disable", Origin = "tests.example/log", Network = 3 };
    }

    /// <summary>Runs a statement from outside, as an administrator would.</summary>
    internal static void Execute(string connectionString, string sql) => Ask(connectionString, sql);

    /// <summary>What a question gives.</summary>
    internal static object? Ask(string connectionString, string sql)
    {
        using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        connection.Open();
#pragma warning disable CA2100 // Written by the tests.
        using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        return command.ExecuteScalar();
    }

    /// <summary>Keeps every append waiting until the transaction ends.</summary>
    internal static void Lock(NpgsqlTransaction transaction)
    {
        using var command = new NpgsqlCommand("SELECT FROM bitcache.partitions FOR UPDATE", transaction.Connection, transaction);
        command.ExecuteNonQuery();
    }

    /// <summary>Ends the connection of whoever waits for a lock; false if nobody does.</summary>
    internal static bool TryEndWhoWaits(string connectionString) => (long)Ask(connectionString,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")! > 0;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
