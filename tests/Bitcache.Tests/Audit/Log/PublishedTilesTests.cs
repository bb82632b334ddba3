using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Log;

/// <summary>A log that somebody publishes, read by somebody who has its checkpoint and nothing else.</summary>
[Trait("suite", "core")]
public sealed class PublishedTilesTests
{
    private const int Size = 66_100;
    private static readonly Hash256[] Leaves = [.. Enumerable.Range(0, Size).Select(i => Rfc6962.LeafHash(BitConverter.GetBytes(i)))];
    private static readonly Dictionary<LogTile, byte[]> Published = Publish(out Root);
    private static readonly Hash256 Root;

    private static Dictionary<LogTile, byte[]> Publish(out Hash256 root)
    {
        var log = new MerkleLog(new MemoryHashStore());
        log.Append(Leaves);
        root = log.Root();
        return LogTile.Between(0, Size).ToDictionary(tile => tile, tile => HashTile.Write(log.Tile(tile)));
    }

    [Fact]
    public void Its_tiles_lead_to_the_checkpoint_and_prove_every_entry()
    {
        var fetched = new List<LogTile>();
        var log = PublishedTiles.Open(tile => { fetched.Add(tile); return Published[tile]; }, Size)!;
        Assert.Equal(Root, log.Root());
        // The right edge and the one full tile above the lowest level: the unfinished tiles are no more than one a level.
        Assert.Equal(3, fetched.Count);
        foreach (var index in (long[])[0, 255, 256, 65_535, 65_536, Size - 1])
            Assert.True(MerkleProof.VerifyInclusion(index, Size, Leaves[index], log.InclusionProof(index, Size), Root));
        Assert.All(Published, published => Assert.Equal(published.Value, HashTile.Write(log.Tile(published.Key))));
    }

    [Theory]
    [InlineData(0, 0, 256)]
    [InlineData(0, 255, 256)]
    [InlineData(0, 257, 256)]
    [InlineData(1, 0, 256)]
    public void A_full_tile_with_one_changed_bit_is_noticed_when_it_is_read(int level, long number, int width)
    {
        var wrong = new LogTile(level, number, width);
        var log = PublishedTiles.Open(tile => tile == wrong ? Changed(Published[tile]) : Published[tile], Size)!;
        Assert.Equal(Root, log.Root());
        Assert.Throws<LedgerInvariantException>(() => log.Tile(wrong));
    }

    [Theory]
    [InlineData(0, 258, 52)]
    [InlineData(1, 1, 2)]
    [InlineData(2, 0, 1)]
    public void A_tile_of_the_right_edge_with_one_changed_bit_gives_another_root(int level, long number, int width)
    {
        var wrong = new LogTile(level, number, width);
        Assert.NotEqual(Root, PublishedTiles.Open(tile => tile == wrong ? Changed(Published[tile]) : Published[tile], Size)!.Root());
        Assert.Null(PublishedTiles.Open(tile => tile == wrong ? null : Published[tile], Size));
        Assert.Null(PublishedTiles.Open(tile => tile == wrong ? Published[tile][1..] : Published[tile], Size));
    }

    [Fact]
    public void Only_whole_tiles_are_read_and_none_is_written()
    {
        var tiles = new PublishedTiles(tile => Published.GetValueOrDefault(tile));
        Assert.Throws<ArgumentOutOfRangeException>(() => tiles.TryRead(0, 1, new Hash256[1]));
        Assert.Throws<NotSupportedException>(() => tiles.Write(0, 0, [Root]));
        Assert.True(tiles.TryRead(5, 3, []));
        Assert.False(tiles.TryRead(0, 0, new Hash256[5]));
    }

    private static byte[] Changed(byte[] tile)
    {
        var changed = tile.ToArray();
        changed[^5] ^= 0x20;
        return changed;
    }
}
