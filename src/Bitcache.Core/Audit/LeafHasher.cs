namespace Bitcache.Core.Audit;

/// <summary>Leaf hashes (<see cref="Rfc6962.LeafHash"/>) of many entries, in their order. Used again, it needs no more memory.
/// Belongs to one thread.</summary>
public sealed class LeafHasher
{
    private readonly Sha256Lanes? _lanes;
    private Hash256[] _hashes;
    private int _hashed;

    /// <param name="capacity">How many there will be, about.</param>
    public LeafHasher(int capacity) => (_hashes, _lanes) = (new Hash256[capacity], Sha256Lanes.For(capacity));

    /// <summary>How many were added.</summary>
    public int Count => _hashed + (_lanes?.Gathered ?? 0);

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
            Room(1)[0] = Rfc6962.LeafHash(entry);
            _hashed++;
        }
    }

    /// <summary>The hashes of all that were added; they stand until the next entry is added, which is the first again.</summary>
    public ReadOnlySpan<Hash256> Finish()
    {
        TakeLanes();
        var hashes = _hashes.AsSpan(0, _hashed);
        _hashed = 0;
        return hashes;
    }

    private void TakeLanes()
    {
        if (_lanes is null) return;
        var gathered = _lanes.Gathered;
        _lanes.Finish(Room(gathered));
        _hashed += gathered;
    }

    private Span<Hash256> Room(int more)
    {
        if (_hashed + more > _hashes.Length) Array.Resize(ref _hashes, Math.Max(2 * _hashes.Length, _hashed + more));
        return _hashes.AsSpan(_hashed, more);
    }
}
