// A ledger's journal moved into PostgreSQL and back: by a server's operator, and where a move is interrupted or refused.

using Bitcache.Cli;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.IntegrationTests.Crashes;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class JournalMigrationTests(PostgresFixture postgres, RegtestFixture regtest) : IClassFixture<RegtestFixture>, IDisposable
{
    private const int Wallets = 3_000;
    private static readonly Sats Funds = new(50_000_000);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-move-");
    private readonly LinuxFileSystem _files = new();

    private string DataFolder => Path.Combine(_folder.FullName, "data");
    private EngineSettings InFiles => new() { DataFolder = DataFolder, Origin = BegunLedger.Origin, Network = BitcoinNetwork.Regtest, SegmentMebibytes = 16 };

    public void Dispose() => _folder.Delete(recursive: true);

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
            ["postgresConnectionFile"] = WriteConnection(postgres.NewDatabase().ConnectionString),
        }));
        await server.StartAsync();
        await clients.PrepareAsync(server, Funds);
        await PayAndKillAsync();

        await MoveAsync(files, database);
        // A start with the old settings would begin a second ledger.
        Assert.False(await server.TryStartAsync());
        Assert.Contains("were signed for", (await server.WaitForEndAsync()).Errors, StringComparison.Ordinal);
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
        var (state, database) = (await BeginAsync(), InDatabase());
        foreach (var (from, to) in new[] { (InFiles, database), (database, InFiles) })
        {
            // At every batch that is copied, and while the copy is compared.
            foreach (var phase in new[] { "copied", "compared" })
            {
                Assert.Throws<OperationCanceledException>(() => JournalMigration.Run(from, to, NullLogger.Instance, (what, _, entries) =>
                {
                    if (what == phase && entries > 100) throw new OperationCanceledException();
                }));
                Assert.Equal(state, StateOf(from));
            }
            Assert.Equal(state, Move(from, to));
            Assert.Equal(state, StateOf(to));
        }
        // Between the two names that change at the end.
        Move(InFiles, database);
        Move(database, InFiles);
        var (staging, journal) = (Path.Combine(DataFolder, "moving"), Path.Combine(DataFolder, "journal"));
        Directory.CreateDirectory(staging);
        Directory.Move(journal, Path.Combine(staging, "journal"));
        Assert.Equal(state, Move(database, InFiles));
        Assert.Equal(state, StateOf(InFiles));
        Assert.False(Directory.Exists(staging));
        Assert.Contains("is there already", Refusal(database, InFiles), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_another_ledgers_or_was_changed_is_not_moved()
    {
        var (state, database) = (await BeginAsync(), InDatabase());
        Assert.Throws<SettingsException>(() => JournalMigration.Run(InFiles, InFiles, NullLogger.Instance, static (_, _, _) => { }));
        Assert.Throws<SettingsException>(() => JournalMigration.Run(InFiles, database with { Origin = "other.test/log" }, NullLogger.Instance, static (_, _, _) => { }));
        Assert.Contains("which the settings do not name", Refusal(InFiles with { Origin = "other.test/log" }, InDatabase() with { Origin = "other.test/log" }), StringComparison.Ordinal);
        Assert.Contains("there is no journal", Refusal(InFiles with { DataFolder = Empty() }, database with { DataFolder = Empty() }), StringComparison.Ordinal);

        // A copy of another history that has come further.
        var other = InDatabase();
        Move(InFiles, other);
        Directory.Move(Path.Combine(DataFolder, "journal.moved"), Path.Combine(DataFolder, "journal"));
        await AppendAsync();
        Assert.NotEqual(state, Move(InFiles, other));
        Directory.Move(Path.Combine(DataFolder, "journal.moved"), Path.Combine(DataFolder, "journal"));
        Directory.Delete(Path.Combine(DataFolder, "journal"), recursive: true);
        await BeginAsync();
        Assert.Contains("another journal's", Refusal(InFiles, other), StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(DataFolder, "journal")));
    }

    private string Empty()
    {
        var folder = Path.Combine(_folder.FullName, "empty");
        Directory.CreateDirectory(folder);
        return folder;
    }

    private EngineSettings InDatabase() => InFiles with { Journal = JournalKind.Postgres, PostgresConnectionFile = WriteConnection(postgres.NewDatabase().ConnectionString) };

    private string WriteConnection(string connectionString)
    {
        var file = Path.Combine(_folder.FullName, "connection-" + Guid.NewGuid().ToString("N"));
        File.WriteAllText(file, connectionString + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    private static Hash256 Move(EngineSettings from, EngineSettings to)
    {
        var report = JournalMigration.Run(from, to, NullLogger.Instance, static (_, _, _) => { });
        return Assert.Single(report.Partitions).StateHash;
    }

    private static string Refusal(EngineSettings from, EngineSettings to) =>
        Assert.Throws<MigrationRefusedException>(() => JournalMigration.Run(from, to, NullLogger.Instance, static (_, _, _) => { })).Message;

    private static Hash256 StateOf(EngineSettings settings) => Assert.Single(LedgerReplay.Run(settings, NullLogger.Instance, static _ => { })).StateHash;

    /// <summary>A ledger in files, in batches of all sizes.</summary>
    private async Task<Hash256> BeginAsync()
    {
        DurableFolder.Ensure(_files, DataFolder);
        var journal = Open(new Ledger(0), out var ledger);
        await using var partition = BegunLedger.Over(journal, TimeProvider.System, ledger);
        partition.Start();
        await BegunLedger.BeginAsync(partition, TimeProvider.System, 1_000_000);
        await Task.WhenAll(Enumerable.Range(0, Wallets).Select(_ => CreateAsync(partition)));
        for (var i = 0; i < 10; i++) await CreateAsync(partition);
        return await partition.QueryAsync(after => after.StateHash());
    }

    private async Task AppendAsync()
    {
        var recovered = LedgerRecovery.Open(_files, DataFolder, new FileJournalSettings { SegmentBytes = 16 << 20 }, new RecoveryTerms(new SnapshotSettings(), 1), NullLogger.Instance);
        await using var partition = new OwnedPartition(recovered.Ledger, recovered.Journal, new BatchClock(TimeProvider.System, recovered.Ledger.Time), NullLogger.Instance, (why, cause) => throw new InvalidOperationException(why, cause));
        partition.Start();
        await CreateAsync(partition);
        recovered.Snapshots.Dispose();
    }

    private static Task<Answer> CreateAsync(Partition partition) =>
        partition.SubmitAsync(new CreateWallet(ClientIds.Next(TimeProvider.System), Ledger.OperatorTenant, ClientIds.NextWallet()));

    private FileJournal Open(Ledger empty, out Ledger ledger)
    {
        var scratch = new byte[Limits.RecordBytesMax];
        ledger = empty;
        return FileJournal.Open(_files, DataFolder, new FileJournalSettings { SegmentBytes = 16 << 20 }, batch => empty.ReplayBatch(batch.Payload, scratch), NullLogger.Instance);
    }

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
