// What a replacement pays. Numbers only: the node is asked elsewhere, and what it builds is checked there.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>What is not to be passed, and what is asked for.</summary>
/// <param name="Estimate">At which a transaction is expected to confirm in time.</param>
/// <param name="Max">No transaction pays a higher rate.</param>
/// <param name="Cap">No transaction costs more.</param>
public sealed record FeeTerms(FeeRate Estimate, FeeRate Max, Sats Cap);

public static class FeePolicy
{
    /// <summary>Each replacement pays a quarter more than the one before it, at least, so that there are few of them below
    /// any cap.</summary>
    private const int GrowthParts = 4;

    private const int VirtualBytesPerKvB = 1_000;

    /// <summary>The rate of the transaction that replaces one: that of the estimate, never below what the node asks of a
    /// replacement, and never so high that it would cost more than the cap.</summary>
    /// <param name="fee">Of the transaction that is replaced.</param>
    /// <param name="virtualBytes">Its size; the replacement's is the same, unless it needs more coins.</param>
    /// <param name="terms">Ours.</param>
    /// <param name="node">The node's.</param>
    /// <returns>Null if no rate is both enough for the node and within the bounds.</returns>
    public static FeeRate? Replacement(Sats fee, int virtualBytes, FeeTerms terms, MempoolTerms node)
    {
        var paid = DivideUp(fee.Value * VirtualBytesPerKvB, virtualBytes);
        // A fee is a rate times a size, rounded up: two of them added may be a satoshi more than that of the sum.
        var rounding = DivideUp(VirtualBytesPerKvB, virtualBytes);
        var least = Math.Max(paid + node.Increment.SatsPerKvB + rounding, node.Least.SatsPerKvB);
        var most = Math.Min(terms.Cap.Value * VirtualBytesPerKvB / virtualBytes, terms.Max.SatsPerKvB);
        if (least > most) return null;
        var wanted = Math.Max(terms.Estimate.SatsPerKvB, paid + (paid / GrowthParts));
        return new FeeRate(Math.Clamp(wanted, least, most));
    }

    /// <summary>The fee of a transaction that spends the change of one that waits, so that miners, who reckon with a transaction
    /// and all that must be in a block before it (Bitcoin Core, node/miner.cpp, addPackageTxs: fees and size with ancestors),
    /// take both at the wanted rate: that of the estimate, and a quarter above what is paid now, at least.</summary>
    /// <param name="waiting">The one that waits, as the node's mempool has it.</param>
    /// <param name="virtualBytes">The child's size.</param>
    /// <param name="replaced">What the child before it pays, whose place it takes; zero without one.</param>
    /// <param name="terms">Ours; the cap is what is left of it beside the fee of the one that waits.</param>
    /// <param name="node">The node's.</param>
    /// <returns>Null if no fee is both enough for the node and within the bounds.</returns>
    public static Sats? Child(MempoolEntry waiting, int virtualBytes, Sats replaced, FeeTerms terms, MempoolTerms node)
    {
        var (bytes, before) = ((long)waiting.AncestorVirtualBytes + virtualBytes, waiting.AncestorFees.Value);
        long FeeAt(long satsPerKvB) => DivideUp(satsPerKvB * bytes, VirtualBytesPerKvB) - before;
        // The one that waits may be mined without the child that is replaced: at its own rate.
        var alone = waiting.AncestorVirtualBytes == 0 ? 0 : DivideUp(before * VirtualBytesPerKvB, waiting.AncestorVirtualBytes);
        var paid = Math.Max(alone, DivideUp((before + replaced.Value) * VirtualBytesPerKvB, bytes));
        // A replacement pays its own way through the network on top (Bitcoin Core, policy/rbf.cpp, rules 3 and 4).
        var own = DivideUp(node.Least.SatsPerKvB * virtualBytes, VirtualBytesPerKvB);
        var least = replaced == Sats.Zero ? own : Math.Max(own, replaced.Value + DivideUp(node.Increment.SatsPerKvB * virtualBytes, VirtualBytesPerKvB));
        var most = Math.Min(terms.Cap.Value, FeeAt(terms.Max.SatsPerKvB));
        if (least > most) return null;
        return new Sats(Math.Clamp(FeeAt(Math.Max(terms.Estimate.SatsPerKvB, paid + (paid / GrowthParts))), least, most));
    }

    private static long DivideUp(long number, long divisor) => (number + divisor - 1) / divisor;
}
