using Bitcache.Core;

namespace Bitcache.Tests.Tables;

[Trait("suite", "core")]
public sealed class SlotIndexTests
{
    /// <summary>With hashes that are spread, with a third of them in a few values at the very end, and with so many in one
    /// value that the directory cannot part them.</summary>
    [Theory]
    [InlineData(100_000, 0)]
    [InlineData(5_000, 3)]
    [InlineData(20_000, 2)]
    public void Rows_that_share_a_hash_are_all_found_however_the_index_grows(int rows, int colliding)
    {
        var index = new SlotIndex();
        var random = new Random(1);
        var slots = new Dictionary<uint, HashSet<int>>();
        for (var slot = 0; slot < rows; slot++)
        {
            var hash = colliding > 0 && slot % colliding == 0 ? uint.MaxValue - (uint)(slot % 5) : (uint)random.NextInt64(uint.MaxValue - 10);
            if (!slots.TryGetValue(hash, out var same)) slots.Add(hash, same = []);
            same.Add(slot);
            index.Add(hash, slot);
        }
        foreach (var (hash, same) in slots) Assert.Equal(same, Find(index, hash));
        Assert.Empty(Find(index, uint.MaxValue - 7));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(12_345)]
    public void Whatever_bits_an_attacker_chooses_the_hash_depends_on_all_of_them(long owner)
    {
        const ulong Secret = 0xdead_beef_cafe_babe;
        // The upper half that takes out what is known of the second factor.
        var more = unchecked((ulong)owner * 0xBF58_476D_1CE4_E5B9);
        var high = more ^ 0x9E37_79B9_7F4A_7C15;
        var hashes = Enumerable.Range(1, 1_000).Select(low => SlotIndex.Hash(((UInt128)high << 64) | (ulong)low, Secret, more));
        Assert.InRange(hashes.Distinct().Count(), 990, 1_000);
        var others = Enumerable.Range(1, 1_000).Select(other => SlotIndex.Hash((UInt128)(ulong)other << 64, Secret, more));
        Assert.InRange(others.Distinct().Count(), 990, 1_000);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(3_072)]
    [InlineData(3_073)]
    [InlineData(1_000_000)]
    public void What_is_expected_takes_no_more_memory_than_what_came(int rows)
    {
        var (expected, grown) = (new SlotIndex(new CellPool(), rows), new SlotIndex());
        for (var slot = 0; slot < rows; slot++)
        {
            expected.Add(Spread(slot), slot);
            grown.Add(Spread(slot), slot);
        }
        Assert.InRange(expected.Bytes, 8 * rows, grown.Bytes);
        for (var slot = 0; slot < rows; slot++) Same.Set([slot], Find(expected, Spread(slot)));
    }

    /// <summary>Around a power of two of pages, too: a second with a few more ids must not take twice the memory.</summary>
    [Theory]
    [InlineData(10_000)]
    [InlineData(24_000)]
    [InlineData(25_000)]
    [InlineData(780_000)]
    [InlineData(790_000)]
    public void Memory_follows_what_is_expected(int rows)
    {
        var pool = new CellPool();
        var index = new SlotIndex(pool, rows);
        for (var slot = 0; slot < rows; slot++) index.Add(Spread(slot), slot);
        Assert.Equal(SlotIndex.PagesFor(rows) * (long)CellPool.PageCells * sizeof(ulong), pool.BytesInUse);
        Assert.InRange(pool.BytesInUse, 12L * rows, (15L * rows) + (CellPool.PageCells * sizeof(ulong)));
    }

    [Theory]
    [InlineData(4_000)]
    [InlineData(10_000)]
    [InlineData(99_000)]
    public void More_rows_than_were_expected_are_found(int expected)
    {
        const int Rows = 200_000;
        var index = new SlotIndex(new CellPool(), expected);
        for (var slot = 0; slot < Rows; slot++) index.Add(Spread(slot), slot);
        for (var slot = 0; slot < Rows; slot++) Same.Set([slot], Find(index, Spread(slot)));
        Assert.Empty(Find(index, Spread(Rows)));
    }

    [Fact]
    public async Task Another_thread_may_look_while_the_index_grows()
    {
        const int Rows = 300_000;
        var index = new SlotIndex();
        var cancel = TestContext.Current.CancellationToken;
        using var both = new Barrier(2);
        var isGrown = false;
        var looking = Task.Run(() =>
        {
            both.SignalAndWait(cancel);
            for (var slot = 0; !Volatile.Read(ref isGrown); slot = (slot + 7_919) % Rows)
            {
                if (Glance(slot) is var found and >= 0) Same.Value(slot, found);
            }
        }, cancel);
        both.SignalAndWait(cancel);
        for (var slot = 0; slot < Rows; slot++) index.Add(Spread(slot), slot);
        Volatile.Write(ref isGrown, true);
        await looking;
        for (var slot = 0; slot < Rows; slot++) Same.Value(slot, Glance(slot));

        int Glance(int slot) => index.Glance(Spread(slot)).First(Spread(slot), out _);
    }

    [Fact]
    public void No_addition_moves_more_than_a_page()
    {
        var pool = new CellPool();
        var index = new SlotIndex(pool);
        for (var slot = 0; slot < 300_000; slot++)
        {
            var before = index.Bytes;
            index.Add(Spread(slot), slot);
            // Two pages in the place of one, and a directory of twice its length.
            Assert.InRange(index.Bytes - before, 0, (CellPool.PageCells * sizeof(ulong)) + (256 * sizeof(ulong)));
        }
    }

    [Fact]
    public void What_was_dropped_is_used_again()
    {
        var pool = new CellPool();
        var page = pool.Take(roots: 5, depth: 3);
        pool.Return(page);
        page.Memory.Items.Fill(ulong.MaxValue);
        var index = new SlotIndex(pool, 100_000);
        for (var slot = 0; slot < 100_000; slot++) index.Add(Spread(slot), slot);
        for (var slot = 0; slot < 100_000; slot++) Same.Set([slot], Find(index, Spread(slot)));
        index.Drop();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var again = new SlotIndex(pool, 100_000);
        for (var slot = 0; slot < 100_000; slot++) again.Add(Spread(slot), slot);
        // The index and its directory; a page alone has 32 KiB.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4_096);
        for (var slot = 0; slot < 100_000; slot++) Same.Set([slot], Find(again, Spread(slot)));
        again.Drop();
        var empty = new SlotIndex(pool, 100_000);
        for (var slot = 0; slot < 100_000; slot++) Assert.Empty(Find(empty, Spread(slot)));
    }

    private static uint Spread(int slot) => unchecked((uint)slot * 2_654_435_761);

    private static HashSet<int> Find(SlotIndex index, uint hash)
    {
        var found = new HashSet<int>();
        var page = index.PageOf(hash);
        for (var at = page.First(hash, out var cursor); at >= 0; at = page.Next(hash, ref cursor)) found.Add(at);
        return found;
    }
}
