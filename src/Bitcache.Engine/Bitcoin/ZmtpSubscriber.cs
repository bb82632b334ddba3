// The part of ZMTP 3.0 (rfc.zeromq.org/spec/23) that a subscriber without security needs: both greetings, both READY
// commands, one subscription, then messages. A node publishes what it hears of in this way (-zmqpubhashblock).
//
//   greeting   ff 00*8 7f   03 00   "NULL" padded to 20   00   00*31
//   frame      flags (01 more, 02 long, 04 command)   size: u8, or u64 big-endian if long   body
//   READY      frame 04: 05 "READY", then for each property: u8 length, name, u32 big-endian length, value
//   subscribe  frame 00: 01 topic

using System.Buffers.Binary;
using System.Text;
using Bitcache.Core;

namespace Bitcache.Engine.Bitcoin;

/// <summary>A publisher's messages, one after the other. Whatever is not as the protocol has it ends the connection with
/// <see cref="InvalidDataException"/>; nothing that a peer sends makes more memory than one small frame be taken.</summary>
/// <param name="stream">A fresh connection to the publisher; its owner disposes of it.</param>
internal sealed class ZmtpSubscriber(Stream stream)
{
    private const int GreetingBytes = 64;
    private const int MechanismBytes = 20;
    private const byte More = 1;
    private const byte Long = 2;
    private const byte Command = 4;

    private readonly byte[] _frame = new byte[Limits.PublishedFrameBytesMax];

    /// <summary>Greets the publisher and asks for one topic.</summary>
    public async Task SubscribeAsync(string topic, CancellationToken cancel)
    {
        await stream.WriteAsync(Greeting(), cancel);
        var greeting = new byte[GreetingBytes];
        await stream.ReadExactlyAsync(greeting, cancel);
        // Bytes 1 to 8 and the minor version are the peer's own affair.
        if (greeting[0] != 0xff || greeting[9] != 0x7f || greeting[10] < 3) throw new InvalidDataException("it does not greet as ZMTP 3 does");
        if (!greeting.AsSpan(12, MechanismBytes).SequenceEqual(Mechanism())) throw new InvalidDataException("it wants other security than none");

        await stream.WriteAsync(Frame(Command, [5, .. "READY"u8, .. Property("Socket-Type", "SUB")]), cancel);
        var (flags, size) = await ReadFrameAsync(cancel);
        if ((flags & Command) == 0 || !_frame.AsSpan(0, size).StartsWith("\u0005READY"u8)) throw new InvalidDataException("it is not ready, or does not say so");
        await stream.WriteAsync(Frame(0, [1, .. Encoding.ASCII.GetBytes(topic)]), cancel);
    }

    /// <summary>Waits for a message, and gives its first part: what it is about. What is in it is not looked at.</summary>
    public async Task<string> ReadTopicAsync(CancellationToken cancel)
    {
        string? topic = null;
        for (var parts = 0; parts < Limits.PublishedPartsMax;)
        {
            var (flags, size) = await ReadFrameAsync(cancel);
            if ((flags & Command) != 0) continue;
            topic ??= Encoding.Latin1.GetString(_frame, 0, size);
            if ((flags & More) == 0) return topic;
            parts++;
        }
        throw new InvalidDataException("a message of it has no end");
    }

    private async Task<(byte Flags, int Size)> ReadFrameAsync(CancellationToken cancel)
    {
        var head = new byte[1 + sizeof(ulong)];
        await stream.ReadExactlyAsync(head.AsMemory(0, 2), cancel);
        if ((head[0] & ~(More | Long | Command)) != 0) throw new InvalidDataException("a frame of it has flags that mean nothing");
        ulong size = head[1];
        if ((head[0] & Long) != 0)
        {
            await stream.ReadExactlyAsync(head.AsMemory(2, sizeof(ulong) - 1), cancel);
            size = BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(1));
        }
        if (size > Limits.PublishedFrameBytesMax) throw new InvalidDataException($"a frame of it has {size} bytes");
        await stream.ReadExactlyAsync(_frame.AsMemory(0, (int)size), cancel);
        return (head[0], (int)size);
    }

    private static byte[] Greeting()
    {
        var greeting = new byte[GreetingBytes];
        (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
        Mechanism().CopyTo(greeting.AsSpan(12));
        return greeting;
    }

    private static byte[] Mechanism()
    {
        var mechanism = new byte[MechanismBytes];
        "NULL"u8.CopyTo(mechanism);
        return mechanism;
    }

    private static byte[] Property(string name, string value) => [(byte)name.Length, .. Encoding.ASCII.GetBytes(name), 0, 0, 0, (byte)value.Length, .. Encoding.ASCII.GetBytes(value)];

    private static byte[] Frame(byte flags, byte[] body) => [flags, (byte)body.Length, .. body];
}
