using System.Net;
using Bitcache.Engine;
using Bitcache.Server;
using Bitcache.Server.Settings;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
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
    public void A_block_that_is_given_back_twice_is_not_taken_twice()
    {
        using var memory = new TransportMemory();
        var block = memory.Rent();
        block.Dispose();
        block.Dispose();
        Assert.Same(block, memory.Rent());
        Assert.NotSame(block, memory.Rent());
    }

    [Fact]
    public void Whoever_comes_when_all_blocks_are_out_gets_little()
    {
        using var memory = new TransportMemory();
        var blocks = Enumerable.Range(0, TransportMemory.BlocksMax).Select(_ => memory.Rent()).ToList();
        Assert.All(blocks, block => Assert.Equal(TransportMemory.BlockBytes, block.Memory.Length));
        using (var small = memory.Rent()) Assert.Equal(4_096, small.Memory.Length);
        using (var wanted = memory.Rent(5_000)) Assert.InRange(wanted.Memory.Length, 5_000, 8_192);
        blocks.ForEach(block => block.Dispose());
        Assert.Equal(blocks.ToHashSet(), Enumerable.Range(0, TransportMemory.BlocksMax).Select(_ => memory.Rent()).ToHashSet());
    }

    [Fact]
    public async Task Kestrel_takes_it()
    {
        var settings = new ServerSettings { Engine = new EngineSettings { DataFolder = "", Origin = "" }, Listen = new IPEndPoint(IPAddress.Loopback, 0) };
        await using var app = BitcacheServer.Build(settings, NullLoggerFactory.Instance);
        Assert.IsType<TransportMemoryFactory>(app.Services.GetRequiredService<IMemoryPoolFactory<byte>>());
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
