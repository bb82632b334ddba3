using System.Runtime.InteropServices;

namespace Bitcache.Core;

/// <summary>A wallet as the ledger keeps it. One line of memory holds all that a payment needs: what few wallets have stands
/// in tables of its own. Changed only by <see cref="Ledger"/>, which keeps the totals in step.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct WalletRow
{
    public WalletId Id;
    public Msat Available;
    public Msat Held;
    /// <summary>The newest entry.</summary>
    public long LastSequence;
    public uint Tenant;
    /// <summary>Its number in the <see cref="SpendingTable"/>; 0 if it never had limits.</summary>
    public int Spending;
    /// <summary>Its number among the <see cref="Core.Arrears"/>; 0 if no deposit of it ever left the chain.</summary>
    public int Arrears;
    public Freezes Freezes;

    public readonly bool IsFrozen => Freezes != Freezes.None;
}

/// <summary>Deposits of a wallet that were credited and left the chain; the fields are those of <see cref="Wallet"/>.</summary>
internal struct Arrears
{
    public Msat Frozen;
    public Msat Owed;
    public Msat OwedPending;

    public readonly bool Owes => !Owed.IsZero || !OwedPending.IsZero;
    public readonly bool IsNone => Frozen.IsZero && !Owes;
}

/// <summary>All wallets at one moment, in the order in which they were made.</summary>
internal sealed class WalletRows(PagedRows<WalletRow> wallets, PagedRows<Arrears> arrears) : IStateRows
{
    public int Count => wallets.Count;

    public Wallet this[int slot]
    {
        get
        {
            ref readonly var row = ref wallets[slot];
            return Show(row, row.Arrears == 0 ? default : arrears[row.Arrears - 1]);
        }
    }

    public void Write(StateWriter writer)
    {
        writer.Section(StateSection.Wallets, Count);
        for (var slot = 0; slot < Count; slot++) Write(writer, this[slot]);
    }

    public static Wallet Show(in WalletRow row, in Arrears arrears) => new()
    {
        Id = row.Id,
        Tenant = row.Tenant,
        Freezes = row.Freezes,
        Available = row.Available,
        Held = row.Held,
        Frozen = arrears.Frozen,
        Owed = arrears.Owed,
        OwedPending = arrears.OwedPending,
        LastSequence = row.LastSequence,
    };

    /// <summary>Reads a wallet without its number among those with arrears.</summary>
    public static WalletRow Read(ref ByteReader row, out Arrears arrears)
    {
        var wallet = Wallet.Read(ref row);
        arrears = new Arrears { Frozen = wallet.Frozen, Owed = wallet.Owed, OwedPending = wallet.OwedPending };
        return new WalletRow
        {
            Id = wallet.Id,
            Tenant = wallet.Tenant,
            Freezes = wallet.Freezes,
            Available = wallet.Available,
            Held = wallet.Held,
            LastSequence = wallet.LastSequence,
        };
    }

    private static void Write(StateWriter writer, in Wallet wallet)
    {
        var row = writer.Begin(Wallet.Bytes);
        wallet.Write(ref row);
        writer.End(row);
    }
}
