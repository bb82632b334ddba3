// SHA-256 (FIPS 180-4) of sixteen short messages at once, one in each lane of a vector. Of a message of two or three
// blocks the hash itself is the smaller part of what the system's library costs; here neither call nor context is left,
// and a processor with wide vectors computes all sixteen in the time of about two. Messages are gathered as their bytes
// lie, one behind the other: only what is hashed is laid into vectors (Sha256Blocks).

using System.Buffers.Binary;

namespace Bitcache.Core.Audit;

/// <summary>Gathers messages and hashes them together. Belongs to one thread.</summary>
internal sealed class Sha256Lanes
{
    public const int Count = 16;
    /// <summary>Longer messages are for the system's library, which then loses little.</summary>
    public const int MessageBytesMax = LaneBytes - PaddingBytesMin;

    /// <summary>Fewer cost as much as one after the other.</summary>
    public const int MessagesMin = 2;

    private const int BlocksMax = 4;
    private const int LaneBytes = BlocksMax * Sha256Blocks.BlockBytes;
    private const int HashWords = Sha256Blocks.HashWords;
    // A bit that is set, and the length in bits.
    private const int PaddingBytesMin = 1 + sizeof(ulong);

    // Lane after lane; behind the end of a message whatever was there before.
    private readonly byte[] _messages = new byte[Count * LaneBytes];
    private readonly int[] _blocks = new int[Count];
    // What each lane begins with, word after word, where that is not the standard's beginning.
    private readonly uint[] _states = new uint[HashWords * Count];
    private readonly Sha256Blocks _hash = new();
    private bool _continue;

    private Sha256Lanes()
    {
    }

    /// <summary>Whether the lanes of this processor hash as the library does: a message of each kind of length in each of them, and
    /// such that go on behind a block.</summary>
    private static bool IsRight { get; } = TestItself();

    /// <summary>Lanes for so many messages; null where the library is faster, or the lanes are not right.</summary>
    public static Sha256Lanes? For(int messages) => Sha256Blocks.IsSupported && messages >= MessagesMin && IsRight ? new Sha256Lanes() : null;

    private static bool TestItself()
    {
        ReadOnlySpan<int> lengths = [1, 3, 55, 56, 63, 64, 65, 119, 120, 127, 128, 183, 184, 192, 200, MessageBytesMax];
        var (lanes, hashes, message) = (new Sha256Lanes(), new Hash256[Count], new byte[MessageBytesMax]);
        for (var i = 0; i < message.Length; i++) message[i] = unchecked((byte)((i * 167) + 13));
        foreach (var length in lengths) lanes.Add(message.AsSpan(0, length));
        lanes.Finish(hashes);
        for (var lane = 0; lane < Count; lane++)
        {
            if (hashes[lane] != Sha256.Of(message.AsSpan(0, lengths[lane]))) return false;
        }
        for (var lane = 0; lane < Count; lane++) lanes.AddBlock(message);
        lanes.Finish(hashes);
        var state = hashes[0];
        for (var lane = 0; lane < Count; lane++) lanes.AddBehind(hashes[lane], message.AsSpan(Sha256Blocks.BlockBytes, lane * 8));
        lanes.Finish(hashes);
        for (var lane = 0; lane < Count; lane++)
        {
            if (hashes[lane] != Sha256.Of(message.AsSpan(0, Sha256Blocks.BlockBytes + (lane * 8)))) return false;
        }
        return state != default;
    }

    /// <summary>Messages that are gathered.</summary>
    public int Gathered { get; private set; }

    public bool IsFull => Gathered == Count;

    /// <summary>Gathers a message that has one byte at least.</summary>
    public void Add(ReadOnlySpan<byte> message) => Add(message[0], message[1..]);

    /// <summary>Gathers one byte and what follows it, together at most <see cref="MessageBytesMax"/> long.</summary>
    public void Add(byte first, ReadOnlySpan<byte> rest)
    {
        var lane = NextLane;
        lane[0] = first;
        rest.CopyTo(lane[1..]);
        Pad(lane, 1 + rest.Length, 0);
    }

    /// <summary>Gathers a block that is the beginning of a message: its hash is the state behind it, for
    /// <see cref="AddBehind"/>.</summary>
    public void AddBlock(ReadOnlySpan<byte> block)
    {
        block[..Sha256Blocks.BlockBytes].CopyTo(NextLane);
        _blocks[Gathered++] = 1;
    }

    /// <summary>Gathers what is behind the first block of a message. Then all that is gathered must be such.</summary>
    /// <param name="state">Behind that block.</param>
    public void AddBehind(in Hash256 state, ReadOnlySpan<byte> rest)
    {
        _continue = true;
        WriteState(0, state.High);
        WriteState(HashWords / 2, state.Low);
        var lane = NextLane;
        rest.CopyTo(lane);
        Pad(lane, rest.Length, Sha256Blocks.BlockBytes);
    }

    private Span<byte> NextLane => _messages.AsSpan(Gathered * LaneBytes, LaneBytes);

    private void WriteState(int word, UInt128 half)
    {
        for (var shift = 96; shift >= 0; shift -= 32) _states[(word++ * Count) + Gathered] = unchecked((uint)(half >> shift));
    }

    /// <summary>Hashes what was gathered, in its order, and begins anew.</summary>
    /// <param name="hashes">As many as were gathered.</param>
    public void Finish(Span<Hash256> hashes)
    {
        if (_continue) _hash.BeginWith(_states);
        else _hash.Begin();
        var blocks = _blocks.AsSpan(0, Gathered);
        for (var block = 1; block <= BlocksMax && blocks.ContainsAnyInRange(block, BlocksMax); block++)
        {
            // Lanes whose message has ended go on with whatever lies there: their hashes are taken already.
            _hash.Add(_messages.AsSpan((block - 1) * Sha256Blocks.BlockBytes), LaneBytes);
            if (blocks.Contains(block)) _hash.Take(blocks, block, hashes);
        }
        Gathered = 0;
        _continue = false;
    }

    /// <summary>Ends a message (FIPS 180-4, 5.1.1), which is then gathered.</summary>
    /// <param name="before">Bytes of it that are hashed already.</param>
    private void Pad(Span<byte> message, int length, int before)
    {
        var padded = message[..((length + PaddingBytesMin + Sha256Blocks.BlockBytes - 1) / Sha256Blocks.BlockBytes * Sha256Blocks.BlockBytes)];
        padded[length..].Clear();
        padded[length] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(padded[^sizeof(ulong)..], 8 * (ulong)(before + length));
        _blocks[Gathered++] = padded.Length / Sha256Blocks.BlockBytes;
    }
}
