namespace Bitcache.Core;

/// <summary>What was on its way between this partition and another when an epoch was closed here.</summary>
/// <param name="Received">The number of the last leg that had arrived from there.</param>
/// <param name="Sent">Legs for there that were not known to have arrived.</param>
public sealed record EpochLane(int Other, long Received, IReadOnlyList<UnacknowledgedLeg> Sent);

/// <summary>What everybody had in one partition right behind the cut of an epoch. May be read by any thread until it is given
/// back with <see cref="Ledger.Release(EpochBalances)"/>: the wallets are not copied, but kept as they were.</summary>
public sealed class EpochBalances
{
    private readonly WalletRows _wallets;

    internal EpochBalances(int partition, long epoch, Totals totals, WalletRows wallets, IReadOnlyList<EpochLane> lanes) =>
        (Partition, Epoch, Totals, _wallets, Lanes) = (partition, epoch, totals, wallets, lanes);

    /// <summary>Whether somebody reads them. Owned by the ledger's thread.</summary>
    internal bool IsHeld { get; set; }

    public int Partition { get; }
    public long Epoch { get; }

    public Totals Totals { get; }

    public IReadOnlyList<EpochLane> Lanes { get; }

    public int WalletCount => _wallets.Count;

    /// <summary>A wallet by its place in the order in which they were made.</summary>
    public Wallet this[int slot] => _wallets[slot];
}
