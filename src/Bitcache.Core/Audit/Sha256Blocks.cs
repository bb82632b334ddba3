// The compression of SHA-256 (FIPS 180-4) in vectors of sixteen words: one word of each of sixteen messages, so that one
// instruction goes on with all of them. The messages lie one behind the other, and what is asked for is laid across: a
// matrix of sixteen messages by sixteen words changes its rows for its columns in four passes over the vectors.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bitcache.Core.Audit;

/// <summary>Sixteen states of SHA-256, and the blocks that they take in. Belongs to one thread. What loops over vectors is compiled
/// at its best for its first call: compiled in haste, as others are at first, each operation on a vector is a call.</summary>
internal sealed class Sha256Blocks
{
    public const int BlockBytes = 64;
    public const int HashWords = Hash256.Bytes / sizeof(uint);

    /// <summary>Whether this processor has vectors that are wide enough to gain anything.</summary>
    public static bool IsSupported => Avx2.IsSupported;

    private const int Lanes = Sha256Lanes.Count;
    private const int BlockWords = BlockBytes / sizeof(uint);
    private const int Rounds = 64;

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

    private readonly Vector512<uint>[] _state = new Vector512<uint>[HashWords];
    // Word i of each lane in vector i; and where they stand between two passes.
    private readonly Vector512<uint>[] _words = new Vector512<uint>[BlockWords];
    private readonly Vector512<uint>[] _passing = new Vector512<uint>[BlockWords];

    /// <summary>Begins sixteen messages.</summary>
    public void Begin()
    {
        for (var i = 0; i < HashWords; i++) _state[i] = Vector512.Create(Start[i]);
    }

    /// <summary>Goes on from sixteen states.</summary>
    /// <param name="states">Word after word; of each word one lane after the other.</param>
    public void BeginWith(ReadOnlySpan<uint> states)
    {
        for (var i = 0; i < HashWords; i++) _state[i] = Vector512.Create(states.Slice(i * Lanes, Lanes));
    }

    /// <summary>Takes in one block of each lane.</summary>
    /// <param name="blocks">The first lane's, and the others behind it.</param>
    /// <param name="distance">Bytes from one lane's block to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(ReadOnlySpan<byte> blocks, int distance)
    {
        for (var lane = 0; lane < Lanes; lane++) _words[lane] = BigEndian(Vector512.Create(blocks.Slice(lane * distance, BlockBytes)).AsUInt32());
        LayAcross();
        Compress(_words, _state);
    }

    /// <summary>Gives what the lanes have come to that end with the block that was taken in last.</summary>
    /// <param name="ends">For each lane, the block that it ends with.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Take(ReadOnlySpan<int> ends, int block, Span<Hash256> hashes)
    {
        // The words of a block are of no use any more; what stands behind those of the state becomes what nobody reads.
        for (var i = 0; i < HashWords; i++) _words[i] = BigEndian(_state[i]);
        LayAcross();
        for (var lane = 0; lane < ends.Length; lane++)
        {
            if (ends[lane] == block) hashes[lane] = Hash256.Read(MemoryMarshal.AsBytes(_words.AsSpan(lane, 1)));
        }
    }

    /// <summary>Word i of vector j becomes word j of vector i.</summary>
    private void LayAcross()
    {
        for (var pass = 0; pass < 2; pass++)
        {
            Interleave(_words, _passing);
            Interleave(_passing, _words);
        }
    }

    /// <summary>Lays each of the first eight vectors and the one that is eight behind it into one another. Where a word stands, as
    /// the four bits of its vector and the four of its place there, turns by one bit: after four such passes the two have
    /// changed places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Interleave(ReadOnlySpan<Vector512<uint>> from, Span<Vector512<uint>> to)
    {
        for (var i = 0; i < BlockWords / 2; i++)
        {
            var (one, other) = (from[i], from[i + (BlockWords / 2)]);
            if (Avx512F.IsSupported)
            {
                to[2 * i] = Avx512F.PermuteVar16x32x2(one, Vector512.Create(0u, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), other);
                to[(2 * i) + 1] = Avx512F.PermuteVar16x32x2(one, Vector512.Create(8u, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), other);
            }
            else
            {
                to[2 * i] = Interleave(one.GetLower(), other.GetLower());
                to[(2 * i) + 1] = Interleave(one.GetUpper(), other.GetUpper());
            }
        }
    }

    private static Vector512<uint> Interleave(Vector256<uint> one, Vector256<uint> other)
    {
        // Each of the two does so within both of its halves.
        var (first, second) = (Avx2.UnpackLow(one, other), Avx2.UnpackHigh(one, other));
        return Vector512.Create(Avx2.Permute2x128(first, second, 0x20), Avx2.Permute2x128(first, second, 0x31));
    }

    /// <summary>FIPS 180-4, 6.2.2. Eight rounds written out, so that no word of the state moves, are no faster: the rotations, of
    /// which a processor begins one at a time, take all of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compress(Span<Vector512<uint>> words, Span<Vector512<uint>> state)
    {
        var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]);
        for (var t = 0; t < Rounds; t++)
        {
            if (t >= BlockWords) words[t & 15] += SmallSigma0(words[(t + 1) & 15]) + words[(t + 9) & 15] + SmallSigma1(words[(t + 14) & 15]);
            var choice = Vector512.ConditionalSelect(e, f, g);
            var majority = Vector512.ConditionalSelect(a ^ b, c, a);
            var first = h + BigSigma1(e) + choice + Vector512.Create(Constants[t]) + words[t & 15];
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
