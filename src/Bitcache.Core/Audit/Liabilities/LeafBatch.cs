using System.Buffers.Binary;

namespace Bitcache.Core.Audit;

/// <summary>Leaves of the tree, sixteen hashed at once: leaf = HMAC-SHA256(n, le64(value) || le64(position)). Belongs to one
/// thread.</summary>
/// <param name="leaves">Where each goes, by its position.</param>
internal sealed class LeafBatch(Hash256[] leaves)
{
    public const int MessageBytes = 2 * sizeof(long);

    private readonly Sha256Batch _batch = new();
    private readonly (Hash256 Nonce, int Position)[] _gathered = new (Hash256, int)[Sha256Batch.Count];
    private int _count;

    public void Add(in Hash256 nonce, long value, int position)
    {
        Span<byte> inner = stackalloc byte[Hmac256.BlockBytes + MessageBytes];
        Hmac256.WriteInnerKey(nonce, inner);
        WriteMessage(value, position, inner[Hmac256.BlockBytes..]);
        _batch.Add(inner);
        _gathered[_count++] = (nonce, position);
        if (_count == Sha256Batch.Count) Finish();
    }

    /// <summary>Hashes what is gathered.</summary>
    public void Finish()
    {
        Span<Hash256> inner = stackalloc Hash256[Sha256Batch.Count];
        _batch.Finish().CopyTo(inner);
        Span<byte> outer = stackalloc byte[Hmac256.OuterBytes];
        for (var i = 0; i < _count; i++)
        {
            Hmac256.WriteOuter(_gathered[i].Nonce, inner[i], outer);
            _batch.Add(outer);
        }
        var hashes = _batch.Finish();
        for (var i = 0; i < _count; i++) leaves[_gathered[i].Position] = hashes[i];
        _count = 0;
    }

    public static void WriteMessage(long value, int position, Span<byte> message)
    {
        BinaryPrimitives.WriteInt64LittleEndian(message, value);
        BinaryPrimitives.WriteInt64LittleEndian(message[sizeof(long)..], position);
    }
}
