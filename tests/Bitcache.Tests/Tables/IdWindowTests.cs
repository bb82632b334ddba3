using Bitcache.Core;
using Bitcache.Tests.Ledgers;

namespace Bitcache.Tests.Tables;

[Trait("suite", "core")]
public sealed class IdWindowTests
{
    private const long Start = 1_800_000_000_000;

    private sealed record Known(long Owner, OperationId Id, long Sequence, bool ForEver);

    /// <summary>Against a list that is searched from end to end: ids around the borders of slices, floors inside them.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_remembers_what_a_plain_list_remembers(int seed)
    {
        var random = new Random(seed);
        var window = new IdWindow((ulong)seed);
        var list = new List<Known>();
        var (now, floor) = (Start, new UnixTime(0));
        for (var sequence = 0; sequence < 20_000; sequence++)
        {
            now += random.Next(3);
            var id = OperationId.Create(new UnixTime(now - random.Next(3_000)), (UInt128)random.NextInt64());
            var owner = random.Next(5);
            if (id.Time >= floor)
            {
                var known = new Known(owner, id, sequence, random.Next(10) == 0);
                list.Add(known);
                window.Add(owner, id, sequence, known.ForEver);
            }
            if (random.Next(500) == 0)
            {
                floor = new UnixTime(Math.Max(floor.Milliseconds, now - random.Next(4_000)));
                window.ForgetBelow(floor);
                list.RemoveAll(k => !k.ForEver && k.Id.Time < floor);
                Assert.Equal(list.Count, window.Count);
                foreach (var k in list) Assert.Equal(k.Sequence, window.Find(k.Owner, k.Id));
            }
            // Whether or not the floor has passed that time.
            if (random.Next(50) == 0) Assert.Equal(SlicesAhead(now - 1_500).Count(), window.CountAhead(new UnixTime(now - 1_500)).Ids);
            var present = Math.Max(floor.Milliseconds, now - 1_500);
            if (random.Next(50) == 0) Assert.Equal(SlicesAhead(present).Distinct().Count(), window.CountAhead(new UnixTime(present)).Slices);
            Assert.Null(window.Find(5, id));
            Assert.Null(window.Find(owner, OperationId.Create(id.Time, (UInt128)random.NextInt64())));
        }
        Assert.Equal(list.Count(k => k.ForEver), window.ForEverCount);

        IEnumerable<long> SlicesAhead(long time) =>
            list.Where(k => k.Id.Time >= floor).Select(k => k.Id.Time.Milliseconds / 1_024).Where(slice => slice > time / 1_024);
    }

    [Fact]
    public void The_floor_that_makes_room_makes_it()
    {
        var window = new IdWindow(1);
        for (var i = 0; i < 10_000; i++) window.Add(0, OperationId.Create(new UnixTime(Start + i), (UInt128)i), i, forEver: false);
        Assert.Null(window.FloorFor(10_000, long.MaxValue));
        var floor = window.FloorFor(6_000, long.MaxValue)!.Value;
        window.ForgetBelow(floor);
        // No more is given up than whole seconds make necessary.
        Assert.InRange(window.Count, 6_000 - 1_024, 6_000);
        Assert.Equal(10_000 - window.Count, floor.Milliseconds - Start);
    }

    [Fact]
    public void The_floor_that_gives_memory_back_gives_it_back()
    {
        var window = new IdWindow(1);
        for (var i = 0; i < 100_000; i++) window.Add(i % 7, OperationId.Create(new UnixTime(Start + (37 * i)), (UInt128)i), i, forEver: i % 100 == 0);
        var bytes = window.Use.Bytes;
        Assert.Null(window.FloorFor(int.MaxValue, bytes));
        window.ForgetBelow(window.FloorFor(int.MaxValue, bytes / 2)!.Value);
        // No more is given up than whole seconds make necessary.
        Assert.InRange(window.Use.Bytes, (bytes / 2) - 4_096, bytes / 2);
        window.ForgetBelow(new UnixTime(Start + (37 * 100_000) + 1_024));
        Assert.Equal((0, 0L), window.Use);
        Assert.Equal(1_000, window.Count);
    }

    [Fact]
    public void Single_ids_of_far_seconds_take_little_memory_beside_a_busy_second()
    {
        var window = new IdWindow(1);
        var sequence = 0;
        for (var i = 0; i < 200_000; i++) window.Add(0, OperationId.Create(new UnixTime(Start + (i & 1_023)), (UInt128)i), sequence++, forEver: false);
        var busy = window.Bytes;
        for (var i = 1; i <= 1_000; i++)
        {
            window.Add(0, OperationId.Create(new UnixTime(Start - (2_048 * i)), (UInt128)i), sequence++, forEver: false);
            window.Add(0, OperationId.Create(new UnixTime(Start + (2_048 * i)), (UInt128)i), sequence++, forEver: false);
        }
        Assert.InRange(window.Bytes - busy, 0, 2_000 * 1_000);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(260)]
    [InlineData(1_100)]
    [InlineData(5_000)]
    [InlineData(30_000)]
    public void An_id_takes_less_than_a_hundred_bytes_whatever_the_rate(int each)
    {
        var window = new IdWindow(1);
        for (var i = 0; i < 20 * each; i++) window.Add(0, OperationId.Create(new UnixTime(Start + (i / each * 1_024)), (UInt128)i), i, forEver: false);
        Assert.InRange(window.Bytes / window.Count, 40, 100);
    }

