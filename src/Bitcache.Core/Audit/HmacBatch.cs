namespace Bitcache.Core.Audit;

/// <summary>A key of HMAC-SHA256, ready for many messages.</summary>
/// <param name="Inner">The state of SHA-256 behind the key's inner block; without lanes the key itself.</param>
/// <param name="Outer">The same of the outer block.</param>
internal readonly record struct HmacKey(Hash256 Inner, Hash256 Outer);

/// <summary>HMAC-SHA256 of many short messages under keys of 32 bytes, sixteen at once where that is faster. A key's two blocks
/// are hashed once, which is half of the work for a short message. Belongs to one thread.</summary>
internal sealed class HmacBatch
{
    public const int Count = Sha256Lanes.Count;

    private readonly Sha256Lanes? _lanes = Sha256Lanes.For(Count);
    private readonly HmacKey[] _keys = new HmacKey[Count];
    private readonly Hash256[] _codes = new Hash256[Count];
    private int _gathered;

    public bool IsFull => _gathered == Count;

    /// <summary>Makes keys ready.</summary>
    /// <param name="keys">As many as a batch takes at most.</param>
    public void Prepare(ReadOnlySpan<Hash256> keys, Span<HmacKey> ready)
    {
        if (_lanes is null)
        {
            for (var i = 0; i < keys.Length; i++) ready[i] = new HmacKey(keys[i], keys[i]);
            return;
        }
        Span<byte> block = stackalloc byte[Hmac256.BlockBytes];
        Span<Hash256> inner = stackalloc Hash256[Count];
        Span<Hash256> outer = stackalloc Hash256[Count];
        foreach (var key in keys)
        {
            Hmac256.WriteInnerKey(key, block);
            _lanes.AddBlock(block);
        }
        _lanes.Finish(inner);
        foreach (var key in keys)
        {
            Hmac256.WriteOuterKey(key, block);
            _lanes.AddBlock(block);
        }
        _lanes.Finish(outer);
        for (var i = 0; i < keys.Length; i++) ready[i] = new HmacKey(inner[i], outer[i]);
    }

    /// <summary>Gathers a message; <see cref="Count"/> at most before they are finished.</summary>
    public void Add(in HmacKey key, ReadOnlySpan<byte> message)
    {
        if (_lanes is null) _codes[_gathered] = Hmac256.Of(key.Inner, message);
        else _lanes.AddBehind(key.Inner, message);
        _keys[_gathered++] = key;
    }

    /// <summary>The codes of what was gathered, in its order; they stand until the next message is added.</summary>
    public ReadOnlySpan<Hash256> Finish()
    {
        var codes = _codes.AsSpan(0, _gathered);
        _gathered = 0;
        if (_lanes is null || codes.IsEmpty) return codes;
        _lanes.Finish(codes);
        Span<byte> inner = stackalloc byte[Hash256.Bytes];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i].Write(inner);
            _lanes.AddBehind(_keys[i].Outer, inner);
        }
        _lanes.Finish(codes);
        return codes;
    }
}
