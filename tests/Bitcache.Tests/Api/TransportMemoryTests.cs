using Bitcache.Server;

namespace Bitcache.Tests.Api;

public sealed class TransportMemoryTests
{
    [Fact]
    public void A_block_has_one_size_whatever_is_asked_for()
    {
        using var memory = new TransportMemory();
        foreach (var wanted in new[] { -1, 1, 4_096, TransportMemory.BlockBytes })
        {
            using var block = memory.Rent(wanted);
            Assert.Equal(TransportMemory.BlockBytes, block.Memory.Length);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Rent(TransportMemory.BlockBytes + 1));
    }

    [Fact]
    public void What_was_given_back_last_is_taken_first()
    {
        using var memory = new TransportMemory();
        var (first, second) = (memory.Rent(), memory.Rent());
        first.Dispose();
        second.Dispose();
        Assert.Same(second, memory.Rent());
        Assert.Same(first, memory.Rent());
    }

    [Fact]
    public void A_block_that_is_given_back_twice_is_not_two_takers()
    {
        using var memory = new TransportMemory();
        var block = memory.Rent();
        block.Dispose();
        block.Dispose();
        Assert.Same(block, memory.Rent());
        Assert.NotSame(block, memory.Rent());
    }

    [Fact]
    public void No_more_are_kept_than_a_bound()
    {
        using var memory = new TransportMemory();
        var blocks = Enumerable.Range(0, TransportMemory.KeptMax + 3).Select(_ => memory.Rent()).ToList();
        blocks.ForEach(block => block.Dispose());
        var again = Enumerable.Range(0, TransportMemory.KeptMax + 3).Select(_ => memory.Rent()).ToHashSet();
        Assert.Equal(3, blocks.Count(block => !again.Contains(block)));
        Assert.Equal(TransportMemory.KeptMax + 3, again.Count);
    }

    /// <summary>Two threads at a time never have the same block.</summary>
    [Fact]
    public void Nobody_finds_what_another_writes()
    {
        using var memory = new TransportMemory();
        Parallel.For(0, 8, taker =>
        {
            for (var times = 0; times < 2_000; times++)
            {
                using var block = memory.Rent();
                var bytes = block.Memory.Span[..64];
                bytes.Fill((byte)taker);
                Thread.Yield();
                Assert.False(bytes.ContainsAnyExcept((byte)taker));
            }
        });
    }
}
