using Bitcache.Core;

namespace Bitcache.Tests.Tables;

[Trait("suite", "core")]
public sealed class SlotIndexTests
{
    [Fact]
    public void Rows_that_share_a_hash_are_all_found_however_the_index_grows()
    {
        var index = new SlotIndex();
        var hashes = new List<uint>();
        var random = new Random(1);
        for (var slot = 0; slot < 5_000; slot++)
        {
            // A third of them collide, some at the very end of the table.
            hashes.Add(slot % 3 == 0 ? uint.MaxValue - (uint)(slot % 5) : (uint)random.Next());
            index.Add(hashes[slot], slot);
        }
        for (var slot = 0; slot < hashes.Count; slot++)
        {
            var found = new HashSet<int>();
            for (var at = index.First(hashes[slot], out var cursor); at >= 0; at = index.Next(hashes[slot], ref cursor)) found.Add(at);
            Assert.Equal(Enumerable.Range(0, hashes.Count).Where(s => hashes[s] == hashes[slot]).ToHashSet(), found);
            if (slot == 600) break;
        }
        Assert.Equal(-1, index.First(123, out _));
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
    [InlineData(1_000_000)]
    public void What_is_sized_for_rows_takes_them_without_growing(int rows)
    {
        var index = new SlotIndex(new ulong[SlotIndex.CellsFor(rows)]);
        var cells = index.Cells;
        for (var slot = 0; slot < rows; slot++) index.Add(unchecked((uint)slot * 2_654_435_761), slot);
        Assert.Same(cells, index.Cells);
    }
}
