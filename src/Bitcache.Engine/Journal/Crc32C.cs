using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bitcache.Engine.Journal;

/// <summary>CRC-32C (Castagnoli, as in RFC 3720), eight bytes at a time in the processor's own instruction. It may begin
/// each cycle and takes three, so long inputs are read in three lanes, whose checksums are then put together (V. Gopal
/// et al., Fast CRC computation for iSCSI polynomial using CRC32 instruction, Intel 2011).</summary>
internal static class Crc32C
{
    private const int LaneBytes = 1_024;
    private const int WordBytes = sizeof(ulong);
    private const uint Polynomial = 0x82F63B78;

    // What a checksum is multiplied with to become that of the same bytes with one lane, or two, of zeros behind them.
    private static readonly ulong PastOne = PowerOfX((8 * LaneBytes) - 33);
    private static readonly ulong PastTwo = PowerOfX((16 * LaneBytes) - 33);

    internal static uint Compute(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    /// <summary>The checksum of what <paramref name="crc"/> covers followed by these bytes; 0 covers nothing.</summary>
    internal static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        if (Pclmulqdq.IsSupported && BitConverter.IsLittleEndian)
        {
            for (; bytes.Length >= 3 * LaneBytes; bytes = bytes[(3 * LaneBytes)..]) crc = AppendLanes(crc, bytes);
        }
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        foreach (var value in bytes[(bytes.Length & -WordBytes)..]) crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }

    private static uint AppendLanes(uint crc, ReadOnlySpan<byte> bytes)
    {
        var first = MemoryMarshal.Cast<byte, ulong>(bytes[..LaneBytes]);
        var second = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(LaneBytes, LaneBytes));
        var third = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(2 * LaneBytes, LaneBytes));
        var (a, b, c) = (crc, 0u, 0u);
        for (var i = 0; i < first.Length && i < second.Length && i < third.Length; i++)
        {
            a = BitOperations.Crc32C(a, first[i]);
            b = BitOperations.Crc32C(b, second[i]);
            c = BitOperations.Crc32C(c, third[i]);
        }
        return Multiply(a, PastTwo) ^ Multiply(b, PastOne) ^ c;
    }

    /// <summary>The product of two polynomials and x^33: the multiplication gives 63 bits of 64, and the instruction that
    /// takes the remainder gives x^32.</summary>
    private static uint Multiply(uint crc, ulong by)
    {
        var product = Pclmulqdq.CarrylessMultiply(Vector128.CreateScalar((ulong)crc), Vector128.CreateScalar(by), 0);
        return BitOperations.Crc32C(0u, product.ToScalar());
    }

    /// <summary>x to some power, modulo the polynomial; the highest bit is x^0.</summary>
    private static uint PowerOfX(int power)
    {
        var value = 0x8000_0000;
        for (; power > 0; power--) value = (value >> 1) ^ ((value & 1) * Polynomial);
        return value;
    }
}
