using System.Buffers;
using System.Buffers.Binary;

namespace Bitcache.Core.Bitcoin;

/// <summary>Writes Bitcoin's serialisation: what <see cref="BitcoinReader"/> reads.</summary>
internal sealed class BitcoinWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();

    public BitcoinWriter Raw(ReadOnlySpan<byte> bytes)
    {
        _bytes.Write(bytes);
        return this;
    }

    public BitcoinWriter UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.GetSpan(4), value);
        _bytes.Advance(4);
        return this;
    }

    public BitcoinWriter Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_bytes.GetSpan(8), value);
        _bytes.Advance(8);
        return this;
    }

    /// <summary>A compact size.</summary>
    public BitcoinWriter Count(int count)
    {
        if (count < 0xfd) return Raw([(byte)count]);
        return count <= 0xffff ? Raw([0xfd, (byte)(count & 0xff), (byte)(count >> 8)]) : Raw([0xfe]).UInt32((uint)count);
    }

    /// <summary>Bytes with their length in front.</summary>
    public BitcoinWriter Bytes(ReadOnlySpan<byte> bytes) => Count(bytes.Length).Raw(bytes);

    public BitcoinWriter OutPoint(OutPoint output) => Raw(output.Txid.Hash.ToArray()).UInt32(output.Index);

    public BitcoinWriter Output(TransactionOutput output) => Int64(output.Value.Value).Bytes(output.Script);
}