    /// <summary>Seconds with one id, with as many as a chunk holds or one more, and with more than a piece of the state does.</summary>
    [Fact]
    public void A_window_that_is_read_knows_what_the_written_one_knew()
    {
        int[] seconds = [1, 2, 31, 33, IdSlice.ChunkIds, IdSlice.ChunkIds + 1, (Limits.StatePieceBytesMax / IdRows.RowBytes) + 1, 100_000];
        var written = new IdWindow(1);
        var known = new List<UsedId>();
        for (var second = 0; second < seconds.Length; second++)
        {
            for (var i = 0; i < seconds[second]; i++)
            {
                var used = new UsedId(OperationId.Create(new UnixTime(Start + (second * 1_024L)), (UInt128)i), (i % 5) - 1, known.Count);
                written.Add(used.Owner, used.Id, used.Sequence, forEver: false);
                known.Add(used);
            }
        }
        var (pieces, hash) = Write(written);
        // Another secret: nothing of the index is kept.
        var read = Read(pieces, secret: 2);
        Assert.Equal(written.Count, read.Count);
        foreach (var used in known) Assert.Equal(used.Sequence, read.Find(used.Owner, used.Id));
        Assert.Null(read.Find(5, known[0].Id));
        Assert.Equal(hash, Write(read).Hash);
        var next = OperationId.Create(known[^1].Id.Time, UInt128.MaxValue);
        Assert.True(read.TryAdd(read.Hash(0, next), 0, next, known.Count));
        Assert.False(read.TryAdd(read.Hash(0, next), 0, next, known.Count + 1));
        Assert.Equal(known.Count, read.Find(0, next));
    }

    /// <summary>No row is ever written in two pieces, and each that was announced is there.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(IdRows.RowBytes - 1)]
    [InlineData(IdRows.RowBytes)]
    [InlineData(IdRows.RowBytes + 1)]
    public void Rows_of_ids_that_end_too_early_are_refused(int missing)
    {
        var window = new IdWindow(1);
        for (var i = 0; i < 100; i++) window.Add(0, OperationId.Create(new UnixTime(Start), (UInt128)i), i, forEver: false);
        var piece = Assert.Single(Write(window).Pieces);
        Assert.Throws<FormatException>(() => Read([piece[..^missing]], secret: 1));
        Assert.Throws<FormatException>(() => Read([piece[..^missing], piece[^missing..][..^1]], secret: 1));
    }

    private static (List<byte[]> Pieces, Hash256 Hash) Write(IdWindow window)
    {
        var pieces = new List<byte[]>();
        using var writer = new StateWriter(piece => pieces.Add(piece.ToArray()));
        window.View(hold: false).Write(writer);
        return (pieces, writer.Finish());
    }

    private static IdWindow Read(List<byte[]> pieces, ulong secret)
    {
        var window = new IdWindow(secret);
        var next = 0;
        window.Read(new StateReader(() => next < pieces.Count ? pieces[next++] : default(ReadOnlyMemory<byte>)));
        return window;
    }

    [Fact]
    public void The_hash_of_the_state_does_not_depend_on_the_secret()
    {
        var records = RuleTable.Run(TransferRules.Funded).Book.Records;
        var hashes = new ulong[] { 0, 1, ulong.MaxValue }.Select(secret =>
        {
            var ledger = new Ledger(0, secret);
            foreach (var record in records) ledger.Replay(record, new byte[Limits.RecordBytesMax]);
            return ledger.StateHash();
        });
        Assert.Single(hashes.Distinct());
    }

    /// <summary>Seconds with as many ids as those that filled the window, and with a few more or less.</summary>
    [Theory]
    [InlineData(20_000, 20_000)]
    [InlineData(20_000, 19_000)]
    [InlineData(24_000, 25_000)]
    [InlineData(24_000, 28_000)]
    public void With_the_window_full_ids_come_and_go_without_allocation(int filling, int then)
    {
        const int WindowIds = 100_000;
        var window = new IdWindow(1);
        var (time, sequence) = (Start, 0);
        for (var i = 0; i < 10; i++) Second(filling);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++) Second(then);
        // A slice and what finds it; nothing for an id.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200_000);

        void Second(int ids)
        {
            for (var left = ids; left > 0; left--)
            {
                var id = OperationId.Create(new UnixTime(time + (left & 1_023)), (UInt128)sequence);
                window.Add(0, id, sequence++, forEver: false);
                if (window.Use.Ids >= WindowIds) window.ForgetBelow(window.FloorFor(WindowIds / 16 * 15, long.MaxValue)!.Value);
            }
            time += 1_024;
        }
    }
}
