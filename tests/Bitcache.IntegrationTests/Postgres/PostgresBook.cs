using System.Collections.Concurrent;
using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

/// <summary>One owner of a ledger in PostgreSQL, from taking its journal over to its end: in production a process.</summary>
internal sealed class PostgresBook : IAsyncDisposable
{
    private readonly JournalDatabase? _owned;
    private readonly ConcurrentQueue<Exception> _ends = new();

    private PostgresBook(JournalDatabase database, bool owns, Func<IJournal, IJournal>? wrap)
    {
        _owned = owns ? database : null;
        Ledger = new Ledger(0);
        var scratch = new byte[Limits.RecordBytesMax];
        Journal = PostgresJournal.Open(database, 0, batch => Ledger.ReplayBatch(batch.Payload, scratch), NullLogger.Instance);
        if (Ledger.NextSequence > 0) Ledger.CheckEveryBalance();
        var clock = new BatchClock(TimeProvider.System, Ledger.Genesis is null ? null : Ledger.Time);
        Partition = new OwnedPartition(Ledger, wrap?.Invoke(Journal) ?? Journal, clock, NullLogger.Instance, (_, cause) => _ends.Enqueue(cause));
        Partition.Start();
    }

    public Ledger Ledger { get; }
    public PostgresJournal Journal { get; }
    public OwnedPartition Partition { get; }

    /// <summary>What ended it; in production the process ends there.</summary>
    public IReadOnlyCollection<Exception> Ends => _ends;

    public static PostgresBook Open(PostgresSettings settings, Func<IJournal, IJournal>? wrap = null)
    {
        var database = JournalDatabase.Open(settings);
        try
        {
            return new PostgresBook(database, owns: true, wrap);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>The same in a database that stays open.</summary>
    public static PostgresBook Open(JournalDatabase database) => new(database, owns: false, null);

    /// <summary>Makes a ledger whose operator has money.</summary>
    public Task<(WalletId Payer, WalletId Payee)> BeginAsync() => BegunLedger.BeginAsync(Partition, TimeProvider.System, 1_000_000);

    public ValueTask<PaymentAnswer> PayAsync(OperationId id, WalletId payer, WalletId payee) => Partition.SubmitAsync(
        new Payment { Kind = PaymentKind.Transfer, Id = id, Payer = payer, Payee = payee, Amount = new Msat(1) }, Ledger.OperatorTenant);

    public async ValueTask DisposeAsync()
    {
        await Partition.DisposeAsync();
        _owned?.Dispose();
    }
}
