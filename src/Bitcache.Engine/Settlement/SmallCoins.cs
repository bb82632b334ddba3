using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>Which coins a consolidation makes one of.</summary>
public static class SmallCoins
{
    /// <summary>At least what an input of one of our own coins takes, and the rest of the transaction (BIP-141; P2WPKH is the largest
    /// that the node's wallet makes).</summary>
    private const int InputVirtualBytes = 69;
    private const int OtherVirtualBytes = 60;
    private const int VirtualBytesPerKvB = 1_000;

    /// <summary>Coins that are small, too deep to be taken back, and worth at least twice what spending them costs.</summary>
    public static IEnumerable<Coin> Of(IReadOnlyList<Coin> coins, EngineSettings settings, FeeRate rate) => coins.Where(c =>
        c.Amount.Value < settings.ConsolidateCoinBelowSat && c.Confirmations >= settings.FinalityDepth && c is { Solvable: true, Safe: true }
        && WitnessProgram.IsScript(c.Script) && c.Amount.Value * VirtualBytesPerKvB >= 2 * InputVirtualBytes * rate.SatsPerKvB);

    /// <summary>The smallest of them, as many as the fee cap suffices for; none if they have become too few.</summary>
    public static IReadOnlyList<Coin> Choose(IReadOnlyList<Coin> coins, BuildOrder order, EngineSettings settings, FeeRate rate)
    {
        var small = Of(coins, settings, rate)
            .Where(c => !order.Taken.Contains(c.Output) && c.Output != order.AnchorTip && !order.AnchorScript.Span.SequenceEqual(c.Script)).ToArray();
        if (small.Length <= settings.ConsolidateFromCoins) return [];
        var affordable = ((order.Family.FeeCap.Value * VirtualBytesPerKvB / rate.SatsPerKvB) - OtherVirtualBytes) / InputVirtualBytes;
        return [.. small.OrderBy(c => c.Amount).Take((int)Math.Clamp(affordable, 0, Limits.ConsolidationCoinsMax))];
    }
}
