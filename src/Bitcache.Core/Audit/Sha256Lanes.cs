// SHA-256 (FIPS 180-4) of sixteen short messages at once, one in each lane of a vector. Of a message of two or three
// blocks the hash itself is the smaller part of what the system's library costs; here neither call nor context is left,
// and a processor with wide vectors computes all sixteen in the time of about two.

using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bitcache.Core.Audit;

/// <summary>Gathers messages and hashes them together. Belongs to one thread.</summary>
internal sealed class Sha256Lanes
{
    public const int Count = 16;
    /// <summary>Longer messages are for the system's library, which then loses little.</summary>
    public const int MessageBytesMax = (BlocksMax * BlockBytes) - PaddingBytesMin;

    /// <summary>Fewer cost as much as one after the other.</summary>
    public const int MessagesMin = 4;

    private const int BlocksMax = 4;
    private const int BlockBytes = 64;
    private const int BlockWords = BlockBytes / sizeof(uint);
    private const int HashWords = Hash256.Bytes / sizeof(uint);
    private const int Rounds = 64;
    // A bit that is set, and the length in bits.
    private const int PaddingBytesMin = 1 + sizeof(ulong);

    /// <summary>FIPS 180-4, 5.3.3.</summary>
    private static ReadOnlySpan<uint> Start =>
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

    /// <summary>FIPS 180-4, 4.2.2.</summary>
    private static ReadOnlySpan<uint> Constants =>
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    // Block after block, word after word; of each word one lane after the other. Each as its bytes lie in the message.
    private readonly uint[] _words = new uint[BlocksMax * BlockWords * Count];
    private readonly int[] _blocks = new int[Count];
    // What each lane begins with, word after word, where that is not the standard's beginning.
    private readonly uint[] _states = new uint[HashWords * Count];
    private bool _continue;

    private Sha256Lanes()
    {
    }

    /// <summary>Whether the lanes of this processor hash as the library does: a message of each kind of length in each of them, and
    /// such that go on behind a block.</summary>
    private static bool IsRight { get; } = TestItself();

    /// <summary>Lanes for so many messages; null where the library is faster, or the lanes are not right.</summary>
    public static Sha256Lanes? For(int messages) => Vector256.IsHardwareAccelerated && messages >= MessagesMin && IsRight ? new Sha256Lanes() : null;

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
        for (var lane = 0; lane < Count; lane++) lanes.AddBehind(hashes[lane], message.AsSpan(BlockBytes, lane * 8));
        lanes.Finish(hashes);
        for (var lane = 0; lane < Count; lane++)
        {
            if (hashes[lane] != Sha256.Of(message.AsSpan(0, BlockBytes + (lane * 8)))) return false;
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
        Span<byte> padded = stackalloc byte[BlocksMax * BlockBytes];
        padded[0] = first;
        rest.CopyTo(padded[1..]);
        Gather(Pad(padded, 1 + rest.Length, 0));
    }

    /// <summary>Gathers a block that is the beginning of a message: its hash is the state behind it, for
    /// <see cref="AddBehind"/>.</summary>
    public void AddBlock(ReadOnlySpan<byte> block) => Gather(block[..BlockBytes]);

    /// <summary>Gathers what is behind the first block of a message. Then all that is gathered must be such.</summary>
    /// <param name="state">Behind that block.</param>
    public void AddBehind(in Hash256 state, ReadOnlySpan<byte> rest)
    {
        Span<byte> padded = stackalloc byte[BlocksMax * BlockBytes];
        rest.CopyTo(padded);
        _continue = true;
        WriteState(0, state.High);
        WriteState(HashWords / 2, state.Low);
        Gather(Pad(padded, rest.Length, BlockBytes));
    }

    private void WriteState(int word, UInt128 half)
    {
        for (var shift = 96; shift >= 0; shift -= 32) _states[(word++ * Count) + Gathered] = unchecked((uint)(half >> shift));
    }

