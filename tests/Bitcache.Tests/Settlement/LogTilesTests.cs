using System.Buffers;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Settlement;

/// <summary>The tiles and bundles that are published of the log, whatever has become of the files of its hashes: the same
/// bytes, and never ones that were not proven.</summary>
[Trait("suite", "faults")]
public sealed class LogTilesTests(LogKeeperTests.Signed signed) : IClassFixture<LogKeeperTests.Signed>
{
    /// <summary>All that the log of the fixture publishes, made from its journal alone.</summary>
    private readonly Lazy<List<(LogTile Tile, byte[] Bytes)>> _expected = new(() => Expect(signed.Book, signed.Size));

    private static List<(LogTile Tile, byte[] Bytes)> Expect(LogBook book, long size)
    {
        var statements = new List<byte[]>();
        book.Journal.ReadRecords(0, size, record => statements.Add(Entry.StatementOf(record).ToArray()));
        var log = new MerkleLog(new MemoryHashStore());
        log.Append([.. statements.Select(statement => Rfc6962.LeafHash(statement))]);
        var expected = new List<(LogTile, byte[])>();
        foreach (var tile in LogTile.Between(0, size))
        {
            expected.Add((tile, HashTile.Write(log.Tile(tile))));
            if (tile.Level > 0) continue;
            var bundle = new ArrayBufferWriter<byte>();
            foreach (var statement in statements.Slice((int)tile.First, tile.Width)) EntryBundle.Add(bundle, statement);
            expected.Add((tile.Bundle, bundle.WrittenSpan.ToArray()));
        }
        return expected;
    }

    private async Task CheckAsync(SimDisk disk)
    {
        using var keeper = signed.Book.Keeper(disk);
        await keeper.ResumeAsync();
        Assert.Equal(signed.Size, keeper.CheckpointSize);
        foreach (var (tile, bytes) in _expected.Value) Assert.Equal(bytes, keeper.FindTile(tile));
    }

    [Fact]
    public async Task After_a_start_the_tiles_are_those_of_the_journal()
    {
        await CheckAsync(SimDisk.FromImage(signed.Image));
        await CheckAsync(LogBook.NewDisk());
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 33_000)]
    [InlineData(0, 66_290)]
    [InlineData(1, 3)]
    [InlineData(1, 257)]
    [InlineData(2, 0)]
    public async Task A_stored_hash_that_is_wrong_is_never_given_away(int level, int index)
    {
        var name = $"{LogBook.Folder}/level-0{level}";
        var disk = SimDisk.FromImage(signed.Image.Select(file =>
        {
            if (file.Key != name) return file;
            var bytes = file.Value!.ToArray();
            bytes[index * Hash256.Bytes] ^= 1;
            return new(file.Key, bytes);
        }));
        await CheckAsync(disk);
        Assert.Equal(signed.Image[name], disk[name]);
    }

    [Fact]
    public async Task Only_what_the_checkpoint_covers_is_given_and_every_width_of_it()
    {
        using var keeper = signed.Book.Keeper(SimDisk.FromImage(signed.Image));
        var first = new LogTile(0, 0, 1);
        Assert.Null(keeper.FindTile(first));
        await keeper.ResumeAsync();
        var size = keeper.CheckpointSize;
        var edge = LogTile.Between(size - 1, size).First();
        for (var width = 1; width <= LogTile.WidthMax; width++)
        {
            var tile = edge with { Width = width };
            Assert.Equal(tile.IsIn(size), keeper.FindTile(tile) is not null);
            Assert.Equal(tile.IsIn(size), keeper.FindTile(tile.Bundle) is not null);
            if (!tile.IsIn(size)) continue;
            Assert.Equal(keeper.FindTile(edge)![..(width * Hash256.Bytes)], keeper.FindTile(tile));
            Assert.True(EntryBundle.TryRead(keeper.FindTile(tile.Bundle), width, out var entries));
            Assert.Equal(keeper.FindTile(tile), HashTile.Write([.. entries.Select(entry => Rfc6962.LeafHash(entry.Span))]));
        }
        Assert.Null(keeper.FindTile(new LogTile(3, 0, 1)));
        Assert.Null(keeper.FindTile(new LogTile(63, 0, 1)));
    }

    [Fact]
    public async Task After_a_failed_write_tiles_wait_for_the_next_turn_and_bundles_do_not()
    {
        await using var book = await LogBook.CreateAsync(1_000);
        var disk = LogBook.NewDisk();
        using var keeper = book.Keeper(disk);
        await keeper.ResumeAsync();
        await keeper.AdvanceAsync();
        var tile = new LogTile(0, 1, LogTile.WidthMax);
        var (hashes, bundle) = (keeper.FindTile(tile), keeper.FindTile(tile.Bundle));

        await book.PayAsync(500);
        disk.ShortWriteAt = disk.Operations + 1;
        await Assert.ThrowsAsync<IOException>(keeper.AdvanceAsync);
        Assert.Equal(Unavailable.Busy, Assert.Throws<PartitionUnavailableException>(() => keeper.FindTile(tile)).Reason);
        Assert.Equal(bundle, keeper.FindTile(tile.Bundle));
        await keeper.AdvanceAsync();
        Assert.Equal(hashes, keeper.FindTile(tile));
    }

    /// <summary>As a client of the log sees it: what it was shown of an earlier checkpoint is there after any crash.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_machine_that_stops_at_any_write_shows_the_same_tiles_again(bool losesPower)
    {
        await using var book = await LogBook.CreateAsync(700);
        var shown = new Dictionary<LogTile, byte[]>();
        for (var seed = 1; seed <= 20; seed++)
        {
            var disk = LogBook.NewDisk(seed);
            disk.HaltAt = seed;
            try
            {
                for (var round = 0; round < 4; round++)
                {
                    await book.PayAsync(40 * (round + 1));
                    await ShowAsync(disk);
                }
            }
            catch (MachineStoppedException)
            {
                // The next start tells what became of it.
            }
            if (losesPower) disk.PowerLoss();
            else disk.Restart();
            await ShowAsync(disk);
        }

        async Task ShowAsync(SimDisk disk)
        {
            using var keeper = book.Keeper(disk);
            await keeper.ResumeAsync();
            await keeper.AdvanceAsync();
            foreach (var (tile, bytes) in shown) Assert.Equal(bytes, keeper.FindTile(tile));
            foreach (var tile in LogTile.Between(0, keeper.CheckpointSize)) shown[tile] = keeper.FindTile(tile)!;
        }
    }
}
