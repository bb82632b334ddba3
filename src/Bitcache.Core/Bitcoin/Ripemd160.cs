// RIPEMD-160 (Dobbertin, Bosselaers, Preneel, 1996), which the base library does not have any more. Bitcoin names keys by it
// (HASH160); here it only shows that a key is the one that an output names.

using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Bitcache.Core.Bitcoin;

internal static class Ripemd160
{
    public const int Bytes = 20;
    private const int BlockBytes = 64;
    private const int Steps = 80;
    private const int StepsOfRound = 16;

    // Which word each step takes, and by how much it turns: of the left line, and of the right one.
    private static ReadOnlySpan<byte> LeftWords =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8,
        3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12, 1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2,
        4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13,
    ];

    private static ReadOnlySpan<byte> RightWords =>
    [
        5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12, 6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2,
        15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13, 8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14,
        12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11,
    ];

    private static ReadOnlySpan<byte> LeftTurns =>
    [
        11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8, 7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12,
        11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5, 11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12,
        9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6,
    ];

    private static ReadOnlySpan<byte> RightTurns =>
    [
        8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6, 9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11,
        9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5, 15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8,
        8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11,
    ];

    private static ReadOnlySpan<uint> LeftConstants => [0, 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xa953fd4e];
    private static ReadOnlySpan<uint> RightConstants => [0x50a28be6, 0x5c4dd124, 0x6d703ef3, 0x7a6d76e9, 0];

    /// <summary>RIPEMD-160 of SHA-256: what an output says of a key.</summary>
    public static byte[] OfKey(ReadOnlySpan<byte> key) => Of(SHA256.HashData(key));

    public static byte[] Of(ReadOnlySpan<byte> message)
    {
        // A bit, zeros, and the length in bits fill the last block.
        var padded = new byte[((message.Length + 8) / BlockBytes * BlockBytes) + BlockBytes];
        message.CopyTo(padded);
        padded[message.Length] = 0x80;
        BinaryPrimitives.WriteInt64LittleEndian(padded.AsSpan(padded.Length - 8), 8L * message.Length);
        Span<uint> state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
        for (var at = 0; at < padded.Length; at += BlockBytes) Mix(state, padded.AsSpan(at, BlockBytes));
        var hash = new byte[Bytes];
        for (var i = 0; i < state.Length; i++) BinaryPrimitives.WriteUInt32LittleEndian(hash.AsSpan(4 * i), state[i]);
        return hash;
    }

    private static void Mix(Span<uint> state, ReadOnlySpan<byte> block)
    {
        Span<uint> words = stackalloc uint[BlockBytes / 4];
        for (var i = 0; i < words.Length; i++) words[i] = BinaryPrimitives.ReadUInt32LittleEndian(block[(4 * i)..]);
        Span<uint> left = stackalloc uint[5], right = stackalloc uint[5];
        state.CopyTo(left);
        state.CopyTo(right);
        for (var step = 0; step < Steps; step++)
        {
            var round = step / StepsOfRound;
            Turn(left, round, words[LeftWords[step]], LeftConstants[round], LeftTurns[step]);
            Turn(right, 4 - round, words[RightWords[step]], RightConstants[round], RightTurns[step]);
        }
        unchecked
        {
            var first = state[1] + left[2] + right[3];
            state[1] = state[2] + left[3] + right[4];
            state[2] = state[3] + left[4] + right[0];
            state[3] = state[4] + left[0] + right[1];
            state[4] = state[0] + left[1] + right[2];
            state[0] = first;
        }
    }

    private static void Turn(Span<uint> line, int function, uint word, uint constant, int turns)
    {
        unchecked
        {
            var mixed = BitOperations.RotateLeft(line[0] + Choose(function, line[1], line[2], line[3]) + word + constant, turns) + line[4];
            line[0] = line[4];
            line[4] = line[3];
            line[3] = BitOperations.RotateLeft(line[2], 10);
            line[2] = line[1];
            line[1] = mixed;
        }
    }

    private static uint Choose(int function, uint x, uint y, uint z) => function switch
    {
        0 => x ^ y ^ z,
        1 => (x & y) | (~x & z),
        2 => (x | ~y) ^ z,
        3 => (x & z) | (y & ~z),
        4 => x ^ (y | ~z),
        _ => throw new ArgumentOutOfRangeException(nameof(function)),
    };
}
