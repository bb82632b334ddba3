using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>Two processes that share two partitions. Each keeps the balances of an epoch in both, whoever closes the books, until
/// the first partition's journal says that they are closed.</summary>
[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class EpochReleaseTests(PostgresFixture postgres)
{
    private static readonly WalletId Operator = ClientIds.NextWallet(0, 2);

    [Fact]
    public async Task Balances_are_kept_in_every_copy_until_the_first_partition_says_that_the_books_are_closed()
    {
        var settings = postgres.NewDatabase() with { Cluster = "tests", Partitions = 2 };
        await using var writer = await Process.StartAsync(settings);
        await using var other = await Process.StartAsync(settings);
        foreach (var partition in writer.Partitions)
        {
            await partition.PromoteAsync();
            await partition.SubmitAsync(new Genesis("tests.example/log", 3, 2, Operator, new ByteString([0x51]), []));
            await partition.SubmitAsync(new EpochCut(default, 1));
        }
        Assert.Equal("1 1 1 1", await KeptAsync(writer, other));

        // Somebody reads those of the copies; the writer's are nobody's.
        foreach (var partition in other.Partitions) await partition.QueryAsync(ledger => ledger.HoldBalances(1) is not null);
        await StateAsync(writer, 1);
        Assert.Equal("- - 1 1", await KeptAsync(writer, other));
        foreach (var partition in other.Partitions) await partition.QueryAsync(ledger => ledger.LetGo(ledger.Balances.ToHashSet()));
        Assert.Equal("- - - -", await KeptAsync(writer, other));

        // Those of the next epoch stay.
        foreach (var partition in writer.Partitions) await partition.SubmitAsync(new EpochCut(default, 2));
        Assert.Equal("2 2 2 2", await KeptAsync(writer, other));
        // What the first partition says on one silo holds for what the others write on another.
        await other.Partitions[1].PromoteAsync();
        await StateAsync(writer, 2);
        Assert.Equal("- - - -", await KeptAsync(writer, other));
    }

    private static async Task StateAsync(Process writer, long epoch)
    {
        var statement = new EpochStatement(epoch, 1, 1, default, default, default, default, default);
        Assert.Equal(Outcome.Accepted, (await writer.Partitions[0].SubmitAsync(new StateEpoch(statement))).Outcome);
    }

    /// <summary>The epochs whose balances are kept, in each partition of each process.</summary>
    private static async Task<string> KeptAsync(params Process[] processes)
    {
        // What a process learns in its first partition it acts on in the others when it comes to them again.
        foreach (var partition in processes.SelectMany(process => process.Partitions)) await partition.QueryAsync(_ => true);
        foreach (var partition in processes.SelectMany(process => process.Partitions)) await partition.QueryAsync(_ => true);
        var kept = await Task.WhenAll(processes.SelectMany(process => process.Partitions).Select(partition =>
            partition.QueryAsync(ledger => ledger.HasBalances ? string.Join(',', ledger.Balances.Select(b => b.Epoch)) : "-")));
        return string.Join(' ', kept);
    }

    private sealed class Process : IPartitionOwner, IAsyncDisposable
    {
        private readonly JournalDatabase _database;
        private readonly JournalTail _tail;

        private Process(PostgresSettings settings)
        {
            _database = JournalDatabase.Open(settings);
            _tail = new JournalTail(_database, NullLogger.Instance, Fail);
        }

        public SharedPartition[] Partitions { get; private set; } = [];

        public static async Task<Process> StartAsync(PostgresSettings settings)
        {
            var process = new Process(settings);
            var shared = new SharedLedger(
                process._database, process._tail, process, new RecoveryTerms(new SnapshotSettings(), ClientIds.DrawSecret(), KeepsBalances: true), TimeProvider.System,
                NullLogger.Instance, (_, cause) => Fail(cause), new PartitionBounds { BatchBytes = 2 * Limits.RecordBytesMax });
            process.Partitions = [await SharedPartition.OpenAsync(0, shared), await SharedPartition.OpenAsync(1, shared)];
            return process;
        }

        // All that is sent here is sent to the writer.
        public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) => throw new PartitionUnavailableException(Unavailable.Busy);
        public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) => throw new PartitionUnavailableException(Unavailable.Busy);
        public ValueTask SubmitAsync(int partition, PaymentBlock block) => throw new PartitionUnavailableException(Unavailable.Busy);
        public Task<bool> ConfirmClockAsync(int partition) => throw new PartitionUnavailableException(Unavailable.Busy);
        public Task<LedgerTime> TimeAsync(int partition) => throw new PartitionUnavailableException(Unavailable.Busy);

        public async ValueTask DisposeAsync()
        {
            foreach (var partition in Partitions) await partition.DisposeAsync();
            _tail.Dispose();
            _database.Dispose();
        }

        private static void Fail(Exception cause) => throw new InvalidOperationException("the process would end", cause);
    }
}
