namespace Bitcache.Core;

/// <summary>Immutable records in the order of their arrival, found by a key of their own and by the wallet that they
/// belong to; a changed record takes the old one's place, and none is removed. Owned by one thread.</summary>
internal sealed class RecordTable<TKey, TRecord>(RowFormat<TRecord> format, Func<TRecord, TKey> keyOf, Func<TRecord, WalletId> walletOf) : IStateTable
    where TKey : notnull
    where TRecord : class
{
    private readonly RowList<TRecord> _records = new(format);
    private readonly Dictionary<TKey, int> _slots = [];
    private readonly Dictionary<WalletId, List<int>> _ofWallet = [];

    public int Count => _records.Count;

    /// <summary>In the order of their arrival.</summary>
    public IEnumerable<TRecord> Values => _records;

    /// <summary>The one that arrived last; null while there is none.</summary>
    public TRecord? Newest => Count == 0 ? null : _records[Count - 1];

    public TRecord this[TKey key] => _records[_slots[key]];

    public bool Contains(TKey key) => _slots.ContainsKey(key);

    public TRecord? Find(TKey key) => _slots.TryGetValue(key, out var slot) ? _records[slot] : null;

    /// <summary>The record at a place in the order of their arrival, from 0.</summary>
    public TRecord At(int slot) => _records[slot];

    /// <summary>Those of one wallet, in the order of their arrival.</summary>
    public IReadOnlyList<TRecord> Of(WalletId wallet) =>
        _ofWallet.TryGetValue(wallet, out var slots) ? [.. slots.Select(slot => _records[slot])] : [];

    /// <summary>The newest of those of one wallet that stand before a place among them. Costs what it returns.</summary>
    public RecordPage<TRecord> Of(WalletId wallet, long before, int most)
    {
        if (!_ofWallet.TryGetValue(wallet, out var slots)) return new RecordPage<TRecord>([], null);
        var end = (int)Math.Clamp(before, 0, slots.Count);
        var first = Math.Max(end - most, 0);
        var page = new TRecord[end - first];
        for (var i = 0; i < page.Length; i++) page[i] = _records[slots[end - 1 - i]];
        return new RecordPage<TRecord>(page, first == 0 ? null : first);
    }

    public int CountOf(WalletId wallet) => _ofWallet.TryGetValue(wallet, out var slots) ? slots.Count : 0;

    /// <summary>Adds a record, or puts it in the place of the one with its key.</summary>
    /// <returns>The place.</returns>
    public int Set(TRecord record)
    {
        if (_slots.TryGetValue(keyOf(record), out var slot)) _records[slot] = record;
        else Index(record, slot = _records.Add(record));
        return slot;
    }

    public IStateRows View(bool hold) => _records.View(hold);

    public void Release() => _records.Release();

    public void Read(StateReader reader)
    {
        _records.Read(reader);
        _slots.EnsureCapacity(Count);
        for (var slot = 0; slot < Count; slot++) Index(_records[slot], slot);
    }

    private void Index(TRecord record, int slot)
    {
        _slots.Add(keyOf(record), slot);
        if (!_ofWallet.TryGetValue(walletOf(record), out var slots)) _ofWallet.Add(walletOf(record), slots = []);
        slots.Add(slot);
    }
}
