// Reading and writing of fixed layouts. Integers are big-endian in all of Bitcache's own formats.

using System.Buffers.Binary;

namespace Bitcache.Core;

/// <summary>Writes fields one after another into a span that is known to be large enough.</summary>
public ref struct ByteWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    public int Position { get; private set; }

    public void U8(byte value) => Take(1)[0] = value;
    public void Flag(bool value) => U8(value ? (byte)1 : (byte)0);
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
    public void Raw(scoped ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    /// <summary>At most 255 bytes behind their length.</summary>
    public void Short(scoped ReadOnlySpan<byte> bytes)
    {
        U8((byte)bytes.Length);
        Raw(bytes);
    }

    /// <summary>Bytes behind a length of 32 bits.</summary>
    public void Long(scoped ReadOnlySpan<byte> bytes)
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

/// <summary>Reads what <see cref="ByteWriter"/> wrote; throws <see cref="FormatException"/>, and nothing else, where
/// bytes are missing or a value is out of its bounds. One value has one form.</summary>
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
    public Msat Msat() => new(Within(Limits.SupplyMsatMax));
    public Sats Sats() => new(Within(Limits.SupplySatMax));
    public UnixTime Time() => new(Within(long.MaxValue));
    public Hash256 Hash() => Hash256.Read(Take(Hash256.Bytes));
    public ByteString Short(int max = byte.MaxValue) => Bytes(U8(), max);
    public ByteString Long(int max = int.MaxValue) => Bytes(U32(), max);

    public bool Flag() => U8() switch
    {
        0 => false,
        1 => true,
        var other => throw new FormatException($"{other} is neither yes nor no"),
    };

    /// <summary>A byte that numbers a value of an enumeration.</summary>
    public T U8<T>() where T : struct, Enum => Named((T)Enum.ToObject(typeof(T), U8()));

    /// <summary>The same in two bytes.</summary>
    public T U16<T>() where T : struct, Enum => Named((T)Enum.ToObject(typeof(T), U16()));

    /// <summary>Checks how many items follow before room is made for them: a count is not believed without its bytes.</summary>
    public readonly int Items(int count, int bytesEach, int max)
    {
        if (count > max || count > Left / bytesEach) throw new FormatException($"{count} items announced, {Left} bytes left");
        return count;
    }

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

    private long Within(long max) => I64() is var value && value >= 0 && value <= max
        ? value
        : throw new FormatException($"{value} is not between 0 and {max}");

    private ByteString Bytes(uint count, int max) => count <= max
        ? new ByteString(Take((int)count))
        : throw new FormatException($"{count} bytes announced where {max} are allowed");

    private static T Named<T>(T value) where T : struct, Enum =>
        Enum.IsDefined(value) ? value : throw new FormatException($"{value} is not a {typeof(T).Name}");
}
