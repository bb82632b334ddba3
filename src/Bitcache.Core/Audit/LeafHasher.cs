using System.Runtime.InteropServices;

namespace Bitcache.Core.Audit;

/// <summary>Leaf hashes (<see cref="Rfc6962.LeafHash"/>) of many entries, in their order.</summary>
public sealed class LeafHasher
{
    private readonly List<Hash256> _hashes;
    private readonly Sha256Lanes? _lanes;

    /// <param name="capacity">How many there will be, about.</param>
    public LeafHasher(int capacity) => (_hashes, _lanes) = (new List<Hash256>(capacity), Sha256Lanes.For(capacity));

    /// <summary>How many were added.</summary>
    public int Count => _hashes.Count + (_lanes?.Gathered ?? 0);

    public void Add(ReadOnlySpan<byte> entry)
    {
        if (_lanes is not null && entry.Length < Sha256Lanes.MessageBytesMax)
        {
            _lanes.Add(Rfc6962.LeafPrefix, entry);
            if (_lanes.IsFull) TakeLanes();
        }
        else
        {
            TakeLanes();
            _hashes.Add(Rfc6962.LeafHash(entry));
        }
    }

    /// <summary>The hashes of all that were added.</summary>
    public Hash256[] Finish()
    {
        TakeLanes();
        return [.. _hashes];
    }

    private void TakeLanes()
    {
        if (_lanes is null) return;
        var before = _hashes.Count;
        CollectionsMarshal.SetCount(_hashes, Count);
        _lanes.Finish(CollectionsMarshal.AsSpan(_hashes)[before..]);
    }
}
