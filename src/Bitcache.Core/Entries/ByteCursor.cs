// Reading and writing of fixed layouts. Integers are big-endian in all of Bitcache's own formats.

using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>Writes fields one after another into a span that is known to be large enough.</summary>
public ref struct ByteWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    public int Position { get; private set; }

    public void U8(byte value) => Take(1)[0] = value;
    public void U16(int value) => BinaryPrimitives.WriteUInt16BigEndian(Take(2), (ushort)value);
    public void U32(uint value) => BinaryPrimitives.WriteUInt32BigEndian(Take(4), value);
    public void I64(long value) => BinaryPrimitives.WriteInt64BigEndian(Take(8), value);
    public void U128(UInt128 value) => BinaryPrimitives.WriteUInt128BigEndian(Take(16), value);
    public void Id(OperationId id) => id.Write(Take(OperationId.Bytes));
    public void Wallet(WalletId id) => id.Write(Take(WalletId.Bytes));
    public void Amount(Msat amount) => I64(amount.Value);
    public void Amount(Sats amount) => I64(amount.Value);
    public void Time(UnixTime time) => I64(time.Milliseconds);
    public void Hash(Hash256 hash) => hash.Write(Take(Hash256.Bytes));
    public void Raw(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    /// <summary>At most 255 bytes behind their length.</summary>
    public void Short(ReadOnlySpan<byte> bytes)
    {
        U8((byte)bytes.Length);
        Raw(bytes);
    }

    /// <summary>Bytes behind a length of 32 bits.</summary>
    public void Long(ReadOnlySpan<byte> bytes)
    {
        U32((uint)bytes.Length);
        Raw(bytes);
    }

    private Span<byte> Take(int count)
    {
        var field = _destination.Slice(Position, count);
        Position += count;
        return field;
    }
}

/// <summary>Reads what <see cref="ByteWriter"/> wrote; throws <see cref="FormatException"/> where bytes are missing.</summary>
public ref struct ByteReader(ReadOnlySpan<byte> source)
{
    private readonly ReadOnlySpan<byte> _source = source;
    private int _position;

    public readonly int Left => _source.Length - _position;

    public byte U8() => Take(1)[0];
    public int U16() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));
    public uint U32() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));
    public long I64() => BinaryPrimitives.ReadInt64BigEndian(Take(8));
    public UInt128 U128() => BinaryPrimitives.ReadUInt128BigEndian(Take(16));
    public OperationId Id() => OperationId.Read(Take(OperationId.Bytes));
    public WalletId Wallet() => WalletId.Read(Take(WalletId.Bytes));
    public Msat Msat() => new(I64());
    public Sats Sats() => new(I64());
    public UnixTime Time() => new(I64());
    public Hash256 Hash() => Hash256.Read(Take(Hash256.Bytes));
    public ByteString Short() => new(Take(U8()));
    public ByteString Long() => new(Take(checked((int)U32())));

    public ReadOnlySpan<byte> Take(int count)
    {
        if (count > Left) throw new FormatException($"{count} bytes wanted, {Left} left");
        var field = _source.Slice(_position, count);
        _position += count;
        return field;
    }

    /// <summary>A format has no bytes that nobody reads.</summary>
    public readonly void End()
    {
        if (Left != 0) throw new FormatException($"{Left} bytes too many");
    }
}
