// The wallets of one partition: structs in pages, found through an open-addressing index.

namespace Bitcache.Core;

/// <summary>One wallet's balances. Changed only by <see cref="Ledger"/>, which keeps the totals in step.</summary>
public struct Wallet
{
    public WalletId Id { get; internal set; }
    /// <summary>The owner whose keys may see and use the wallet; 0 is the operator.</summary>
    public uint Tenant { get; internal set; }
    /// <summary>Its number in the <see cref="SpendingTable"/>; 0 if it never had limits.</summary>
    internal int Spending { get; set; }
    /// <summary>Who stopped this wallet's outflow. Not to be taken for <see cref="Frozen"/>, which is money.</summary>
    public Freezes Freezes { get; internal set; }
    public Msat Available { get; internal set; }
    /// <summary>Set aside for withdrawals that were asked for, or for mining fees.</summary>
    public Msat Held { get; internal set; }
    /// <summary>Credited deposits that left the chain, as far as their money was still here.</summary>
    public Msat Frozen { get; internal set; }
    /// <summary>Money of reversed deposits that was spent before: a receivable.</summary>
    public Msat Owed { get; internal set; }
    /// <summary>The same for frozen deposits, which may still come back.</summary>
    public Msat OwedPending { get; internal set; }
    /// <summary>The wallet's newest entry; its history is a walk back along the links from there.</summary>
    public long LastSequence { get; internal set; }

    public readonly bool Owes => !Owed.IsZero || !OwedPending.IsZero;
    public readonly bool IsFrozen => Freezes != Freezes.None;
}

/// <summary>Wallets by id. Slots never move and wallets are never removed.</summary>
internal sealed class WalletTable(ulong secret)
{
    private readonly PagedTable<Wallet> _wallets = new();
    private readonly SlotIndex _index = new();

    public int Count => _wallets.Count;
    public long Bytes => _wallets.Bytes + _index.Bytes;

    /// <summary>The reference is good until the next <see cref="Add"/>.</summary>
    public ref Wallet this[int slot] => ref _wallets[slot];

    public ref readonly Wallet Peek(int slot) => ref _wallets.Peek(slot);

    /// <summary>The wallet's slot, or -1.</summary>
    public int Find(WalletId id)
    {
        var hash = Hash(id);
        for (var slot = _index.First(hash, out var cursor); ; slot = _index.Next(hash, ref cursor))
        {
            if (slot < 0 || _wallets.Peek(slot).Id == id) return slot;
        }
    }

    /// <summary>The same, where a slot was seen under this hash before.</summary>
    public int Find(WalletId id, int seen) => seen >= 0 && _wallets.Peek(seen).Id == id ? seen : Find(id);

    /// <summary>Fetches what <see cref="PrefetchRow"/> reads.</summary>
    public void PrefetchCell(WalletId id) => _index.PrefetchCell(Hash(id));

    /// <summary>Fetches the row that is most probably the wallet's, and gives its slot, or -1.</summary>
    public int PrefetchRow(WalletId id)
    {
        var slot = _index.First(Hash(id), out _);
        if (slot >= 0) _wallets.PrefetchRow(slot);
        return slot;
    }

    public int Add(WalletId id, uint tenant)
    {
        var slot = _wallets.Add(new Wallet { Id = id, Tenant = tenant });
        _index.Add(Hash(id), slot);
        return slot;
    }

    private uint Hash(WalletId id) => SlotIndex.Hash(id.Value, secret);
}
