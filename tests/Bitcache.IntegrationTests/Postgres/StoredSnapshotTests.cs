// Snapshots in the database of the journal, as a cluster has them.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class StoredSnapshotTests(PostgresFixture postgres)
{
    private const int Wallets = 40_000;

    [Fact]
    public async Task A_start_goes_on_from_a_snapshot_in_the_database_and_from_the_journal_where_it_is_damaged()
    {
        var settings = postgres.NewDatabase();
        using var database = JournalDatabase.Open(settings);
        Hash256 state;
        var book = Open(database);
        Assert.Null(book.Start);
        await using (var partition = Start(book))
        {
            await BegunLedger.BeginAsync(partition, TimeProvider.System, 1_000_000);
            // More than one block of a file.
            await Task.WhenAll(Enumerable.Range(0, Wallets).Select(_ => partition.SubmitAsync(
                new CreateWallet(ClientIds.Next(TimeProvider.System), Ledger.OperatorTenant, ClientIds.NextWallet()))));
            book.Snapshots.Request();
            while (book.Snapshots.Taken == 0) await partition.QueryAsync(ledger => ledger.NextSequence);
            await partition.SubmitAsync(new CreateWallet(ClientIds.Next(TimeProvider.System), Ledger.OperatorTenant, ClientIds.NextWallet()));
            state = await partition.QueryAsync(ledger => ledger.StateHash());
        }
        Assert.True((long)PostgresFixture.Ask(settings.ConnectionString, "SELECT count(*) FROM bitcache.file_blocks WHERE block = 2")! > 0);
        Assert.Equal(2L, PostgresFixture.Ask(settings.ConnectionString, "SELECT count(*) FROM bitcache.files"));

        using (var again = Open(database).Journal) Assert.NotNull(again);
        var recovered = Open(database);
        Assert.NotNull(recovered.Start);
        Assert.Equal(state, recovered.Ledger.StateHash());
        recovered.Journal.Dispose();
        recovered.Snapshots.Dispose();

        PostgresFixture.Execute(settings.ConnectionString, "UPDATE bitcache.file_blocks SET content = set_byte(content, 500, 255 - get_byte(content, 500)) WHERE block = 1");
        var replayed = Open(database);
        Assert.Null(replayed.Start);
        Assert.Equal(state, replayed.Ledger.StateHash());
        replayed.Journal.Dispose();
        replayed.Snapshots.Dispose();
    }

    /// <summary>An owner that was replaced while it wrote a snapshot takes nothing away from the new one.</summary>
    [Fact]
    public void Who_was_replaced_replaces_and_removes_no_file()
    {
        using var database = JournalDatabase.Open(postgres.NewDatabase());
        var first = Files(out var journal);
        using var firstJournal = journal;
        Write(first, "/a", "old");
        Write(first, "/b", "new");
        var second = Files(out journal);
        using var secondJournal = journal;
        Assert.Throws<WriterFencedException>(() => first.Replace("/b", "/a"));
        first.Delete("/a");
        Assert.Equal(["a", "b"], second.List("/").Order(StringComparer.Ordinal));
        second.Replace("/b", "/a");
        Assert.Equal(["a"], second.List("/"));
        using (var file = second.Open("/a")) Assert.Equal(3, file.Length);
        second.Delete("/a");
        Assert.Empty(second.List("/"));

        PostgresFiles Files(out PostgresJournal opened)
        {
            opened = PostgresJournal.Open(database, 0, _ => { }, NullLogger.Instance);
            return new PostgresFiles(database, 0) { Epoch = opened.Recovery.WriterEpoch };
        }

        static void Write(PostgresFiles files, string path, string text)
        {
            using var file = files.Create(path);
            file.Write(0, System.Text.Encoding.ASCII.GetBytes(text));
            file.SyncData();
        }
    }

    private static RecoveredLedger<PostgresJournal> Open(JournalDatabase database) => LedgerRecovery.Open(
        database, 0, null, new RecoveryTerms(new SnapshotSettings { BytesPerSecond = 0 }, 1), NullLogger.Instance);

    private static OwnedPartition Start(RecoveredLedger<PostgresJournal> book)
    {
        var partition = new OwnedPartition(
            book.Ledger, book.Journal, new BatchClock(TimeProvider.System, null), NullLogger.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause), snapshots: book.Snapshots);
        partition.Start();
        book.Snapshots.Start((why, cause) => throw new InvalidOperationException(why, cause));
        return partition;
    }
}
