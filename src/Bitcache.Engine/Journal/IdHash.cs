using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>
/// Hashes identities to the 64-bit keys of a segment's <see cref="IdFilter"/>, by folded 128-bit products as in wyhash.
/// The seed is the segment's closing chain hash, which nobody knows while its ids are being chosen: no client can
/// make them collide. A filter holds for the one seed only.
/// </summary>
/// <param name="seed">The closing chain hash.</param>
/// <param name="bits">Leading bits of a key that are kept; fewer than 64 make collisions, for tests.</param>
internal readonly struct IdHash(in Hash256 seed, int bits)
{
    private const ulong Odd1 = 0x9E3779B97F4A7C15;
    private const ulong Odd2 = 0xD6E8FEB86659FD93;
    private readonly UInt128 _owner = seed.High;
    private readonly UInt128 _id = seed.Low;
    private readonly ulong _mask = ulong.MaxValue << (64 - bits);

    internal ulong Key(in EntryId identity)
    {
        var owner = Fold(identity.Owner.Value ^ _owner);
        var id = Fold(identity.Id.Value ^ _id);
        return Fold(new UInt128(owner ^ Odd1, id ^ Odd2)) & _mask;
    }

    private static ulong Fold(UInt128 value)
    {
        var high = Math.BigMul((ulong)(value >> 64), (ulong)(value & ulong.MaxValue), out ulong low);
        return high ^ low;
    }
}
