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
    /// <summary>Set aside for withdrawals that were asked for, for open holds and their fees, or for mining fees.</summary>
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
internal sealed class WalletTable(ulong secret) : IStateTable
{
    private const int ReadAhead = 32;
    private readonly PagedTable<Wallet> _wallets = new();
    private SlotIndex _index = new();

    public int Count => _wallets.Count;
    public long Bytes => _wallets.Bytes + _index.Bytes;

    /// <summary>To read or to write; see <see cref="PagedTable{T}"/>.</summary>
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

    public IStateRows View(bool hold) => new WalletRows(hold ? _wallets.Capture() : _wallets.View());

    public void Release() => _wallets.Release();

    public void Read(StateReader reader)
    {
        var count = reader.Rows(StateSection.Wallets);
        _index = new SlotIndex(TableMemory.Allocate<ulong>(SlotIndex.CellsFor(count)));
        Span<uint> hashes = stackalloc uint[ReadAhead];
        while (Count < count)
        {
            var first = Count;
            var some = Math.Min(ReadAhead, count - first);
            for (var i = 0; i < some; i++)
            {
                var row = reader.Begin();
                var wallet = WalletRows.Read(ref row);
                reader.End(row);
                if (wallet.Id.IsNone) throw new FormatException("a wallet without an id");
                _wallets.Add(wallet);
                _index.PrefetchCell(hashes[i] = Hash(wallet.Id));
            }
            for (var i = 0; i < some; i++) _index.Add(hashes[i], first + i);
        }
    }

    private uint Hash(WalletId id) => SlotIndex.Hash(id.Value, secret);
}

/// <summary>All wallets at one moment, in the order in which they were made.</summary>
internal sealed class WalletRows(PagedRows<Wallet> wallets) : IStateRows
{
    private const int RowBytes = WalletId.Bytes + sizeof(uint) + sizeof(byte) + (6 * sizeof(long));

    public void Write(StateWriter writer)
    {
        writer.Section(StateSection.Wallets, wallets.Count);
        for (var slot = 0; slot < wallets.Count; slot++)
        {
            ref readonly var wallet = ref wallets[slot];
            var row = writer.Begin(RowBytes);
            row.Wallet(wallet.Id);
            row.U32(wallet.Tenant);
            row.U8((byte)wallet.Freezes);
            row.Amount(wallet.Available);
            row.Amount(wallet.Held);
            row.Amount(wallet.Frozen);
            row.Amount(wallet.Owed);
            row.Amount(wallet.OwedPending);
            row.I64(wallet.LastSequence);
            writer.End(row);
        }
    }

    public static Wallet Read(ref ByteReader row) => new()
    {
        Id = row.Wallet(),
        Tenant = row.U32(),
        Freezes = ReadFreezes(row.U8()),
        Available = row.Msat(),
        Held = row.Msat(),
        Frozen = row.Msat(),
        Owed = row.Msat(),
        OwedPending = row.Msat(),
        LastSequence = row.I64(),
    };

    private static Freezes ReadFreezes(byte value) => value <= (byte)(Freezes.Owner | Freezes.Operator)
        ? (Freezes)value
        : throw new FormatException($"a wallet frozen by {value}");
}
