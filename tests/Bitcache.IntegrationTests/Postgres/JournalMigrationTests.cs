// A ledger's journal moved into PostgreSQL and back: by a server's operator, and where a move is interrupted or refused.

using Bitcache.Cli;
using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Journal;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.IntegrationTests.Crashes;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class JournalMigrationTests(PostgresFixture postgres, RegtestFixture regtest) : IClassFixture<RegtestFixture>, IDisposable
{
    private static readonly Sats Funds = new(50_000_000);

    private readonly MovedLedger _ledger = new(postgres);

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task A_server_goes_on_in_the_database_and_back_in_files_with_every_payment_and_one_log()
    {
        var partitions = new Dictionary<string, string> { ["partitions"] = "2" };
        await using var server = new ServerProcess(regtest.Node, more: partitions);
        using var clients = new PayingClients(server);
        using var log = new PublishedLog(server);
        var (files, database) = (server.SettingsFile, server.WriteSettings("postgres", new Dictionary<string, string>
        {
            ["journal"] = "postgres",
            ["postgresConnectionFile"] = _ledger.WriteConnection(postgres.NewDatabase().ConnectionString),
        }));
        await server.StartAsync();
        await clients.PrepareAsync(server, Funds);
        await PayAndKillAsync();

        await MoveAsync(files, database);
        // A start with the old settings would begin a second ledger.
        Assert.False(await server.TryStartAsync());
        Assert.Contains("is left of one that was moved", (await server.WaitForEndAsync()).Errors, StringComparison.Ordinal);
        server.SettingsFile = database;
        await CheckAsync();
        var (running, _, said) = await RunAsync("migrate", "--from", database, "--to", files);
        Assert.Equal(ExitCode.Failed, running);
        Assert.Contains("in use by another Bitcache process", said, StringComparison.Ordinal);
        await PayAndKillAsync();

        await MoveAsync(database, files);
        server.SettingsFile = files;
        await CheckAsync();
        // And once more, beside what was put aside.
        await PayAndKillAsync();
        await MoveAsync(files, database);
        Assert.True(Directory.Exists(Path.Combine(server.DataFolder, "journal.moved-2")));
        server.SettingsFile = database;
        await CheckAsync();
        Assert.True(clients.Acknowledged > 20, $"only {clients.Acknowledged} payments were acknowledged");

        async Task PayAndKillAsync()
        {
            var paying = clients.PayUntilItEndsAsync(server, clients: 8);
            await Task.Delay(TimeSpan.FromMilliseconds(300), ServerProcess.Cancel);
            await log.FollowAsync(server);
            await server.KillAsync();
            await paying;
        }

        async Task CheckAsync()
        {
            await server.StartAsync();
            await clients.CheckAsync(server);
            await log.FollowAsync(server);
        }
    }

    [Fact]
    public async Task A_move_that_is_interrupted_is_taken_up_where_it_was()
    {
        var (state, files, database) = (await _ledger.BeginAsync(), _ledger.InFiles, _ledger.InDatabase());
        foreach (var (from, to) in new[] { (files, database), (database, files) })
        {
            // At every batch that is copied, and while the copy is compared.
            foreach (var phase in new[] { "copied", "compared" })
            {
                Assert.Throws<OperationCanceledException>(() => MovedLedger.Move(from, to, StopAt(phase)));
                Assert.Equal(state, MovedLedger.StateOf(from));
            }
            Assert.Equal(state, MovedLedger.Move(from, to));
            Assert.Equal(state, MovedLedger.StateOf(to));
        }
        Assert.Contains("is there already", MovedLedger.Refusal(database, files), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_another_ledgers_or_was_changed_is_not_moved()
    {
        await _ledger.BeginAsync();
        var (files, database) = (_ledger.InFiles, _ledger.InDatabase());
        Assert.Throws<SettingsException>(() => MovedLedger.Move(files, files));
        Assert.Throws<SettingsException>(() => MovedLedger.Move(files, database with { Origin = "other.test/log" }));
        Assert.Contains("which the settings do not name", MovedLedger.Refusal(files with { Origin = "other.test/log" }, _ledger.InDatabase() with { Origin = "other.test/log" }), StringComparison.Ordinal);
        var empty = _ledger.NewFolder();
        Assert.Contains("there is no journal", MovedLedger.Refusal(files with { DataFolder = empty }, database with { DataFolder = empty }), StringComparison.Ordinal);

        // A database that holds a ledger, and a copy of another history.
        var other = _ledger.InDatabase();
        MovedLedger.Move(files, other);
        Directory.Move(_ledger.PathOf("journal.moved"), _ledger.PathOf("journal"));
        Assert.Contains("name an empty database", Assert.Throws<JournalRefusedException>(() => MovedLedger.Move(files, other)).Message, StringComparison.Ordinal);
        Assert.Throws<OperationCanceledException>(() => MovedLedger.Move(files, database, StopAt("compared")));
        Directory.Delete(_ledger.PathOf("journal"), recursive: true);
        await _ledger.BeginAsync();
        Assert.Contains("name an empty database", MovedLedger.Refusal(files, database), StringComparison.Ordinal);
        Assert.True(Directory.Exists(_ledger.PathOf("journal")));
    }

    private static MigrationProgress StopAt(string phase) => (what, _, entries) =>
    {
        if (what == phase && entries > 100) throw new OperationCanceledException();
    };

    /// <summary>The command, as an operator runs it; then the copy is replayed by itself.</summary>
    private static async Task MoveAsync(string from, string to)
    {
        var (code, output, errors) = await RunAsync("migrate", "--from", from, "--to", to);
        Assert.True(code == ExitCode.Done, errors);
        var states = output.Split('\n').Where(line => line.StartsWith("state hash ", StringComparison.Ordinal)).Select(line => line.Split(' ', ',')[2]).ToArray();
        Assert.Equal(2, states.Length);
        (code, output, errors) = await RunAsync("replay", "--config", to);
        Assert.True(code == ExitCode.Done, errors);
        Assert.Equal(states, output.Split('\n').Where(line => line.StartsWith("state hash ", StringComparison.Ordinal)).Select(line => line.Split(' ')[2].TrimEnd()));
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var code = await CommandLine.RunAsync(arguments, output, errors, ServerProcess.Cancel);
        return (code, output.ToString(), errors.ToString());
    }
}
