// The journal in a real PostgreSQL: what every journal promises, and what is this one's own: fencing, damage, runs.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Tests.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class PostgresJournalTests : JournalContract, IDisposable
{
    private readonly PostgresSettings _settings;
    private JournalDatabase? _database;

    public PostgresJournalTests(PostgresFixture postgres) => _settings = postgres.NewDatabase();

    public void Dispose() => _database?.Dispose();

    protected override IJournal Open(ReplayBatch replay, JournalStart? start = null) =>
        PostgresJournal.Open(_database ??= JournalDatabase.Open(_settings), 0, replay, NullLogger.Instance, start: start);

    protected override void TakeTurns(IJournal journal) => TakeTurns((PostgresJournal)journal);

    private static void TakeTurns(PostgresJournal journal)
    {
        while (journal.Upkeep.TakeTurn())
        {
        }
    }

    [Fact]
    public void Whoever_opens_it_later_is_the_only_one_who_appends_and_answers()
    {
        using var first = Open(_ => { });
        Append(first, [], [TestBatch.Record(100, 1, 0)], 0);
        first.Confirm();
        using var second = Open(_ => { });

        Assert.True(first.TryReserve(100));
        Assert.Throws<WriterFencedException>(() => first.Append(TestBatch.Record(100, 1, 1), 1, 1));
        Assert.Throws<JournalFailedException>(first.Confirm);
        Assert.Throws<JournalFailedException>(() => Read(first, 0));

        Append(second, [], [TestBatch.Record(100, 1, 2)], 1);
        second.Confirm();
        Assert.Equal(TestBatch.Record(100, 1, 2), Read(second, 1));
        Assert.Equal(2L, PostgresFixture.Ask(_settings.ConnectionString, "SELECT count(*) FROM bitcache.batches"));
    }

    [Fact]
    public void Who_was_replaced_while_nothing_was_appended_is_told_by_the_next_confirmation()
    {
        using var first = Open(_ => { });
        using var second = Open(_ => { });
        Assert.Throws<WriterFencedException>(first.Confirm);
        Assert.Throws<JournalFailedException>(() => first.TryReserve(10));
        second.Confirm();
    }

    /// <summary>The statement itself checks: another writer's head, whatever this process believes.</summary>
    [Theory]
    [InlineData("writer_epoch = writer_epoch + 1")]
    [InlineData("next_sequence = next_sequence + 1")]
    [InlineData("chain = sha256('another')")]
    public void A_writer_that_is_not_where_the_journal_is_writes_no_row(string change)
    {
        using var journal = Open(_ => { });
        Append(journal, [], [TestBatch.Record(100, 1, 0)], 0);
        PostgresFixture.Execute(_settings.ConnectionString, $"UPDATE bitcache.partitions SET {change}");
        Assert.True(journal.TryReserve(100));
        Assert.Throws<WriterFencedException>(() => journal.Append(TestBatch.Record(100, 1, 1), 1, 1));
        Assert.Equal(1L, PostgresFixture.Ask(_settings.ConnectionString, "SELECT count(*) FROM bitcache.batches"));
    }

    [Theory]
    [InlineData("UPDATE bitcache.batches SET frame = set_byte(frame, 40, 255 - get_byte(frame, 40)) WHERE first_sequence = 3")]
    [InlineData("UPDATE bitcache.batches SET frame = set_byte(frame, 150, 255 - get_byte(frame, 150)) WHERE first_sequence = 3")]
    [InlineData("UPDATE bitcache.batches SET frame = substring(frame FROM 1 FOR 80) WHERE first_sequence = 3")]
    [InlineData("UPDATE bitcache.batches SET sequences = 2 WHERE first_sequence = 3")]
    [InlineData("DELETE FROM bitcache.batches WHERE first_sequence = 3")]
    [InlineData("DELETE FROM bitcache.batches WHERE first_sequence = 9")]
    [InlineData("UPDATE bitcache.batches a SET frame = b.frame FROM bitcache.batches b WHERE a.first_sequence = 3 AND b.first_sequence = 4")]
    [InlineData("UPDATE bitcache.partitions SET next_sequence = 9")]
    [InlineData("UPDATE bitcache.partitions SET chain = sha256('another')")]
    public void What_was_changed_in_the_tables_is_found_by_whoever_opens_it(string change)
    {
        using (var journal = Open(_ => { }))
        {
            for (var i = 0; i < 10; i++) Append(journal, [], [TestBatch.Record(100, 1, i)], i);
        }
        PostgresFixture.Execute(_settings.ConnectionString, change);
        Assert.Throws<JournalCorruptException>(() => Open(_ => { }));
    }

    [Fact]
    public void A_part_of_a_frame_that_was_changed_is_not_given_to_a_reader()
    {
        using var journal = Open(_ => { });
        Append(journal, [], Enumerable.Range(0, 1_000).Select(i => TestBatch.Record(200, 1, i)), 0);
        PostgresFixture.Execute(_settings.ConnectionString, "UPDATE bitcache.batches SET frame = set_byte(frame, 100000, 255 - get_byte(frame, 100000))");
        Assert.Equal(TestBatch.Record(200, 1, 3), Read(journal, 3));
        Assert.Throws<JournalCorruptException>(() => Read(journal, 100_000 / 200));
    }

    [Fact]
    public void Reading_it_all_changes_nothing_and_hinders_nobody()
    {
        var records = new List<byte[]>();
        using var journal = Open(_ => { });
        for (var i = 0; i < 10; i++) Append(journal, records, [TestBatch.Record(100, 1, i)]);
        var read = new List<byte[]>();
        var report = PostgresJournal.Read(_database!, 0, batch => read.AddRange(TestBatch.Split(batch.Payload)));
        Assert.Equal(records, read);
        Assert.Equal((10, 10), (report.Frames, report.Sequences));
        Append(journal, records, [TestBatch.Record(100, 1, 10)]);
    }

    /// <summary>Ids of runs, of runs in the archive and of what is in no run yet; with keys so short that many collide.</summary>
    [Fact]
    public void Ids_are_found_in_runs_in_the_archive_and_behind_them_also_after_reopening()
    {
        const int ids = 600;
        using var database = JournalDatabase.Open(_settings with { RunBytes = 10_000, ArchiveAfterRuns = 2, IdKeyBits = 6 });
        using (var journal = PostgresJournal.Open(database, 0, _ => { }, NullLogger.Instance))
        {
            Assert.Throws<IdsNotIndexedException>(() => journal.FindId(default, default));
            for (var number = 0; number < ids; number++)
            {
                Append(journal, [], [IdRecord.Of(IdRecord.Identity(number, IdRecord.Time + number), number)], number);
                if (number % 50 == 0) TakeTurns(journal);
            }
            RequireIds(journal, ids);
            TakeTurns(journal);
            RequireIds(journal, ids);
        }
        var archived = (long)PostgresFixture.Ask(_settings.ConnectionString, "SELECT count(*) FROM bitcache.archived_batches")!;
        Assert.True(archived > 100, $"{archived} batches are in the archive");
        // One filter is damaged, and made again.
        PostgresFixture.Execute(_settings.ConnectionString, "UPDATE bitcache.runs SET filter = set_byte(filter, 30, 255 - get_byte(filter, 30)) WHERE first_sequence = 0");
        var replayed = 0;
        using var again = PostgresJournal.Open(database, 0, batch => replayed += batch.Sequences, NullLogger.Instance);
        TakeTurns(again);
        Assert.Equal(ids, replayed);
        RequireIds(again, ids);
    }

    private static void RequireIds(PostgresJournal journal, int ids)
    {
        for (var number = 0; number < ids; number += 3)
        {
            var identity = IdRecord.Identity(number, IdRecord.Time + number);
            Assert.Equal(number, journal.FindId(identity.Owner, identity.Id));
            Assert.Null(journal.FindId(new WalletId(77), identity.Id));
        }
    }
}
