// Deposits leave the hot wallet with many small coins, each of which makes some later payment larger. While fees are low they
// are made one: by a family that pays nobody, whose mining the operator pays like that of any other.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>Opens consolidations. Owned by the settlement loop; <see cref="Payouts"/> of the first partition drives them.</summary>
public sealed class Consolidation(SettlementTerm term, IBitcoinNode node, EngineSettings settings, ILogger log)
{
    private const int SatsPerKvBInSatPerVB = 1_000;

    private int _lookedAt = -1;

    /// <summary>Opens one, if the node's estimate is low, there are many small coins, nothing else is about to be built, and the
    /// operator can pay more than it. Asks the node once a block at most.</summary>
    public async Task OpenAsync(int height, CancellationToken cancel)
    {
        if (settings.ConsolidateBelowFeeRate == 0 || _lookedAt == height || await IsBusyAsync()) return;
        _lookedAt = height;
        // No estimate is no low one.
        if (await node.EstimateSmartFeeAsync(settings.FeeTargetBlocks, cancel) is not { } rate || rate > RateMax(settings)) return;
        var coins = SmallCoins.Of(await node.ListUnspentAsync(settings.FinalityDepth, cancel), settings, rate).Count();
        if (coins <= settings.ConsolidateFromCoins) return;
        var number = await term.Partitions.First.QueryAsync(ledger => ledger.NextFamily);
        var answer = await term.SubmitAsync(new OpenFamily(number, new Sats(settings.FeeCapSat), null, []));
        if (answer.Outcome == Outcome.Accepted) log.ConsolidationOpened(number, coins);
    }

    /// <summary>The highest rate that one is worth.</summary>
    internal static FeeRate RateMax(EngineSettings settings) => new((long)settings.ConsolidateBelowFeeRate * SatsPerKvBInSatPerVB);

    /// <summary>Whether coins, or the operator's money, are needed elsewhere, or one is under way.</summary>
    private async Task<bool> IsBusyAsync()
    {
        var views = await term.Partitions.QueryAllAsync(ledger => (Live: ledger.LiveFamilies(), ledger.WithdrawalsStopped, ledger.OperatorWallet.Available));
        var cap = new Sats(settings.FeeCapSat).ToMsat();
        return views[0].WithdrawalsStopped || views[0].Available < cap + cap
            || views.SelectMany(v => v.Live).Any(f => f.State == FamilyState.Opened || (f.IsConsolidation && f.State != FamilyState.Final));
    }
}
