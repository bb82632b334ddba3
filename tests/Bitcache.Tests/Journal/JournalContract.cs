// What every journal promises to its callers, whatever it is kept in: the same tests for files and for PostgreSQL.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;

namespace Bitcache.Tests.Journal;

public abstract class JournalContract
{
    /// <summary>Opens the journal, again if it was opened before, and replays what is behind a start.</summary>
    protected abstract IJournal Open(ReplayBatch replay, JournalStart? start = null);

    /// <summary>Has done what is done off the payment path.</summary>
    protected abstract void TakeTurns(IJournal journal);

    [Fact]
    public void What_was_appended_is_there_after_reopening_and_found_by_sequence()
    {
        var records = new List<byte[]>();
        using (var journal = Open(_ => { }))
        {
            // Small batches, batches of many index entries, records that cover several sequences, and new segments.
            foreach (var (count, bytes) in new[] { (1, 64), (3, 200), (2_000, 150), (1, 300_000), (5, 9), (4, 200_000), (1, 64) })
                Append(journal, records, Enumerable.Range(0, count).Select(i => TestBatch.Record(bytes, 1 + (i % 3), i + bytes)));
            RequireAll(journal, records);
            journal.Seal();
        }

        var replayed = new List<byte[]>();
        using var again = Open(batch => replayed.AddRange(TestBatch.Split(batch.Payload)));

        Assert.Equal(records, replayed);
        Assert.Equal(records.Sum(TestBatch.Sequences) - 1, again.DurableSequence);
        RequireAll(again, records);
        Append(again, records, [TestBatch.Record(64, 1, 1)]);
        RequireAll(again, records);
    }

    [Fact]
    public void Any_run_of_sequences_is_read_whole_and_in_order()
    {
        var records = new List<byte[]>();
        using var journal = Open(_ => { });
        var random = new Random(5);
        for (var batch = 0; batch < 60; batch++)
        {
            var (count, bytes) = (1 + random.Next(batch % 10 == 0 ? 900 : 4), 20 + random.Next(300));
            Append(journal, records, Enumerable.Range(0, count).Select(i => TestBatch.Record(bytes, 1 + (i % 2), i + bytes)));
        }
        var covering = records.SelectMany(record => Enumerable.Repeat(record, TestBatch.Sequences(record))).ToArray();
        for (var run = 0; run < 200; run++)
        {
            var first = random.Next(covering.Length);
            var count = 1 + random.Next(covering.Length - first);
            var read = new List<byte[]>();
            journal.ReadRecords(first, count, record => read.Add(record.ToArray()));
            // A record that covers two sequences comes once.
            byte[][] expected = [.. covering[first..(first + count)].Distinct(ReferenceEqualityComparer.Instance).Cast<byte[]>()];
            Assert.Equal(expected.Length, read.Count);
            // A million records in all: xunit would compare their bytes one by one.
            Assert.All(expected.Zip(read), pair => Assert.True(pair.First.AsSpan().SequenceEqual(pair.Second)));
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => journal.ReadRecords(covering.Length - 1, 2, _ => { }));
    }

    [Fact]
    public async Task Readers_see_durable_records_while_the_writer_appends()
    {
        const int batches = 300;
        using var journal = Open(_ => { });
        var writing = true;
        var readers = Enumerable.Range(0, 2).Select(reader => Task.Run(() =>
        {
            var random = new Random(reader);
            while (Volatile.Read(ref writing))
            {
                if (journal.DurableSequence < 0) continue;
                var sequence = random.Next((int)journal.DurableSequence + 1);
                Assert.Equal(TestBatch.Record(5_000, 1, sequence), Read(journal, sequence));
            }
        }, TestContext.Current.CancellationToken)).ToArray();
        try
        {
            for (var i = 0; i < batches; i++) Append(journal, [], [TestBatch.Record(5_000, 1, i)], i);
        }
        finally
        {
            Volatile.Write(ref writing, false);
        }
        await Task.WhenAll(readers);
        Assert.Equal(batches - 1, journal.DurableSequence);
    }

