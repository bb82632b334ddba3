using System.Buffers;

namespace Bitcache.Engine.Partitions;

/// <summary>Bytes that are given back at the end of their use, when nobody has them any more.</summary>
internal readonly ref struct Rented(int length)
{
    private readonly byte[] _array = ArrayPool<byte>.Shared.Rent(length);

    public Span<byte> Bytes => _array;

    public void Dispose() => ArrayPool<byte>.Shared.Return(_array);
}
