using System.Buffers.Binary;

namespace Bitcache.Core.Audit;

/// <summary>The leaf of a chunk: HMAC-SHA256(n, le64(value) || le64(position)).</summary>
internal static class LiabilityLeaf
{
    public const int MessageBytes = 2 * sizeof(long);

    public static void Add(this HmacBatch batch, in HmacKey nonce, long value, int position)
    {
        Span<byte> message = stackalloc byte[MessageBytes];
        WriteMessage(value, position, message);
        batch.Add(nonce, message);
    }

    public static void WriteMessage(long value, int position, Span<byte> message)
    {
        BinaryPrimitives.WriteInt64LittleEndian(message, value);
        BinaryPrimitives.WriteInt64LittleEndian(message[sizeof(long)..], position);
    }
}
