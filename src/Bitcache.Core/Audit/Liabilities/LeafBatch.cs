using System.Buffers.Binary;

namespace Bitcache.Core.Audit;

/// <summary>Leaves of the tree, sixteen hashed at once: leaf = HMAC-SHA256(n, le64(value) || le64(position)). Belongs to one
/// thread.</summary>
internal sealed class LeafBatch
{
    public const int Count = Sha256Batch.Count;
    public const int MessageBytes = 2 * sizeof(long);

    private readonly Sha256Batch _batch = new();
    private readonly Hash256[] _nonces = new Hash256[Count];
    private int _gathered;

    public bool IsFull => _gathered == Count;

    public void Add(in Hash256 nonce, long value, int position)
    {
        Span<byte> inner = stackalloc byte[Hmac256.BlockBytes + MessageBytes];
        Hmac256.WriteInnerKey(nonce, inner);
        WriteMessage(value, position, inner[Hmac256.BlockBytes..]);
        _batch.Add(inner);
        _nonces[_gathered++] = nonce;
    }

    /// <summary>The leaves that were gathered, in their order; they stand until the next one is added.</summary>
    public ReadOnlySpan<Hash256> Finish()
    {
        var nonces = _nonces.AsSpan(0, _gathered);
        _gathered = 0;
        Span<Hash256> inner = stackalloc Hash256[Count];
        _batch.Finish().CopyTo(inner);
        Span<byte> outer = stackalloc byte[Hmac256.OuterBytes];
        for (var i = 0; i < nonces.Length; i++)
        {
            Hmac256.WriteOuter(nonces[i], inner[i], outer);
            _batch.Add(outer);
        }
        return _batch.Finish();
    }

    public static void WriteMessage(long value, int position, Span<byte> message)
    {
        BinaryPrimitives.WriteInt64LittleEndian(message, value);
        BinaryPrimitives.WriteInt64LittleEndian(message[sizeof(long)..], position);
    }
}
