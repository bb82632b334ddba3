namespace Bitcache.Core;

/// <summary>What was refunded so far of each payment that was ever refunded, by the sequence of its entry. Kept for
/// ever: an open-addressing table of two numbers each, in which nothing is removed.</summary>
internal sealed class RefundTable
{
    private const int CapacityMin = 64;
    // 0 is free: it is the genesis entry, and no payment. At most half full.
    private long[] _sequences = new long[CapacityMin];
    private Msat[] _refunded = new Msat[CapacityMin];

    public int Count { get; private set; }

    public Msat Of(long sequence) => _refunded[Seek(sequence)];

    public void Add(long sequence, Msat amount)
    {
        if (2 * Count >= _sequences.Length) Grow();
        var at = Seek(sequence);
        if (_sequences[at] == 0) Count++;
        _sequences[at] = sequence;
        _refunded[at] += amount;
    }

    /// <summary>By sequence: the same order on every machine.</summary>
    public IEnumerable<(long Sequence, Msat Refunded)> InOrder() => _sequences.Zip(_refunded).Where(r => r.First != 0).OrderBy(r => r.First);

    private void Grow()
    {
        var (sequences, refunded) = (_sequences, _refunded);
        (_sequences, _refunded) = (new long[2 * sequences.Length], new Msat[2 * sequences.Length]);
        for (var i = 0; i < sequences.Length; i++)
        {
            if (sequences[i] == 0) continue;
            var at = Seek(sequences[i]);
            (_sequences[at], _refunded[at]) = (sequences[i], refunded[i]);
        }
    }

    private int Seek(long sequence)
    {
        var mask = _sequences.Length - 1;
        var at = (int)(unchecked((ulong)sequence * 0x9e37_79b9_7f4a_7c15) >> 33) & mask;
        while (_sequences[at] != 0 && _sequences[at] != sequence) at = (at + 1) & mask;
        return at;
    }
}
