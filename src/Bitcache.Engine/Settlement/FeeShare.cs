// What a withdrawal bears of the fee of its transaction. Numbers only. A transaction is its payments, perhaps an anchor,
// and what carries them: its head, the coins it spends, its change. Each payment bears its own output and an equal part of
// what carries all; the anchor, which is the operator's affair, bears as much, and its own outputs and input.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

public static class FeeShare
{
    /// <summary>What carries a single payment: version, lock time and counts (11), one taproot coin (58), taproot change (43).</summary>
    private const int CarrierVirtualBytes = 112;
    /// <summary>Among how many it is taken to be shared, for a quote: the anchor and one payment at least, as a rule.</summary>
    private const int SharersMin = 2;
    /// <summary>Value, the script's length, the script of 34 bytes; the same with one of 38; the input that spends the
    /// previous anchor.</summary>
    private const int AnchorOutputsVirtualBytes = 43 + 47;
    private const int AnchorInputVirtualBytes = 58;
    private const int ValueAndLengthBytes = 9;
    private const int VirtualBytesPerKvB = 1_000;

    /// <summary>The size of an output: no part of it is witness.</summary>
    public static int OutputBytes(ByteString script) => ValueAndLengthBytes + script.Length;

    /// <summary>What is asked for a payment to a script before its transaction is known, rounded up.</summary>
    public static Sats Quote(ByteString script, FeeRate rate)
    {
        var size = OutputBytes(script) + (CarrierVirtualBytes / SharersMin);
        return new Sats(((rate.SatsPerKvB * size) + VirtualBytesPerKvB - 1) / VirtualBytesPerKvB);
    }

    /// <summary>The part of a transaction's fee that falls to those of its withdrawals that bear a share, rounded down.</summary>
    /// <param name="fee">Of the whole transaction.</param>
    /// <param name="virtualBytes">Its size.</param>
    /// <param name="withdrawals">All that it pays.</param>
    /// <param name="hasAnchor">Whether it carries an anchor, which is taken to spend the one before it.</param>
    public static Sats Of(Sats fee, int virtualBytes, IReadOnlyList<Withdrawal> withdrawals, bool hasAnchor)
    {
        var sharing = withdrawals.Where(w => w.Fee > Sats.Zero).ToArray();
        if (sharing.Length == 0) return Sats.Zero;
        var carrier = virtualBytes - withdrawals.Sum(w => OutputBytes(w.Script)) - (hasAnchor ? AnchorOutputsVirtualBytes + AnchorInputVirtualBytes : 0);
        var sharers = withdrawals.Count + (hasAnchor ? 1 : 0);
        // In parts of a virtual byte, of which there are as many as sharers.
        var size = (sharing.Sum(w => (long)OutputBytes(w.Script)) * sharers) + ((long)Math.Max(0, carrier) * sharing.Length);
        return new Sats((long)((Int128)fee.Value * size / ((long)virtualBytes * sharers)));
    }
}
