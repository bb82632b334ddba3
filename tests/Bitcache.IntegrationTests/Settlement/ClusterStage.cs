// Engines of several silos in one process, over one real PostgreSQL and one real node, each with a data folder and connections of
// its own. What the cluster decides, a test does: who writes a partition and who settles.

using System.Collections.Concurrent;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.IntegrationTests.Postgres;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Settlement;

internal sealed class ClusterStage(RegtestNode node, PostgresFixture postgres) : IPartitionOwner, IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-cluster-");
    private readonly List<LedgerEngine> _silos = [];
    private readonly ConcurrentQueue<string> _ends = [];
    private string? _connection;

    public LedgerEngine this[int silo] => _silos[silo];
    public IReadOnlyList<LedgerEngine> Silos => _silos;
    public int Partitions { get; init; } = 1;

    /// <summary>Stands between a silo and the writer of a partition on another: for faults.</summary>
    public Func<Command, Func<Task<Answer>>, Task<Answer>>? Between { get; set; }

    /// <summary>What would have ended a process.</summary>
    public IReadOnlyCollection<string> Ends => _ends;
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Where a silo's keys are.</summary>
    public string KeysOf(int silo) => Path.Combine(FolderOf(silo), "keys");
    public string FolderOf(int silo) => Path.Combine(_folder.FullName, $"silo{silo}");
    public string ConnectionString => File.ReadAllText(_connection!);

    public async Task<LedgerEngine> JoinAsync()
    {
        var engine = await LedgerEngine.JoinAsync(
            SettingsOf(_silos.Count), $"silo {_silos.Count} {Guid.NewGuid()}", this, node.Node, null, TimeProvider.System, NullLoggerFactory.Instance,
            (why, cause) => _ends.Enqueue($"{why}: {cause}"));
        _silos.Add(engine);
        return engine;
    }

    public EngineSettings SettingsOf(int silo) => new()
    {
        DataFolder = FolderOf(silo),
        Partitions = Partitions,
        Origin = "ledger.test/log",
        Network = BitcoinNetwork.Regtest,
        ConfirmationsToCredit = [new ConfirmationRule(0, EngineHarness.ToCredit)],
        FinalityDepth = EngineHarness.ToFinal,
        PollInterval = TimeSpan.FromMinutes(10),
        FallbackFeeRate = 2,
        FeeTargetBlocks = EngineHarness.Target,
        FeeCapSat = 20_000,
        SegmentMebibytes = 16,
        Journal = JournalKind.Postgres,
        PostgresConnectionFile = ConnectionFile(),
        SnapshotsInDatabase = true,
        Cluster = "tests",
    };

    /// <summary>As an operator does it once there is a ledger.</summary>
    public void CopyKeys(int from, int to)
    {
        foreach (var file in Directory.GetFiles(KeysOf(from))) File.Copy(file, Path.Combine(KeysOf(to), Path.GetFileName(file)));
    }

    /// <summary>Has a silo write all partitions.</summary>
    public async Task PromoteAsync(int silo)
    {
        foreach (var partition in _silos[silo].Partitions.All) await ((SharedPartition)partition).PromoteAsync();
    }

    /// <summary>Gives settlement to a silo, and waits until it has begun.</summary>
    public async Task SettleFromAsync(int silo)
    {
        _silos[silo].BeginSettling();
        while (!_silos[silo].Settles)
        {
            Cancel.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term)
    {
        Task<Answer> SendAsync() => OwnerOf(partition).SubmitAsync(command, tenant, term);
        return Between is { } between ? between(command, SendAsync) : SendAsync();
    }

    public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) => OwnerOf(partition).SubmitAsync(payment, tenant);
    public ValueTask SubmitAsync(int partition, PaymentBlock block) => OwnerOf(partition).SubmitAsync(block);
    public Task<bool> ConfirmClockAsync(int partition) => OwnerOf(partition).ConfirmClockAsync();
    public Task<LedgerTime> TimeAsync(int partition) => OwnerOf(partition).TimeAsync();

    /// <summary>Ends all silos.</summary>
    public async Task EndAsync()
    {
        // Whoever settles needs the partitions that others write.
        foreach (var silo in _silos) await silo.EndSettlingAsync();
        foreach (var silo in _silos) await silo.DisposeAsync();
        _silos.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _folder.Delete(recursive: true);
    }

    private SharedPartition OwnerOf(int partition) =>
        _silos.Select(silo => (SharedPartition)silo.Partitions[partition]).FirstOrDefault(one => one.IsOwned) ?? throw new PartitionUnavailableException(Unavailable.Busy);

    private string ConnectionFile()
    {
        if (_connection is not null) return _connection;
        _connection = Path.Combine(_folder.FullName, "connection");
        File.WriteAllText(_connection, postgres.NewDatabase().ConnectionString);
        File.SetUnixFileMode(_connection, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return _connection;
    }
}
