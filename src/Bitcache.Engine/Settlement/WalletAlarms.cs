// What asks for the operator before anything stops, rung once when it begins.

using Bitcache.Core;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>How the wallets are: what still works, and soon may not.</summary>
/// <param name="OperatorFundsFalling">Whether the operator's wallet holds less than it should for the next transactions.</param>
/// <param name="Withheld">What the limits on withdrawals hold back.</param>
/// <param name="Hot">Coins of the node's wallet; null before the first look.</param>
/// <param name="Cold">Declared coins that are kept elsewhere; null where none are declared, and before the first look.</param>
/// <param name="HotTooLow">Whether the node's wallet has too few confirmed coins for what is to leave.</param>
/// <param name="MoveToCold">By how much the node's wallet is above its ceiling.</param>
public sealed record WalletsHealth(bool OperatorFundsFalling, Withheld Withheld, Sats? Hot, ColdFound? Cold, bool HotTooLow, Sats MoveToCold)
{
    /// <summary>Withdrawals that would pay the hot wallet itself, and do not leave.</summary>
    public int ToOurselves { get; init; }

    public static WalletsHealth Unknown { get; } = new(false, Withheld.None, null, null, false, Sats.Zero);
}

/// <summary>Owned by the settlement loop.</summary>
public sealed class WalletAlarms(EngineSettings settings, ILogger log)
{
    /// <summary>As last told. Replaced whole.</summary>
    public WalletsHealth Health { get; private set; } = WalletsHealth.Unknown;

    /// <param name="available">What the operator has in the accounts of all partitions.</param>
    public void TellOperatorFunds(Msat available)
    {
        var least = new Sats(settings.OperatorFundsWarnCaps * settings.FeeCapSat).ToMsat();
        var falling = available < least;
        if (falling && !Health.OperatorFundsFalling) log.OperatorFundsFalling(available, least, settings.OperatorFundsWarnCaps);
        Health = Health with { OperatorFundsFalling = falling };
    }

    /// <param name="hot">Coins of the node's wallet.</param>
    /// <param name="cold">Those that are kept elsewhere; null where none are declared.</param>
    public void TellCoins(Sats hot, ColdFound? cold)
    {
        if (cold?.Trouble is { } trouble && trouble != Health.Cold?.Trouble) log.ColdCoinsUnknown(trouble);
        var above = settings.HotWalletCeilingSat is { } ceiling && hot.Value > ceiling ? new Sats(hot.Value - ceiling) : Sats.Zero;
        if (above > Sats.Zero && Health.MoveToCold == Sats.Zero) log.HotWalletAboveCeiling(hot, above);
        Health = Health with { Hot = hot, Cold = cold, MoveToCold = above };
    }

    /// <param name="tooLow">Whether coins were missing for something that was to be built just now.</param>
    public void TellHotWallet(bool tooLow)
    {
        if (tooLow && !Health.HotTooLow) log.HotWalletTooLow();
        Health = Health with { HotTooLow = tooLow };
    }

    public void TellWithheld(Withheld withheld)
    {
        var isNew = withheld.TooLarge > Health.Withheld.TooLarge || (withheld.Count > 0 && Health.Withheld.Count == 0);
        if (isNew) log.WithdrawalsWithheld(withheld.Count, withheld.Amount, withheld.TooLarge);
        Health = Health with { Withheld = withheld };
    }

    public void TellToOurselves(int count)
    {
        if (count > Health.ToOurselves) log.WithdrawalsToOurselves(count);
        Health = Health with { ToOurselves = count };
    }
}
