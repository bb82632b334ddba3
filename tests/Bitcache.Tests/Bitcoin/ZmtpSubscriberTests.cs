using System.Globalization;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

/// <summary>What a subscriber says and what it understands, byte by byte (rfc.zeromq.org/spec/23). That a real publisher agrees
/// is shown with a node.</summary>
[Trait("suite", "core")]
public sealed class ZmtpSubscriberTests
{
    private static readonly byte[] Greeting = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, .. "NULL"u8, .. new byte[16], 0, .. new byte[31]];
    private static readonly byte[] Ready = [4, 25, 5, .. "READY"u8, 11, .. "Socket-Type"u8, 0, 0, 0, 3, .. "PUB"u8];
    private static readonly byte[] Block = [1, 9, .. "hashblock"u8, 1, 32, .. new byte[32], 0, 4, 0, 0, 0, 0];
    private static readonly byte[] Transaction = [1, 6, .. "hashtx"u8, 1, 32, .. new byte[32], 0, 4, 0, 0, 0, 0];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_greets_asks_for_its_topic_and_hears_each_message_once()
    {
        byte[] long9 = [3, 0, 0, 0, 0, 0, 0, 0, 9, .. "hashblock"u8, 0, 0];
        byte[] command = [4, 5, 4, .. "PING"u8];
        using var peer = new Peer([.. Greeting, .. Ready, .. Block, .. Transaction, .. command, .. long9, 0, 0, .. Block]);
        var subscriber = new ZmtpSubscriber(peer);
        await subscriber.SubscribeAsync("hashblock", Cancel);
        byte[] said =
        [
            0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, .. "NULL"u8, .. new byte[16], 0, .. new byte[31],
            4, 25, 5, .. "READY"u8, 11, .. "Socket-Type"u8, 0, 0, 0, 3, .. "SUB"u8,
            0, 10, 1, .. "hashblock"u8,
        ];
        Assert.Equal(said, peer.Said);
        string[] expected = ["hashblock", "hashtx", "hashblock", "", "hashblock"];
        foreach (var topic in expected) Assert.Equal(topic, await subscriber.ReadTopicAsync(Cancel));
        await Assert.ThrowsAsync<EndOfStreamException>(() => subscriber.ReadTopicAsync(Cancel));
    }

    public static TheoryData<string, byte[]> Wrong => new()
    {
        { "HTTP", [.. "HTTP/1.1 400 Bad Request\r\n\r\n"u8, .. new byte[64]] },
        { "ZMTP 2", [.. Greeting[..10], 2, .. Greeting[11..]] },
        { "security", [.. Greeting[..12], .. "CURVE"u8, .. Greeting[17..]] },
        { "an error instead of READY", [.. Greeting, 4, 7, 5, .. "ERROR"u8, 0] },
        { "a message instead of READY", [.. Greeting, .. Block] },
        { "flags", [.. Greeting, .. Ready, 8, 0] },
        { "a frame without end", [.. Greeting, .. Ready, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] },
        { "a frame that is too large", [.. Greeting, .. Ready, 2, 0, 0, 0, 0, 0, 0, 0x20, 1] },
        { "a message without end", [.. Greeting, .. Ready, .. Enumerable.Repeat((byte[])[1, 0], 1_000).SelectMany(f => f)] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task What_is_no_publisher_ends_the_connection(string what, byte[] says)
    {
        using var peer = new Peer(says);
        var subscriber = new ZmtpSubscriber(peer);
        async Task HearAsync()
        {
            await subscriber.SubscribeAsync("hashblock", Cancel);
            await subscriber.ReadTopicAsync(Cancel);
        }
        Assert.NotEmpty((await Assert.ThrowsAsync<InvalidDataException>(HearAsync)).Message + what);
    }

    [Fact]
    public async Task No_mutation_does_more_than_end_the_connection()
    {
        const int Rounds = 20_000;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("BITCACHE_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given : Random.Shared.Next();
        var random = new Random(seed);
        byte[] whole = [.. Greeting, .. Ready, .. Block, .. Transaction, .. Block];
        var (heard, ended) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var says = (byte[])whole.Clone();
            for (var edits = random.Next(1, 4); edits > 0; edits--) says[random.Next(says.Length)] = (byte)random.Next(256);
            using var peer = new Peer(says[..random.Next(says.Length)]);
            var subscriber = new ZmtpSubscriber(peer);
            try
            {
                await subscriber.SubscribeAsync("hashblock", Cancel);
                while (true)
                {
                    Assert.InRange((await subscriber.ReadTopicAsync(Cancel)).Length, 0, Limits.PublishedFrameBytesMax);
                    heard++;
                }
            }
            catch (Exception e) when (e is EndOfStreamException or InvalidDataException)
            {
                ended++;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}, round {round}", e);
            }
        }
        Assert.True(heard > Rounds / 10 && ended == Rounds, $"{heard} heard, {ended} ended, seed {seed}");
    }

    /// <summary>A connection whose other end says what it says, whatever it hears.</summary>
    private sealed class Peer(byte[] says) : MemoryStream(says, writable: false)
    {
        private readonly List<byte> _said = [];

        public byte[] Said => [.. _said];

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _said.AddRange(buffer.Span);
            return ValueTask.CompletedTask;
        }
    }
}
