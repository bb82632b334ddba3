// The wallets of one partition: structs in one array, found through an open-addressing index.

namespace Bitcache.Core;

/// <summary>One wallet's balances. Changed only by <see cref="Ledger"/>, which keeps the totals in step.</summary>
public struct Wallet
{
    public WalletId Id { get; internal set; }
    /// <summary>The owner whose keys may see and use the wallet; 0 is the operator.</summary>
    public uint Tenant { get; internal set; }
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
}

/// <summary>Wallets by id. Slots never move and wallets are never removed.</summary>
internal sealed class WalletTable
{
    private const int CapacityMin = 1024;
    private Wallet[] _wallets = new Wallet[CapacityMin];
    // Slot + 1, or 0 where free; at most half full. Wallet ids are random, so their low bits are the hash.
    private int[] _index = new int[2 * CapacityMin];

    public int Count { get; private set; }

    public ReadOnlySpan<Wallet> All => _wallets.AsSpan(0, Count);

    /// <summary>The reference is good until the next <see cref="Add"/>.</summary>
    public ref Wallet this[int slot] => ref _wallets[slot];

    /// <summary>The wallet's slot, or -1.</summary>
    public int Find(WalletId id)
    {
        var mask = _index.Length - 1;
        for (var i = Home(id, mask); _index[i] != 0; i = (i + 1) & mask)
        {
            if (_wallets[_index[i] - 1].Id == id) return _index[i] - 1;
        }
        return -1;
    }

    public int Add(WalletId id, uint tenant)
    {
        if (Count == _wallets.Length) Grow();
        _wallets[Count] = new Wallet { Id = id, Tenant = tenant };
        Place(id, Count);
        return Count++;
    }

    private void Grow()
    {
        Array.Resize(ref _wallets, 2 * _wallets.Length);
        _index = new int[2 * _wallets.Length];
        for (var slot = 0; slot < Count; slot++) Place(_wallets[slot].Id, slot);
    }

    private void Place(WalletId id, int slot)
    {
        var mask = _index.Length - 1;
        var i = Home(id, mask);
        while (_index[i] != 0) i = (i + 1) & mask;
        _index[i] = slot + 1;
    }

    private static int Home(WalletId id, int mask) => (int)((ulong)(id.Value & ulong.MaxValue) & (uint)mask);
}
