namespace Bitcache.Core;

/// <summary>What was refunded so far of one payment.</summary>
/// <param name="Home">The partition of the payment's entry.</param>
/// <param name="Sequence">Of the payment's entry.</param>
internal record struct Refunded(int Home, long Sequence, Msat Amount);

/// <summary>What was refunded so far of each payment that was ever refunded, in the order of their first refunds. Kept for
/// ever: nothing is removed.</summary>
internal sealed class RefundTable : IStateTable
{
    private readonly PagedTable<Refunded> _refunds = new();
    private readonly SlotIndex _index = new();

    public int Count => _refunds.Count;

    public Msat Of(int home, long sequence) => Find(home, sequence) is var slot and >= 0 ? _refunds.Peek(slot).Amount : Msat.Zero;

    public void Add(int home, long sequence, Msat amount)
    {
        var slot = Find(home, sequence);
        if (slot < 0) _index.Add(Hash(home, sequence), slot = _refunds.Add(new Refunded(home, sequence, Msat.Zero)));
        _refunds[slot].Amount += amount;
    }

    public IStateRows View(bool hold) => new Rows(hold ? _refunds.Capture() : _refunds.View());

    public void Release() => _refunds.Release();

    public void Read(StateReader reader)
    {
        for (var left = reader.Section(StateSection.Refunds); left > 0; left--)
        {
            var row = reader.Begin();
            Add(row.U16(), row.I64(), row.Msat());
            reader.End(row);
        }
    }

    private int Find(int home, long sequence)
    {
        var hash = Hash(home, sequence);
        var page = _index.PageOf(hash);
        for (var slot = page.First(hash, out var cursor); ; slot = page.Next(hash, ref cursor))
        {
            if (slot < 0 || (_refunds.Peek(slot).Sequence == sequence && _refunds.Peek(slot).Home == home)) return slot;
        }
    }

    /// <summary>Sequences are not of clients' choosing: a multiplication with 2^64 / golden ratio spreads them, and
    /// no two payments have the same number.</summary>
    private static uint Hash(int home, long sequence) =>
        (uint)(unchecked((ulong)((sequence * Limits.PartitionsMax) + home) * 0x9e37_79b9_7f4a_7c15) >> 32);

    private sealed class Rows(PagedRows<Refunded> refunds) : IStateRows
    {
        public void Write(StateWriter writer)
        {
            writer.Section(StateSection.Refunds, refunds.Count);
            for (var slot = 0; slot < refunds.Count; slot++)
            {
                var row = writer.Begin(sizeof(ushort) + (2 * sizeof(long)));
                row.U16(refunds[slot].Home);
                row.I64(refunds[slot].Sequence);
                row.Amount(refunds[slot].Amount);
                writer.End(row);
            }
        }
    }
}
