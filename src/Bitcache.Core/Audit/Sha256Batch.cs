namespace Bitcache.Core.Audit;

/// <summary>SHA-256 of many short messages, sixteen at once where that is faster. Belongs to one thread.</summary>
internal sealed class Sha256Batch
{
    public const int Count = Sha256Lanes.Count;

    private readonly Sha256Lanes? _lanes = Sha256Lanes.For(Count);
    private readonly Hash256[] _hashes = new Hash256[Count];
    private int _gathered;

    /// <summary>Gathers a message of 1 to <see cref="Sha256Lanes.MessageBytesMax"/> bytes; <see cref="Count"/> at most before they
    /// are hashed.</summary>
    public void Add(ReadOnlySpan<byte> message)
    {
        if (_lanes is not null) _lanes.Add(message);
        else _hashes[_gathered] = Sha256.Of(message);
        _gathered++;
    }

    /// <summary>The hashes of what was gathered, in its order; they stand until the next message is added.</summary>
    public ReadOnlySpan<Hash256> Finish()
    {
        var hashes = _hashes.AsSpan(0, _gathered);
        _gathered = 0;
        _lanes?.Finish(hashes);
        return hashes;
    }
}
