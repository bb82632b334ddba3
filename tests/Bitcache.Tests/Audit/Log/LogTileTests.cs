using System.Buffers;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Log;

/// <summary>Paths and bytes of tiles and entry bundles, as c2sp.org/tlog-tiles has them.</summary>
[Trait("suite", "core")]
public sealed class LogTileTests
{
    /// <summary>The specification's own examples among them.</summary>
    [Theory]
    [InlineData(0, 1_234_067, 256, "tile/0/x001/x234/067")]
    [InlineData(0, 0, 256, "tile/0/000")]
    [InlineData(0, 999, 1, "tile/0/999.p/1")]
    [InlineData(0, 1_000, 255, "tile/0/x001/000.p/255")]
    [InlineData(7, 5, 8, "tile/7/005.p/8")]
    [InlineData(63, 42, 256, "tile/63/042")]
    [InlineData(LogTile.BundleLevel, 1_234_067, 256, "tile/entries/x001/x234/067")]
    [InlineData(LogTile.BundleLevel, 273, 112, "tile/entries/273.p/112")]
    [InlineData(0, 36_028_797_018_963_959, 256, "tile/0/x036/x028/x797/x018/x963/959")]
    public void A_tile_has_one_path(int level, long number, int width, string path)
    {
        var tile = new LogTile(level, number, width);
        Assert.Equal(path, tile.ToString());
        Assert.True(LogTile.TryParse(path, out var read));
        Assert.Equal(tile, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("tile")]
    [InlineData("tile/")]
    [InlineData("tile/0")]
    [InlineData("tile/0/")]
    [InlineData("/tile/0/000")]
    [InlineData("tile//000")]
    [InlineData("tile/00/000")]
    [InlineData("tile/+0/000")]
    [InlineData("tile/-1/000")]
    [InlineData("tile/64/000")]
    [InlineData("tile/Entries/000")]
    [InlineData("tile/0/0")]
    [InlineData("tile/0/0000")]
    [InlineData("tile/0/x000/000")]
    [InlineData("tile/0/001/000")]
    [InlineData("tile/0/x001")]
    [InlineData("tile/0/x001/")]
    [InlineData("tile/0/X001/000")]
    [InlineData("tile/0/x001/x000")]
    [InlineData("tile/0/x01/000")]
    [InlineData("tile/0/ 00")]
    [InlineData("tile/0/000.p")]
    [InlineData("tile/0/000.p/")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/-1")]
    [InlineData("tile/0/000.p/1/2")]
    [InlineData("tile/0/000.p/1.p/1")]
    [InlineData("tile/0/.p/1")]
    [InlineData("tile/0/000/")]
    [InlineData("tile/0/٠٠٠")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/999")]
    [InlineData("tile/0/x036/x028/x797/x018/x963/968")]
    public void Other_spellings_are_refused(string path) => Assert.False(LogTile.TryParse(path, out _));

    [Fact]
    public void A_path_of_any_other_spelling_than_its_own_is_refused()
    {
        var random = new Random(5);
        const string letters = "0123456789x/.pel";
        for (var i = 0; i < 20_000; i++)
        {
            var path = new LogTile(random.Next(-1, 8), random.NextInt64(1L << random.Next(55)), random.Next(1, 257)).ToString().ToCharArray();
            path[random.Next("tile/".Length, path.Length)] = letters[random.Next(letters.Length)];
            if (LogTile.TryParse(new string(path), out var read)) Assert.Equal(new string(path), read.ToString());
        }
    }

    /// <summary>The examples of the specification: 70,000 and 256 entries.</summary>
    [Fact]
    public void A_tree_has_the_tiles_that_the_specification_says()
    {
        var tiles = LogTile.Between(0, 70_000).ToArray();
        Assert.Equal(273 + 1 + 1 + 1 + 1, tiles.Length);
        Assert.Equal(273, tiles.Count(tile => tile is { Level: 0, IsPartial: false }));
        Assert.Equal(
            ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"],
            tiles.Where(tile => tile.IsPartial).Select(tile => tile.ToString()));
        Assert.Equal(["tile/0/000", "tile/1/000.p/1"], LogTile.Between(0, 256).Select(tile => tile.ToString()));
        Assert.Empty(LogTile.Between(0, 0));
        Assert.Empty(LogTile.Between(70_000, 70_000));
    }

    [Fact]
    public void What_a_tree_has_more_than_an_earlier_one_is_what_is_new_in_it()
    {
        var sizes = new long[] { 0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000, 131_072 };
        foreach (var before in sizes)
        {
            foreach (var size in sizes.Where(size => size >= before))
            {
                var old = LogTile.Between(0, before).ToHashSet();
                Assert.Equal(LogTile.Between(0, size).Where(tile => !old.Contains(tile)), LogTile.Between(before, size));
            }
        }
    }

    [Fact]
    public void A_tree_has_every_width_up_to_what_it_has()
    {
        foreach (var size in (long[])[1, 255, 256, 257, 70_000])
        {
            foreach (var tile in LogTile.Between(0, size))
            {
                Assert.True(tile.IsIn(size));
                Assert.True((tile with { Width = 1 }).IsIn(size));
                Assert.Equal(!tile.IsPartial, (tile with { Width = tile.Width + 1 }).Width > LogTile.WidthMax);
                if (tile.IsPartial) Assert.False((tile with { Width = tile.Width + 1 }).IsIn(size));
                if (tile.Level == 0) Assert.True(tile.Bundle.IsIn(size));
            }
            Assert.False(new LogTile(0, 1 + (size / 256), 1).IsIn(size));
            Assert.False(new LogTile(LogTile.BundleLevel, 1 + (size / 256), 1).IsIn(size));
            Assert.False(new LogTile(3, 0, 1).IsIn(size));
            Assert.False(new LogTile(8, 0, 1).IsIn(size));
            Assert.False(new LogTile(63, 0, 1).IsIn(size));
        }
        Assert.False(new LogTile(0, long.MaxValue / 256, 256).IsIn(long.MaxValue - 1));
        Assert.False(new LogTile(0, 0, 1).IsIn(0));
    }

    /// <summary>Three entries of one byte, whose leaf hashes are those of ARCHITECTURE.md's vector.</summary>
    [Fact]
    public void Tiles_and_bundles_have_the_bytes_of_the_format()
    {
        byte[][] entries = [[.. "a"u8], [.. "b"u8], [.. "c"u8]];
        var bundle = new ArrayBufferWriter<byte>();
        foreach (var entry in entries) EntryBundle.Add(bundle, entry);
        Assert.Equal("000161000162000163", Convert.ToHexStringLower(bundle.WrittenSpan));
        Assert.True(EntryBundle.TryRead(bundle.WrittenSpan.ToArray(), 3, out var read));
        Assert.Equal(entries, read.Select(entry => entry.ToArray()));

        var log = new MerkleLog(new MemoryHashStore());
        foreach (var entry in read) log.Append(Rfc6962.LeafHash(entry.Span));
        var tile = HashTile.Write(log.Tile(new LogTile(0, 0, 3)));
        Assert.Equal(
            "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c57eb35615d47f34ec714cacdf5fd74608a5e8e102724e80b24b287c0c27b6a31",
            Convert.ToHexStringLower(tile[..64]));
        Assert.True(HashTile.TryRead(tile, 3, out var hashes));
        Assert.Equal(tile, HashTile.Write(hashes));
        Assert.Equal("36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1", log.Root().ToString());
    }

    [Fact]
    public void A_bundle_or_tile_of_another_width_or_cut_anywhere_is_refused()
    {
        var random = new Random(6);
        var bundle = new ArrayBufferWriter<byte>();
        for (var i = 0; i < 5; i++)
        {
            var entry = new byte[random.Next(400)];
            random.NextBytes(entry);
            EntryBundle.Add(bundle, entry);
        }
        EntryBundle.Add(bundle, new byte[Limits.StatementBytesMax]);
        var bytes = bundle.WrittenSpan.ToArray();
        Assert.True(EntryBundle.TryRead(bytes, 6, out var entries));
        Assert.Equal(Limits.StatementBytesMax, entries[5].Length);
        Assert.False(EntryBundle.TryRead(bytes, 5, out _));
        Assert.False(EntryBundle.TryRead(bytes, 7, out _));
        for (var length = 0; length < bytes.Length; length += length < 2_500 ? 1 : 997) Assert.False(EntryBundle.TryRead(bytes.AsMemory(0, length), 6, out _));
        Assert.Throws<OverflowException>(() => EntryBundle.Add(bundle, new byte[Limits.StatementBytesMax + 1]));
        Assert.False(HashTile.TryRead(new byte[33], 1, out _));
        Assert.False(HashTile.TryRead(new byte[32], 2, out _));
        Assert.False(HashTile.TryRead([], 1, out _));
    }

    /// <summary>Each level over the one below it, and the roots of the right edge over all of them.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(256)]
    [InlineData(70_000)]
    public void Tiles_of_a_level_are_the_roots_of_those_below(int size)
    {
        var log = new MerkleLog(new MemoryHashStore());
        log.Append([.. Enumerable.Range(0, size).Select(i => Rfc6962.LeafHash(BitConverter.GetBytes(i)))]);
        foreach (var tile in LogTile.Between(0, size))
        {
            var hashes = log.Tile(tile).ToArray();
            for (var i = 0; tile.Level > 0 && i < hashes.Length; i++)
            {
                var below = new MerkleLog(new MemoryHashStore());
                below.Append(log.Tile(new LogTile(tile.Level - 1, tile.First + i, LogTile.WidthMax)));
                Assert.Equal(below.Root(), hashes[i]);
            }
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Tile(new LogTile(0, 0, 1).Bundle));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Tile(new LogTile(0, size, 1)));
    }
}