    [Fact]
    public void A_caller_that_breaks_the_contract_is_refused_before_anything_is_written()
    {
        var record = TestBatch.Record(40, 2, 0);
        using var journal = Open(_ => { });
        Assert.Throws<InvalidOperationException>(() => journal.Append(record, 0, 2));
        Assert.True(journal.TryReserve(40));
        Assert.Throws<ArgumentOutOfRangeException>(() => journal.Append(record, 1, 2));
        Assert.Throws<ArgumentException>(() => journal.Append(record, 0, 1));
        Assert.Throws<ArgumentException>(() => journal.Append(record.AsSpan(0, 39), 0, 2));

        journal.Append(record, 0, 2);

        Assert.Equal(1, journal.DurableSequence);
        Assert.Throws<InvalidOperationException>(() => journal.Append(record, 2, 2));
    }

    [Fact]
    public void Two_batches_that_were_reserved_together_are_appended_one_after_the_other()
    {
        using var journal = Open(_ => { });
        for (var i = 0; i < 20; i++)
        {
            Assert.True(journal.TryReserve(2 * 1_000, batches: 2));
            journal.Append(TestBatch.Record(1_000, 1, i), i, 1);
        }
        Assert.Equal(19, journal.DurableSequence);
    }

    [Fact]
    public void A_start_replays_what_is_behind_it_and_only_in_its_own_journal()
    {
        var records = new List<byte[]>();
        Hash256 chain, later;
        using (var journal = Open(_ => { }))
        {
            for (var i = 0; i < 10; i++) Append(journal, records, [TestBatch.Record(100, 1, i)]);
            chain = journal.ChainHash;
            Append(journal, records, [TestBatch.Record(100, 2, 10)]);
            Append(journal, records, [TestBatch.Record(100, 1, 11)]);
            later = journal.ChainHash;
            Assert.NotEqual(chain, later);
        }
        var replayed = new List<byte[]>();
        using (var again = Open(batch => replayed.AddRange(TestBatch.Split(batch.Payload)), new JournalStart("kept", 10, chain)))
        {
            Assert.Equal(records[10..], replayed);
            Assert.Equal((12, later), (again.DurableSequence, again.ChainHash));
            RequireAll(again, records);
        }
        foreach (var foreign in new JournalStart[] { new("other", 10, later), new("amid", 11, chain), new("beyond", 14, chain) })
            Assert.Throws<SnapshotMismatchException>(() => Open(_ => { }, foreign));
        using var unharmed = Open(_ => { });
        Assert.Equal((12, later), (unharmed.DurableSequence, unharmed.ChainHash));
    }

    [Fact]
    public void Ids_are_found_by_their_owner_and_ids_that_nobody_used_are_not()
    {
        const int ids = 700;
        using var journal = Open(_ => { });
        TakeTurns(journal);
        for (var number = 0; number < ids; number += 7)
        {
            var batch = Enumerable.Range(number, 7).Select(i => IdRecord.Of(IdRecord.Identity(i, IdRecord.Time + i), i)).ToArray();
            Append(journal, [], batch, number);
        }
        for (var number = 0; number < ids; number += 11)
        {
            var identity = IdRecord.Identity(number, IdRecord.Time + number);
            Assert.Equal(number, journal.FindId(identity.Owner, identity.Id));
            Assert.Null(journal.FindId(new WalletId(77), identity.Id));
        }
        var unknown = IdRecord.Identity(ids, IdRecord.Time + ids);
        Assert.Null(journal.FindId(unknown.Owner, unknown.Id));
    }

    protected static void Append(IJournal journal, ICollection<byte[]> records, IEnumerable<byte[]> batch, long? first = null)
    {
        byte[][] added = [.. batch];
        var payload = TestBatch.Payload(added);
        Assert.True(journal.TryReserve(payload.Length));
        journal.Append(payload, first ?? records.Sum(TestBatch.Sequences), added.Sum(TestBatch.Sequences));
        foreach (var record in added) records.Add(record);
    }

    protected static byte[] Read(IJournal journal, long sequence)
    {
        byte[]? found = null;
        journal.ReadRecords(sequence, 1, record => found = record.ToArray());
        return found!;
    }

    /// <summary>Every record is found by each of its sequences, as it was appended.</summary>
    protected static void RequireAll(IJournal journal, IReadOnlyList<byte[]> records)
    {
        long sequence = 0;
        foreach (var record in records)
        {
            // Of many small ones not all: each is a read of its own.
            for (var covered = TestBatch.Sequences(record); covered > 0; covered--, sequence++)
            {
                if (records.Count < 100 || sequence % 17 == 0) Assert.True(record.AsSpan().SequenceEqual(Read(journal, sequence)));
            }
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => Read(journal, sequence));
    }
}
