namespace Bitcache.Core;

/// <summary>One wallet's balances.</summary>
public readonly record struct Wallet
{
    public WalletId Id { get; init; }
    /// <summary>The owner whose keys may see and use the wallet; 0 is the operator.</summary>
    public uint Tenant { get; init; }
    /// <summary>Who stopped this wallet's outflow. Not to be taken for <see cref="Frozen"/>, which is money.</summary>
    public Freezes Freezes { get; init; }
    public Msat Available { get; init; }
    /// <summary>Set aside for withdrawals that were asked for, or for mining fees.</summary>
    public Msat Held { get; init; }
    /// <summary>Credited deposits that left the chain, as far as their money was still here.</summary>
    public Msat Frozen { get; init; }
    /// <summary>Money of reversed deposits that was spent before: a receivable.</summary>
    public Msat Owed { get; init; }
    /// <summary>The same for frozen deposits, which may still come back.</summary>
    public Msat OwedPending { get; init; }
    /// <summary>The wallet's newest entry; its history is a walk back along the links from there.</summary>
    public long LastSequence { get; init; }

    public bool Owes => !Owed.IsZero || !OwedPending.IsZero;
    public bool IsFrozen => Freezes != Freezes.None;
}
