// A PostgreSQL of its own, with the settings and functions of benchmarks/peers.

using System.Globalization;
using Bitcache.Cli.Demo;
using Npgsql;

namespace Bitcache.Benchmarks.Peers;

internal sealed class PostgresServer : IAsyncDisposable
{
    private const int ConnectionsMax = 32;

    private readonly LocalPostgres _process;
    private readonly int _wallets;

    private PostgresServer(LocalPostgres process, NpgsqlDataSource source, int wallets) => (_process, Source, _wallets) = (process, source, wallets);

    public NpgsqlDataSource Source { get; }

    public static async Task<PostgresServer> StartAsync(string folder, int wallets, CancellationToken cancel)
    {
        var process = await LocalPostgres.StartAsync(folder, PeerProcess.FileText("postgresql.conf"), cancel);
        var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(process.ConnectionString())
        {
            MaxPoolSize = ConnectionsMax,
            // Parameters and settings of a connection are what we left: nothing to ask or reset.
            NoResetOnClose = true,
        });
        var server = new PostgresServer(process, source, wallets);
        try
        {
            await server.FillAsync(cancel);
            await server.CheckRulesAsync(cancel);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
        return server;
    }

    /// <summary>Makes an empty database on the same server.</summary>
    public Task CreateDatabaseAsync(string name, CancellationToken cancel) => ExecuteAsync($"CREATE DATABASE {name}", cancel);

    public string ConnectionString(string database) => _process.ConnectionString(database);

    /// <summary>Tells the planner of all sessions how large the tables are: a plan that was made while they were empty
    /// reads them whole, and a session keeps it.</summary>
    public Task AnalyseAsync(CancellationToken cancel) => ExecuteAsync("VACUUM ANALYZE", cancel);

    /// <summary>Every acknowledged transfer has its row, and no money came or went. That ids are unique is the
    /// primary key's promise.</summary>
    /// <exception cref="BenchFailedException">That is not so.</exception>
    public async Task CheckAsync(long acknowledged, CancellationToken cancel)
    {
        await using var command = Source.CreateCommand(
            "SELECT (SELECT count(*) FROM transfers WHERE outcome = 0), (SELECT sum(balance)::bigint FROM wallets)");
        await using var row = await command.ExecuteReaderAsync(cancel);
        await row.ReadAsync(cancel);
        var (transfers, sum) = (row.GetInt64(0), row.GetInt64(1));
        if (transfers != acknowledged) throw new BenchFailedException($"PostgreSQL acknowledged {acknowledged} transfers and has {transfers}");
        if (sum != FundedWallets.Start.Value * _wallets) throw new BenchFailedException($"PostgreSQL's balances sum up to {sum}");
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await _process.DisposeAsync();
    }

    private async Task FillAsync(CancellationToken cancel)
    {
        await ExecuteAsync(PeerProcess.FileText("postgresql.sql"), cancel);
        await ExecuteAsync(string.Create(CultureInfo.InvariantCulture,
            $"INSERT INTO wallets SELECT number, {FundedWallets.Start.Value} FROM generate_series(0, {_wallets - 1}) AS number"), cancel);
        await AnalyseAsync(cancel);
        // The one that is due now does not fall into a run.
        await ExecuteAsync("CHECKPOINT", cancel);
    }

    /// <summary>Both functions keep the rules that make them comparable: tried on wallets that are taken away again.</summary>
    private async Task CheckRulesAsync(CancellationToken cancel)
    {
        const string Id = "'0193b3f0-0000-7000-8000-00000000000";
        await ExecuteAsync("INSERT INTO wallets VALUES (-1, 100), (-2, 0)", cancel);
        // Accepted; short of funds; accepted, from what came before; known; another's id; no such wallet.
        await ExpectAsync(
            $"transfer_batch(ARRAY[{Id}1', {Id}2', {Id}3', {Id}1', {Id}1', {Id}4']::uuid[], "
            + "ARRAY[-1, -1, -2, -1, -1, -1], ARRAY[-2, -2, -1, -2, -2, -3], ARRAY[80, 30, 70, 80, 10, 1])",
            [0, 1, 0, 0, 3, 2], cancel);
        await ExpectAsync($"ARRAY[transfer({Id}2', -1, -2, 30), transfer({Id}5', -1, -2, 91), transfer({Id}6', -1, -2, 90)]", [1, 1, 0], cancel);
        await ExecuteAsync("DELETE FROM wallets WHERE id < 0; DELETE FROM transfers", cancel);
    }

    private async Task ExpectAsync(string call, short[] outcomes, CancellationToken cancel)
    {
        await using var command = Source.CreateCommand("SELECT " + call);
        var got = (short[])(await command.ExecuteScalarAsync(cancel))!;
        if (!got.SequenceEqual(outcomes)) throw new BenchFailedException($"{call} gave {string.Join(", ", got)}");
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancel)
    {
        await using var command = Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancel);
    }
}
