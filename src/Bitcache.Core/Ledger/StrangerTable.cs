namespace Bitcache.Core;

/// <summary>Wallets of other partitions that were ever the payee of a hold here, in the order in which they came. A hold
/// names its payee by a slot; a stranger's is below zero.</summary>
internal sealed class StrangerTable : IStateTable
{
    /// <summary>No wallet and no stranger.</summary>
    public const int None = int.MinValue;
    private readonly PagedTable<WalletId> _strangers = new();
    private readonly Dictionary<WalletId, int> _slots = [];

    public WalletId this[int slot] => _strangers.Peek(~slot);

    /// <summary>A stranger's slot, or <see cref="None"/>.</summary>
    public int Find(WalletId id) => _slots.TryGetValue(id, out var slot) ? slot : None;

    public int FindOrAdd(WalletId id)
    {
        if (!_slots.TryGetValue(id, out var slot)) _slots.Add(id, slot = ~_strangers.Add(id));
        return slot;
    }

    public IStateRows View(bool hold) => new Rows(hold ? _strangers.Capture() : _strangers.View());

    public void Release() => _strangers.Release();

    public void Read(StateReader reader)
    {
        for (var left = reader.Section(StateSection.Strangers); left > 0; left--)
        {
            var row = reader.Begin();
            FindOrAdd(row.Wallet());
            reader.End(row);
        }
    }

    private sealed class Rows(PagedRows<WalletId> strangers) : IStateRows
    {
        public void Write(StateWriter writer)
        {
            writer.Section(StateSection.Strangers, strangers.Count);
            for (var slot = 0; slot < strangers.Count; slot++)
            {
                var row = writer.Begin(WalletId.Bytes);
                row.Wallet(strangers[slot]);
                writer.End(row);
            }
        }
    }
}
