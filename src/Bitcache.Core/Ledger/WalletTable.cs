// The wallets of one partition: structs in pages, found through an open-addressing index.

namespace Bitcache.Core;

/// <summary>Wallets by id. Slots never move and wallets are never removed.</summary>
internal sealed class WalletTable(ulong secret) : IStateTable
{
    private const int ReadAhead = 32;
    private readonly PagedTable<WalletRow> _wallets = new();
    // Of the few wallets of which a deposit left the chain.
    private readonly PagedTable<Arrears> _arrears = new();
    private SlotIndex _index = new();

    public int Count => _wallets.Count;
    public long Bytes => _wallets.Bytes + _arrears.Bytes + _index.Bytes;

    /// <summary>To read or to write; see <see cref="PagedTable{T}"/>.</summary>
    public ref WalletRow this[int slot] => ref _wallets[slot];

    public ref readonly WalletRow Peek(int slot) => ref _wallets.Peek(slot);

    /// <summary>What became of a wallet's deposits that left the chain; all zero for nearly every wallet.</summary>
    public Arrears ArrearsOf(in WalletRow wallet) => wallet.Arrears == 0 ? default : _arrears.Peek(wallet.Arrears - 1);

    /// <summary>The same to change. The reference is good until the next call.</summary>
    public ref Arrears ArrearsToChange(ref WalletRow wallet)
    {
        if (wallet.Arrears == 0) wallet.Arrears = _arrears.Add(default) + 1;
        return ref _arrears[wallet.Arrears - 1];
    }

    /// <summary>A wallet as others see it.</summary>
    public Wallet Show(int slot) => WalletRows.Show(Peek(slot), ArrearsOf(Peek(slot)));

    /// <summary>The wallet's slot, or -1.</summary>
    public int Find(WalletId id)
    {
        var hash = Hash(id);
        var page = _index.PageOf(hash);
        for (var slot = page.First(hash, out var cursor); ; slot = page.Next(hash, ref cursor))
        {
            if (slot < 0 || _wallets.Peek(slot).Id == id) return slot;
        }
    }

    /// <summary>The same, where a slot was seen under this hash, or guessed.</summary>
    public int Find(WalletId id, int seen) => unchecked((uint)seen) < (uint)Count && _wallets.Peek(seen).Id == id ? seen : Find(id);

    public uint Hash(WalletId id) => SlotIndex.Hash(id.Value, secret);

    /// <summary>On any thread: fetches what <see cref="Guess"/> reads.</summary>
    public void PrefetchGuess(uint hash) => _index.Glance(hash).Prefetch(hash);

    /// <summary>On any thread: the slot that is most probably that of the wallet with this hash, or -1. The owner may be adding
    /// wallets meanwhile, so that only he can tell whether it is.</summary>
    public int Guess(uint hash) => _index.Glance(hash).First(hash, out _);

    /// <summary>Fetches what <see cref="Find(WalletId, int)"/> reads. A wallet that was not seen is one of another partition, as a
    /// rule, and is looked for in vain.</summary>
    public void PrefetchSeen(WalletId id, int seen)
    {
        if (unchecked((uint)seen) < (uint)Count) _wallets.PrefetchRow(seen);
        else PrefetchGuess(Hash(id));
    }

    /// <summary>Fetches the row of a slot that was guessed, and gives the slot; where none was, it is looked up. -1 without one.</summary>
    public int PrefetchRow(WalletId id, int guessed)
    {
        if (unchecked((uint)guessed) >= (uint)Count) guessed = Guess(Hash(id));
        if (guessed >= 0) _wallets.PrefetchRow(guessed);
        return guessed;
    }

    public int Add(WalletId id, uint tenant)
    {
        var slot = _wallets.Add(new WalletRow { Id = id, Tenant = tenant });
        _index.Add(Hash(id), slot);
        return slot;
    }

    public IStateRows View(bool hold) => hold ? Capture() : new WalletRows(_wallets.View(), _arrears.View());

    /// <summary>All wallets as they are now; given back with <see cref="Release"/>.</summary>
    public WalletRows Capture() => new(_wallets.Capture(), _arrears.Capture());

    public void Release()
    {
        _wallets.Release();
        _arrears.Release();
    }

    public void Read(StateReader reader)
    {
        var count = reader.Rows(StateSection.Wallets);
        _index = new SlotIndex(new CellPool(), count);
        Span<uint> hashes = stackalloc uint[ReadAhead];
        while (Count < count)
        {
            var first = Count;
            var some = Math.Min(ReadAhead, count - first);
            for (var i = 0; i < some; i++)
            {
                var row = reader.Begin();
                var wallet = WalletRows.Read(ref row, out var arrears);
                reader.End(row);
                if (wallet.Id.IsNone) throw new FormatException("a wallet without an id");
                if (!arrears.IsNone) ArrearsToChange(ref wallet) = arrears;
                _wallets.Add(wallet);
                _index.PrefetchCell(hashes[i] = Hash(wallet.Id));
            }
            for (var i = 0; i < some; i++) _index.Add(hashes[i], first + i);
        }
    }
}
