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
