using Bitcache.Engine.Journal;

namespace Bitcache.Tests.Journal;

[Trait("suite", "core")]
public sealed class SegmentReaderTests
{
    private const int FileBytes = (1 << 20) + 777;

    /// <summary>Of pieces that begin and end anywhere, in order and not, and beyond the end.</summary>
    [Fact]
    public void What_is_asked_for_is_what_stands_in_the_file_as_far_as_it_goes()
    {
        var random = new Random(3);
        var (disk, bytes) = Disk(random);
        for (var round = 0; round < 20; round++)
        {
            using var file = disk.Open("/segment");
            var reader = new SegmentReader(file, new byte[FileBytes], FileBytes);
            for (var at = 0; at < FileBytes;)
            {
                var count = random.Next(1, random.Next(2) == 0 ? 5_000 : 700_000);
                Assert.True(bytes.AsSpan(at, Math.Min(count, FileBytes - at)).SequenceEqual(reader.From(at, count)), $"{count} bytes from {at}");
                var before = random.Next(at + 1);
                Assert.True(bytes.AsSpan(before, at - before).SequenceEqual(reader.From(before, at - before)));
                at += count;
            }
            Assert.Empty(reader.From(FileBytes, 1).ToArray());
            Assert.True(bytes.AsSpan().SequenceEqual(reader.All));
        }
    }

    [Fact]
    public void A_file_that_ends_early_has_as_many_bytes_as_were_read()
    {
        var (disk, bytes) = Disk(new Random(4));
        using var file = disk.Open("/segment");
        var reader = new SegmentReader(file, new byte[2 * FileBytes], 2 * FileBytes);
        Assert.True(bytes.AsSpan(5, 100).SequenceEqual(reader.From(5, 100)));
        Assert.Equal(10, reader.From(FileBytes - 10, 50).Length);
        Assert.Empty(reader.From(FileBytes + 1, 50).ToArray());
        Assert.Equal(FileBytes, reader.Length);
        Assert.True(bytes.AsSpan().SequenceEqual(reader.All));
    }

    private static (SimDisk Disk, byte[] Bytes) Disk(Random random)
    {
        var bytes = new byte[FileBytes];
        random.NextBytes(bytes);
        var disk = new SimDisk(1);
        using var file = disk.Create("/segment");
        file.Write(0, bytes);
        return (disk, bytes);
    }
}
