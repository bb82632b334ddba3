// What a silo's copy of a large ledger takes: memory, the time to load it, and the time to take all its partitions over. Two
// processes' worth of partitions are in this one, over a PostgreSQL of its own; nothing is paid meanwhile.

using System.Diagnostics;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks;

internal sealed record CopiesBenchOptions(int Partitions, int Wallets, int Runs, string Folder);

internal sealed class CopiesBench : IPartitionOwner
{
    private const string Origin = "bench.example/log";
    private const string Database = "ledger";
    private const int MadeAtOnce = 8_192;

    private readonly List<Copy> _copies = [];

    public static async Task<BenchResult> RunAsync(CopiesBenchOptions options, CancellationToken cancel)
    {
        using var scratch = new ScratchFolder(options.Folder);
        await using var server = await LocalPostgres.StartAsync(scratch.Inside("postgresql"), "max_connections = 300\nmax_wal_size = 4GB\n", cancel);
        await server.RunAsync("createdb", [Database], cancel);
        var settings = new PostgresSettings { ConnectionString = server.ConnectionString(Database), Origin = Origin, Network = 3, Partitions = options.Partitions, Cluster = "bench" };
        var bench = new CopiesBench();
        await using var writer = await bench.OpenAsync(settings);
        foreach (var partition in writer.Partitions) await partition.PromoteAsync();
        await Console.Error.WriteLineAsync($"making {options.Wallets} wallets in {options.Partitions} partitions");
        await bench.MakeWalletsAsync(options.Wallets);

        var (loads, takeOvers) = (new List<double>(), new List<double>());
        long memory = 0;
        for (var run = 1; run <= options.Runs; run++)
        {
            var watch = Stopwatch.StartNew();
            await using var copy = await bench.OpenAsync(settings);
            loads.Add(watch.Elapsed.TotalSeconds);
            memory = (await copy.Set.QueryAllAsync(ledger => ledger.MemoryBytes.Wallets)).Sum();
            watch.Restart();
            await Task.WhenAll(copy.Partitions.Select(partition => partition.PromoteAsync()));
            takeOvers.Add(watch.Elapsed.TotalSeconds);
            if ((await copy.Set.QueryAllAsync(ledger => ledger.WalletCount)).Sum() != options.Wallets + options.Partitions) throw new BenchFailedException("a copy lacks wallets");
            await Console.Error.WriteLineAsync($"run {run} of {options.Runs}: loaded in {loads[^1]:0.0} s, taken over in {takeOvers[^1]:0.00} s");
        }
        return new BenchResult("copies", "s to take over", takeOvers, new Dictionary<string, double>(), new Dictionary<string, object>
        {
            ["partitions"] = options.Partitions,
            ["wallets"] = options.Wallets,
            ["bytesPerWallet"] = memory / (double)options.Wallets,
            ["secondsToLoad"] = BenchResult.Median(loads),
        });
    }

    public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) => WriterOf(partition).SubmitAsync(command, tenant, term);
    public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) => WriterOf(partition).SubmitAsync(payment, tenant);
    public ValueTask SubmitAsync(int partition, PaymentBlock block) => WriterOf(partition).SubmitAsync(block);
    public Task<bool> ConfirmClockAsync(int partition) => WriterOf(partition).ConfirmClockAsync();
    public Task<LedgerTime> TimeAsync(int partition) => WriterOf(partition).TimeAsync();

    private SharedPartition WriterOf(int partition) =>
        _copies.Select(copy => copy.Partitions[partition]).FirstOrDefault(one => one.IsOwned) ?? throw new PartitionUnavailableException(Unavailable.Busy);

    private async Task<Copy> OpenAsync(PostgresSettings settings)
    {
        var database = JournalDatabase.Open(settings);
        var tail = new JournalTail(database, NullLogger.Instance, Fail);
        var shared = new SharedLedger(
            database, tail, this, new RecoveryTerms(new SnapshotSettings(), ClientIds.DrawSecret()), TimeProvider.System, NullLogger.Instance, (_, cause) => Fail(cause));
        var partitions = new List<SharedPartition>();
        for (var number = 0; number < settings.Partitions; number++) partitions.Add(await SharedPartition.OpenAsync(number, shared));
        await tail.FreshAsync();
        var copy = new Copy(shared, partitions);
        _copies.Add(copy);
        return copy;
    }

    private async Task MakeWalletsAsync(int count)
    {
        var set = _copies[0].Set;
        var genesis = new Genesis(Origin, 3, set.Count, ClientIds.NextWallet(0, set.Count), new ByteString([0x51]), []);
        foreach (var partition in set.All) await partition.SubmitAsync(genesis);
        for (var first = 0; first < count; first += MadeAtOnce)
        {
            await Task.WhenAll(Enumerable.Range(first, Math.Min(MadeAtOnce, count - first)).Select(at => set[at % set.Count].SubmitAsync(
                new CreateWallet(ClientIds.Next(TimeProvider.System), Ledger.OperatorTenant, ClientIds.NextWallet(at % set.Count, set.Count)))));
        }
    }

    private static void Fail(Exception cause) => Environment.FailFast("a copy cannot go on", cause);

    private sealed class Copy(SharedLedger shared, IReadOnlyList<SharedPartition> partitions) : IAsyncDisposable
    {
        public IReadOnlyList<SharedPartition> Partitions => partitions;
        public PartitionSet Set { get; } = new(partitions, shared.Courier);

        public async ValueTask DisposeAsync()
        {
            await Set.DisposeAsync();
            shared.Tail.Dispose();
            shared.Database.Dispose();
        }
    }
}
