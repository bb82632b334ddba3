using System.Buffers.Binary;

namespace Bitcache.Core.Bitcoin;

/// <summary>Reads Bitcoin's serialisation from untrusted bytes: every read says whether the bytes were there.</summary>
internal ref struct BitcoinReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; }
    public readonly int Left => _bytes.Length - Position;
    public readonly ReadOnlySpan<byte> Rest => _bytes[Position..];

    /// <summary>What was read since a position.</summary>
    public readonly ReadOnlySpan<byte> Since(int position) => _bytes[position..Position];

    public bool TryRead(int count, out ReadOnlySpan<byte> read)
    {
        read = default;
        if (count > Left) return false;
        read = _bytes.Slice(Position, count);
        Position += count;
        return true;
    }

    public bool TryReadUInt32(out uint value)
    {
        var good = TryRead(4, out var read);
        value = good ? BinaryPrimitives.ReadUInt32LittleEndian(read) : 0;
        return good;
    }

    public bool TryReadInt64(out long value)
    {
        var good = TryRead(8, out var read);
        value = good ? BinaryPrimitives.ReadInt64LittleEndian(read) : 0;
        return good;
    }

    /// <summary>A compact size in its shortest form that counts items of at least <paramref name="itemBytes"/>
    /// each; a count that the bytes left cannot hold is refused, so that no memory is set aside for it.</summary>
    public bool TryReadCount(int itemBytes, out int count)
    {
        count = 0;
        if (!TryRead(1, out var first)) return false;
        ulong value = first[0];
        if (first[0] >= 0xfd)
        {
            var width = 1 << (first[0] - 0xfc);
            if (!TryRead(width, out var wide)) return false;
            value = 0;
            for (var i = 0; i < width; i++) value |= (ulong)wide[i] << (8 * i);
            if (value < (width == 2 ? 0xfd : 1UL << (4 * width))) return false;
        }
        if (value > (ulong)(Left / itemBytes)) return false;
        count = (int)value;
        return true;
    }

    /// <summary>Bytes with their length in front.</summary>
    public bool TryReadBytes(out ReadOnlySpan<byte> read)
    {
        read = default;
        return TryReadCount(1, out var count) && TryRead(count, out read);
    }
}
