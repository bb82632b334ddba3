using System.Runtime.CompilerServices;
using Bitcache.Core;

namespace Bitcache.Tests.Tables;

[Trait("suite", "core")]
public sealed class PagedTableTests
{
    private const int SmallSlabsRows = 32 * (4 + 16 + 64 + 256 + 1_024);

    [Fact]
    public void A_capture_keeps_every_row_as_it_was_while_the_table_changes_and_grows()
    {
        var table = new PagedTable<long>();
        for (var round = 0; round < 5; round++)
        {
            var before = Enumerable.Range(0, table.Count).Select(i => table[i]).ToArray();
            var capture = table.Capture();
            for (var i = 0; i < 3_000; i++) table.Add(-i);
            for (var i = 0; i < table.Count; i += 3) table[i] += 1_000_000;
            Assert.Equal(before, Enumerable.Range(0, capture.Count).Select(i => capture[i]));
            for (var i = 0; i < before.Length; i++) Assert.Equal(i % 3 == 0 ? before[i] + 1_000_000 : before[i], table.Peek(i));
            table.Release();
        }
    }

    [Fact]
    public void A_wallet_is_one_line_of_memory_once_there_are_many()
    {
        var table = new PagedTable<WalletRow>();
        for (var i = 0; i < 300_000; i++) table.Add(new WalletRow { LastSequence = i, Freezes = (Freezes)(i % 4) });
        for (var i = 0; i < table.Count; i++)
        {
            Assert.Equal((i, (Freezes)(i % 4)), (table[i].LastSequence, table[i].Freezes));
            // The first slabs are small, and lie where the collector puts them.
            if (i >= SmallSlabsRows) Assert.Equal(0, Unsafe.ByteOffset(in Unsafe.NullRef<WalletRow>(), in table.Peek(i)) % 64);
        }
        Assert.Equal(64, Unsafe.SizeOf<WalletRow>());
    }

    [Fact]
    public void A_reference_to_a_row_is_good_while_another_row_of_its_page_is_written()
    {
        var table = new PagedTable<long>();
        for (var i = 0; i < 10; i++) table.Add(i);
        var capture = table.Capture();
        ref var first = ref table[0];
        ref var second = ref table[1];
        (first, second) = (100, 101);
        Assert.Equal((100, 101, 0, 1), (table[0], table[1], capture[0], capture[1]));
        table.Release();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(19)]
    [InlineData(20)]
    [InlineData(83)]
    [InlineData(84)]
    [InlineData(339)]
    [InlineData(340)]
    [InlineData(1_363)]
    [InlineData(1_364)]
    [InlineData(5_460)]
    public void A_reference_to_a_row_is_good_while_the_page_of_another_is_copied_and_the_table_grows(int pages)
    {
        var table = new PagedTable<long>();
        for (var i = 0; i < 32 * pages; i++) table.Add(i);
        var capture = table.Capture();
        for (var page = 0; page + 1 < pages; page += 2)
        {
            ref var payer = ref table[32 * page];
            ref var payee = ref table[32 * (page + 1)];
            table.Add(0);
            (payer, payee) = (payer - 1, payee + 1);
            Assert.Equal(((32L * page) - 1, (32L * (page + 1)) + 1), (table.Peek(32 * page), table.Peek(32 * (page + 1))));
        }
        Assert.Equal(Enumerable.Range(0, 32 * pages).Sum(i => (long)i), Enumerable.Range(0, table.Count).Sum(i => table.Peek(i)));
        Assert.Equal(0, capture[0]);
        table.Release();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Several_captures_keep_their_own_rows_whichever_is_given_back_first(int seed)
    {
        var random = new Random(seed);
        var table = new PagedTable<long>();
        var held = new List<(PagedRows<long> Rows, long[] Expected)>();
        long bytes = 0;
        for (var step = 0; step < 3_000; step++)
        {
            for (var i = 0; i < 4; i++)
            {
                if (table.Count < 2_000) table.Add(step);
                table[random.Next(table.Count)]++;
            }
            if (held.Count < 3 && random.Next(20) == 0) held.Add((table.Capture(), [.. Enumerable.Range(0, table.Count).Select(i => table.Peek(i))]));
            if (held.Count > 0 && random.Next(25) == 0)
            {
                var given = random.Next(held.Count);
                Assert.Equal(held[given].Expected, Enumerable.Range(0, held[given].Rows.Count).Select(i => held[given].Rows[i]));
                held.RemoveAt(given);
                table.Release();
            }
            if (step == 1_500) bytes = table.Bytes;
        }
        Assert.InRange(table.Bytes, bytes, 8 * bytes);
        foreach (var (rows, expected) in held) Assert.Equal(expected, Enumerable.Range(0, rows.Count).Select(i => rows[i]));
        foreach (var _ in held) table.Release();
        Assert.Throws<InvalidOperationException>(table.Release);
    }

    [Fact]
    public void Pages_of_a_released_capture_are_used_again()
    {
        var table = new PagedTable<long>();
        for (var i = 0; i < 100_000; i++) table.Add(i);
        void Round()
        {
            table.Capture();
            for (var i = 0; i < table.Count; i += 32) table[i]++;
            table.Release();
        }
        Round();
        var bytes = table.Bytes;
        for (var i = 0; i < 5; i++) Round();
        Assert.Equal(bytes, table.Bytes);
    }

    [Fact]
    public void A_slot_that_is_not_there_is_refused()
    {
        var table = new PagedTable<long>();
        table.Add(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => table[1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Peek(-1));
    }
}
