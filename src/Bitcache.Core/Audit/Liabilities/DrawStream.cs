using System.Buffers.Binary;

namespace Bitcache.Core.Audit;

/// <summary>Numbers that follow from a seed: SHA-256(seed || u64be block) for block 0, 1, 2 and so on, and of each hash its four
/// 64-bit numbers, big-endian, first to last. Belongs to one thread.</summary>
internal sealed class DrawStream(Hash256 seed)
{
    private const int DrawsOfBlock = Hash256.Bytes / sizeof(ulong);

    private readonly Sha256Batch _batch = new();
    private readonly ulong[] _draws = new ulong[DrawsOfBlock * Sha256Batch.Count];
    private int _next = DrawsOfBlock * Sha256Batch.Count;
    private long _block;

    /// <summary>The next number d as one below a bound: the upper 64 bits of d * bound.</summary>
    public long Below(long bound)
    {
        if (_next == _draws.Length) Refill();
        return (long)Math.BigMul(_draws[_next++], (ulong)bound, out _);
    }

    private void Refill()
    {
        Span<byte> message = stackalloc byte[Hash256.Bytes + sizeof(long)];
        seed.Write(message);
        for (var i = 0; i < Sha256Batch.Count; i++)
        {
            BinaryPrimitives.WriteInt64BigEndian(message[Hash256.Bytes..], _block++);
            _batch.Add(message);
        }
        _next = 0;
        foreach (var hash in _batch.Finish())
        {
            (_draws[_next++], _draws[_next++]) = ((ulong)(hash.High >> 64), unchecked((ulong)hash.High));
            (_draws[_next++], _draws[_next++]) = ((ulong)(hash.Low >> 64), unchecked((ulong)hash.Low));
        }
        _next = 0;
    }
}
