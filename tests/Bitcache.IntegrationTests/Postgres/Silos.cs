using System.Collections.Concurrent;
using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>Several processes that share a ledger, all in this one, each with connections of its own. A test says which of them has
/// a partition, as the cluster would.</summary>
internal sealed class Silos(PostgresSettings settings, SnapshotSettings? snapshots = null) : IPartitionOwner, IAsyncDisposable
{
    private readonly List<Silo> _all = [];
    // By partition.
    private readonly Silo?[] _owners = new Silo?[settings.Partitions];

    public Silo this[int number] => _all[number];
    public int Count => _all.Count;
    public string ConnectionString => settings.ConnectionString;
    public bool HasOwner => Owner(0) is not null;

    /// <summary>A cluster's settings: more than one may work on the database.</summary>
    public static Silos Of(PostgresSettings settings, SnapshotSettings? snapshots = null) => new(settings with { Cluster = "tests" }, snapshots);

    /// <param name="time">Its clocks; the system's if they are not given.</param>
    public async Task<Silo> StartAsync(TimeProvider? time = null)
    {
        var silo = await Silo.StartAsync(settings, snapshots ?? new SnapshotSettings(), this, time ?? TimeProvider.System);
        _all.Add(silo);
        return silo;
    }

    /// <summary>Whoever has a partition, as far as he knows; null for nobody.</summary>
    public Silo? Owner(int partition) => Volatile.Read(ref _owners[partition]) is { } silo && silo.Partitions[partition].IsOwned ? silo : null;

    /// <summary>Has a process take a partition over; what is sent to the owner comes to it from then on.</summary>
    public async Task PromoteAsync(Silo silo, int partition = 0)
    {
        await silo.Partitions[partition].PromoteAsync();
        Volatile.Write(ref _owners[partition], silo);
    }

    /// <summary>The same until the database serves.</summary>
    public async Task PromoteAgainAsync(Silo silo, int partition = 0)
    {
        while (!await TryPromoteAsync(silo, partition)) await Task.Yield();
    }

    /// <summary>The same of one that is handed on first, as in a rolling upgrade.</summary>
    public async Task MoveAsync(Silo from, Silo to, int partition = 0)
    {
        await from.Partitions[partition].DemoteAsync();
        await PromoteAsync(to, partition);
    }

    public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) => Written(partition).SubmitAsync(command, tenant, term);
    public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) => Written(partition).SubmitAsync(payment, tenant);
    public ValueTask SubmitAsync(int partition, PaymentBlock block) => Written(partition).SubmitAsync(block);
    public Task<bool> ConfirmClockAsync(int partition) => Written(partition).ConfirmClockAsync();
    public Task<LedgerTime> TimeAsync(int partition) => Written(partition).TimeAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _all) await silo.DisposeAsync();
    }

    private async Task<bool> TryPromoteAsync(Silo silo, int partition)
    {
        try
        {
            await PromoteAsync(silo, partition);
            return true;
        }
        catch (Exception e) when (silo.Ends.Count == 0 && e is (JournalRefusedException or PartitionUnavailableException))
        {
            return false;
        }
    }

    /// <summary>Whoever is asked and does not have it refuses, or two would ask one another for ever.</summary>
    private SharedPartition Written(int partition) => Owner(partition)?.Partitions[partition] ?? throw new PartitionUnavailableException(Unavailable.Busy);
}

/// <summary>One process of them.</summary>
internal sealed class Silo : IAsyncDisposable
{
    private readonly ConcurrentQueue<Exception> _ends = new();
    private readonly JournalDatabase _database;

    private Silo(JournalDatabase database)
    {
        _database = database;
        Tail = new JournalTail(database, NullLogger.Instance, _ends.Enqueue);
    }

    public JournalTail Tail { get; }
    public SharedPartition[] Partitions { get; private set; } = [];
    public SharedPartition Partition => Partitions[0];
    public PartitionSet Set { get; private set; } = null!;
    public LegCourier? Courier { get; private set; }

    /// <summary>By partition, of the journal that it writes now, or wrote last.</summary>
    public PausableJournal[] Journals { get; private set; } = [];
    public PausableJournal Journal => Journals[0];

    /// <summary>What would have ended the process.</summary>
    public IReadOnlyCollection<Exception> Ends => _ends;

    public static async Task<Silo> StartAsync(PostgresSettings settings, SnapshotSettings snapshots, IPartitionOwner owner, TimeProvider time)
    {
        var silo = new Silo(JournalDatabase.Open(settings)) { Journals = new PausableJournal[settings.Partitions] };
        var shared = new SharedLedger(
            silo._database, silo.Tail, owner, new RecoveryTerms(snapshots, ClientIds.DrawSecret()), time, NullLogger.Instance,
            (_, cause) => silo._ends.Enqueue(cause), new PartitionBounds { BatchBytes = 2 * Limits.RecordBytesMax, BatchEntries = 1_000 })
        {
            Between = journal => silo.Journals[((PostgresJournal)journal).Head.Partition] = new PausableJournal(journal),
        };
        silo.Partitions = await Task.WhenAll(Enumerable.Range(0, settings.Partitions).Select(number => SharedPartition.OpenAsync(number, shared)));
        (silo.Courier, silo.Set) = (shared.Courier, new PartitionSet(silo.Partitions, shared.Courier));
        return silo;
    }

    public Task<(WalletId Payer, WalletId Payee)> BeginAsync() => BegunLedger.BeginAsync(Partition, TimeProvider.System, 1_000_000);

    public ValueTask<PaymentAnswer> PayAsync(OperationId id, WalletId payer, WalletId payee) => Set.SubmitAsync(
        new Payment { Kind = PaymentKind.Transfer, Id = id, Payer = payer, Payee = payee, Amount = new Msat(1) }, Ledger.OperatorTenant);

    public Task<long> BalanceAsync(WalletId wallet) => Partition.QueryAsync(ledger => ledger.FindWallet(wallet)!.Value.Available.Value);

    /// <summary>The state at a sequence: where two processes are at the same, they have the same.</summary>
    public Task<(long Next, Hash256 State)> StateAsync() => Partition.QueryAsync(ledger => (ledger.NextSequence, ledger.StateHash()));

    public async ValueTask DisposeAsync()
    {
        await Set.DisposeAsync();
        Tail.Dispose();
        _database.Dispose();
    }
}
