using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Bitcache.Engine.Bitcoin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Bitcoin;

[Trait("suite", "core")]
public sealed class BlockAnnouncementsTests : IAsyncLifetime
{
    private static readonly byte[] Greeting = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, .. "NULL"u8, .. new byte[48]];
    private static readonly byte[] Ready = [4, 25, 5, .. "READY"u8, 11, .. "Socket-Type"u8, 0, 0, 0, 3, .. "PUB"u8];
    private static readonly byte[] Block = [1, 9, .. "hashblock"u8, 1, 32, .. new byte[32], 0, 4, 0, 0, 0, 0];
    private static readonly byte[] Transaction = [1, 6, .. "hashtx"u8, 1, 32, .. new byte[32], 0, 4, 0, 0, 0, 0];

    private readonly TcpListener _publisher = new(IPAddress.Loopback, 0);
    private readonly SemaphoreSlim _wakes = new(0);
    private BlockAnnouncements _announcements = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _publisher.Start();
        _announcements = new BlockAnnouncements(new Uri($"tcp://{_publisher.LocalEndpoint}"), () => _wakes.Release(), NullLogger.Instance);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _announcements.DisposeAsync();
        _publisher.Dispose();
        _wakes.Dispose();
    }

    [Fact]
    public async Task A_connection_and_each_announced_block_wake_and_nothing_else_does()
    {
        using var subscriber = await AcceptAsync();
        await _wakes.WaitAsync(Cancel);
        for (var i = 0; i < 3; i++)
        {
            await subscriber.GetStream().WriteAsync(Block, Cancel);
            await _wakes.WaitAsync(Cancel);
        }
        await subscriber.GetStream().WriteAsync(Transaction, Cancel);
        await subscriber.GetStream().WriteAsync(Block, Cancel);
        await _wakes.WaitAsync(Cancel);
        Assert.Equal(0, _wakes.CurrentCount);
    }

    [Fact]
    public async Task A_flood_wakes_five_times_a_second_and_the_last_announcement_is_not_lost()
    {
        using var subscriber = await AcceptAsync();
        var watch = Stopwatch.StartNew();
        byte[] many = [.. Enumerable.Repeat(Block, 100).SelectMany(b => b)];
        for (var i = 0; i < 1_000; i++) await subscriber.GetStream().WriteAsync(many, Cancel);
        // At the beginning, once for each pause that has passed, and once for what came in the last one. Where all of it was read
        // before anybody woke, that is once.
        await _wakes.WaitAsync(Cancel);
        await subscriber.GetStream().WriteAsync(Block, Cancel);
        await _wakes.WaitAsync(Cancel);
        Assert.InRange(_wakes.CurrentCount, 0, (int)(watch.Elapsed / BlockAnnouncements.WakePause));
    }

    [Fact]
    public async Task A_publisher_that_talks_nonsense_or_goes_away_is_connected_to_again()
    {
        using (var nonsense = await _publisher.AcceptTcpClientAsync(Cancel))
        {
            await nonsense.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\nwhat do you want of me, and why do you want it?"u8.ToArray(), Cancel);
        }
        using (await AcceptAsync()) await _wakes.WaitAsync(Cancel);
        using var again = await AcceptAsync();
        await _wakes.WaitAsync(Cancel);
    }

    /// <summary>Does as a publisher does, up to the subscription.</summary>
    private async Task<TcpClient> AcceptAsync()
    {
        var client = await _publisher.AcceptTcpClientAsync(Cancel);
        await client.GetStream().WriteAsync((byte[])[.. Greeting, .. Ready], Cancel);
        var heard = new byte[64 + 27 + 12];
        await client.GetStream().ReadExactlyAsync(heard, Cancel);
        Assert.Equal("hashblock"u8, heard.AsSpan()[^9..]);
        return client;
    }
}
