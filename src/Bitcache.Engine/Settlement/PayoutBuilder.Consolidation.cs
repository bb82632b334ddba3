// Building a family that pays nobody: many small coins of the hot wallet become one.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

public sealed partial class PayoutBuilder
{
    /// <summary>The first transaction, out of the smallest coins; or its replacement, out of the same coins and to the same address.
    /// (<c>psbtbumpfee</c> would give the fee of the one before back as a second output.)</summary>
    private async Task<(BuildOrder Order, FundedPsbt? Funded)> FundConsolidationAsync(BuildOrder order, FeeRate rate, CancellationToken cancel)
    {
        if (order.Replaced is { } replaced)
        {
            var again = replaced.Inputs.Select(i => i.Spent).ToArray();
            var address = BitcoinAddress.FromScript(replaced.Outputs[0].Script, settings.Network)!;
            var worth = order.Family.Attempts[^1].Fee + replaced.Outputs[0].Value;
            return (order with { Exactly = again.ToHashSet() }, await node.JoinCoinsPsbtAsync(again, worth, address, rate, cancel));
        }
        var small = SmallCoins.Choose(await node.ListUnspentAsync(settings.FinalityDepth, cancel), order, settings, rate);
        if (small.Count == 0) return (order, null);
        var total = new Sats(small.Sum(c => c.Amount.Value));
        var change = await node.GetRawChangeAddressAsync(cancel);
        var funded = await node.JoinCoinsPsbtAsync([.. small.Select(c => c.Output)], total, change, rate, cancel);
        return (order with { Exactly = small.Select(c => c.Output).ToHashSet() }, funded);
    }

    /// <summary>What must be so of a consolidation beside what must be of every family: it makes one coin, which is ours as all that
    /// was not asked for is, out of exactly the coins that were chosen.</summary>
    private static BuildResult? CheckConsolidation(BuildOrder order, DecodedPsbt psbt)
    {
        if (psbt.Outputs.Count != 1) return BuildResult.Refuse(BuildRefusal.NotAsAsked, $"{psbt.Outputs.Count} outputs where one was asked for");
        if (order.Exactly is { } exactly && !exactly.SetEquals(psbt.Inputs.Select(i => i.Output)))
            return BuildResult.Refuse(BuildRefusal.NotAsAsked, "other coins than were chosen");
        return null;
    }
}