    /// <summary>Hashes what was gathered, in its order, and begins anew.</summary>
    /// <param name="hashes">As many as were gathered.</param>
    public void Finish(Span<Hash256> hashes)
    {
        Span<Vector512<uint>> state = stackalloc Vector512<uint>[HashWords];
        for (var i = 0; i < HashWords; i++) state[i] = _continue ? Vector512.Create(_states.AsSpan(i * Count, Count)) : Vector512.Create(Start[i]);
        var blocks = _blocks.AsSpan(0, Gathered);
        for (var block = 1; block <= BlocksMax && blocks.ContainsAnyInRange(block, BlocksMax); block++)
        {
            // Lanes whose message has ended go on with whatever lies there: their hashes are taken already.
            Compress(_words.AsSpan((block - 1) * BlockWords * Count, BlockWords * Count), state);
            for (var lane = 0; lane < blocks.Length; lane++)
            {
                if (blocks[lane] == block) hashes[lane] = Read(MemoryMarshal.Cast<Vector512<uint>, uint>(state), lane);
            }
        }
        Gathered = 0;
        _continue = false;
    }

    /// <summary>Ends a message (FIPS 180-4, 5.1.1).</summary>
    /// <param name="before">Bytes of it that are hashed already.</param>
    private static ReadOnlySpan<byte> Pad(Span<byte> message, int length, int before)
    {
        var padded = message[..((length + PaddingBytesMin + BlockBytes - 1) / BlockBytes * BlockBytes)];
        padded[length..].Clear();
        padded[length] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(padded[^sizeof(ulong)..], 8 * (ulong)(before + length));
        return padded;
    }

    private void Gather(ReadOnlySpan<byte> blocks)
    {
        ref var word = ref _words[Gathered];
        foreach (var bytes in MemoryMarshal.Cast<byte, uint>(blocks))
        {
            word = bytes;
            word = ref Unsafe.Add(ref word, Count);
        }
        _blocks[Gathered++] = blocks.Length / BlockBytes;
    }

    private static Hash256 Read(ReadOnlySpan<uint> state, int lane)
    {
        return new Hash256(new UInt128(Two(state, 0, lane), Two(state, 2, lane)), new UInt128(Two(state, 4, lane), Two(state, 6, lane)));

        static ulong Two(ReadOnlySpan<uint> state, int word, int lane) =>
            ((ulong)state[(word * Count) + lane] << 32) | state[((word + 1) * Count) + lane];
    }

    /// <summary>FIPS 180-4, 6.2.2.</summary>
    private static void Compress(ReadOnlySpan<uint> block, Span<Vector512<uint>> state)
    {
        Span<Vector512<uint>> w = stackalloc Vector512<uint>[BlockWords];
        for (var i = 0; i < BlockWords; i++) w[i] = BigEndian(Vector512.Create(block.Slice(i * Count, Count)));
        var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]);
        for (var t = 0; t < Rounds; t++)
        {
            if (t >= BlockWords) w[t & 15] += SmallSigma0(w[(t + 1) & 15]) + w[(t + 9) & 15] + SmallSigma1(w[(t + 14) & 15]);
            var choice = Vector512.ConditionalSelect(e, f, g);
            var majority = Vector512.ConditionalSelect(a ^ b, c, a);
            var first = h + BigSigma1(e) + choice + Vector512.Create(Constants[t]) + w[t & 15];
            (h, g, f, e, d, c, b, a) = (g, f, e, d + first, c, b, a, first + BigSigma0(a) + majority);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }

    private static Vector512<uint> BigEndian(Vector512<uint> words) => !BitConverter.IsLittleEndian
        ? words
        : (Rotate(words, 8) & Vector512.Create(0xff00ff00)) | (Rotate(words, 24) & Vector512.Create(0x00ff00ffu));

    private static Vector512<uint> BigSigma0(Vector512<uint> x) => Rotate(x, 2) ^ Rotate(x, 13) ^ Rotate(x, 22);
    private static Vector512<uint> BigSigma1(Vector512<uint> x) => Rotate(x, 6) ^ Rotate(x, 11) ^ Rotate(x, 25);
    private static Vector512<uint> SmallSigma0(Vector512<uint> x) => Rotate(x, 7) ^ Rotate(x, 18) ^ (x >>> 3);
    private static Vector512<uint> SmallSigma1(Vector512<uint> x) => Rotate(x, 17) ^ Rotate(x, 19) ^ (x >>> 10);

    private static Vector512<uint> Rotate(Vector512<uint> x, [ConstantExpected] byte right) =>
        Avx512F.IsSupported ? Avx512F.RotateRight(x, right) : (x >>> right) | (x << (32 - right));
}
