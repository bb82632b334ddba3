// What asks for the operator before anything stops, rung once when it begins.

using Bitcache.Core;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>How the wallets are: what still works, and soon may not.</summary>
/// <param name="OperatorFundsFalling">Whether the operator's wallet holds less than it should for the next transactions.</param>
/// <param name="Withheld">What the limits on withdrawals hold back.</param>
public sealed record WalletsHealth(bool OperatorFundsFalling, Withheld Withheld)
{
    public static WalletsHealth Unknown { get; } = new(false, Withheld.None);
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

    public void TellWithheld(Withheld withheld)
    {
        var isNew = withheld.TooLarge > Health.Withheld.TooLarge || (withheld.Count > 0 && Health.Withheld.Count == 0);
        if (isNew) log.WithdrawalsWithheld(withheld.Count, withheld.Amount, withheld.TooLarge);
        Health = Health with { Withheld = withheld };
    }
}
