using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>A ledger without a server, whose journal is moved. Its databases are those of a fixture.</summary>
internal sealed class MovedLedger(PostgresFixture postgres) : IDisposable
{
    private const int Wallets = 3_000;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-move-");
    private readonly LinuxFileSystem _files = new();

    public EngineSettings InFiles => new() { DataFolder = PathOf(""), Origin = BegunLedger.Origin, Network = BitcoinNetwork.Regtest, SegmentMebibytes = 16 };

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>Where something is in the data folder.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, "data", name);

    /// <summary>Another data folder.</summary>
    public string NewFolder() => Directory.CreateDirectory(Path.Combine(_folder.FullName, Guid.NewGuid().ToString("N"))).FullName;

    /// <summary>In a database that nobody had.</summary>
    public EngineSettings InDatabase() => InDatabase(postgres.NewDatabase().ConnectionString);

    public EngineSettings InDatabase(string connectionString) => InFiles with { Journal = JournalKind.Postgres, PostgresConnectionFile = WriteConnection(connectionString) };

    public string WriteConnection(string connectionString)
    {
        var file = Path.Combine(_folder.FullName, "connection-" + Guid.NewGuid().ToString("N"));
        File.WriteAllText(file, connectionString + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    /// <summary>Runs a statement in a ledger's database, as an administrator would.</summary>
    public static object? Ask(EngineSettings database, string sql) => PostgresFixture.Ask(JournalStore.ToPostgres(database).ConnectionString, sql);

    /// <summary>As after checkpoints that cover so many entries.</summary>
    public void Sign(long entries)
    {
        Directory.CreateDirectory(PathOf("keys"));
        File.WriteAllText(PathOf("keys/last-signed"), $"{entries} {new string('a', 64)}\n");
    }

    /// <summary>What the copy comes to.</summary>
    public static Hash256 Move(EngineSettings from, EngineSettings to, MigrationProgress? progress = null) =>
        Assert.Single(JournalMigration.Run(from, to, NullLogger.Instance, progress ?? (static (_, _, _) => { })).Partitions).StateHash;

    public static string Refusal(EngineSettings from, EngineSettings to) => Assert.Throws<MigrationRefusedException>(() => Move(from, to)).Message;

    public static Hash256 StateOf(EngineSettings settings) => Assert.Single(LedgerReplay.Run(settings, NullLogger.Instance, static _ => { })).StateHash;

    /// <summary>Why a server does not start.</summary>
    public static async Task<Exception> StartAsync(EngineSettings settings) => (await Record.ExceptionAsync(async () =>
    {
        await using var engine = await LedgerEngine.OpenAsync(
            settings, null!, TimeProvider.System, NullLoggerFactory.Instance, static (_, _) => { }, CancellationToken.None);
    }))!;

    /// <summary>Begins a ledger in files, in batches of all sizes.</summary>
    public async Task<Hash256> BeginAsync()
    {
        DurableFolder.Ensure(_files, InFiles.DataFolder);
        var scratch = new byte[Limits.RecordBytesMax];
        var ledger = new Ledger(0);
        var journal = FileJournal.Open(_files, InFiles.DataFolder, JournalStore.ToFiles(InFiles, 0), batch => ledger.ReplayBatch(batch.Payload, scratch), NullLogger.Instance);
        await using var partition = BegunLedger.Over(journal, TimeProvider.System, ledger);
        partition.Start();
        await BegunLedger.BeginAsync(partition, TimeProvider.System, 1_000_000);
        await Task.WhenAll(Enumerable.Range(0, Wallets).Select(_ => CreateAsync(partition)));
        for (var i = 0; i < 10; i++) await CreateAsync(partition);
        return await partition.QueryAsync(after => after.StateHash());
    }

    /// <summary>Has a server on a database acknowledge some entries more.</summary>
    public static async Task<Hash256> AppendAsync(EngineSettings database)
    {
        await using var server = PostgresBook.Open(JournalStore.ToPostgres(database));
        for (var i = 0; i < 5; i++) Assert.Equal(Outcome.Accepted, (await CreateAsync(server.Partition)).Outcome);
        return await server.Partition.QueryAsync(after => after.StateHash());
    }

    public static Task<Answer> CreateAsync(Partition partition) =>
        partition.SubmitAsync(new CreateWallet(ClientIds.Next(TimeProvider.System), Ledger.OperatorTenant, ClientIds.NextWallet()));
}
