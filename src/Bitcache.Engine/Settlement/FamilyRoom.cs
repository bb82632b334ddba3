// How many withdrawals one transaction takes: by the size of what is known of it before it is built, and, where a build
// was too large or too dear, by as much less as that was too much.

using Bitcache.Core;

namespace Bitcache.Engine.Settlement;

/// <summary>The room for payments in the families of one partition, in bytes of outputs. Owned by the settlement loop.</summary>
/// <param name="satMax">What the payments of one family may be together, unless one alone is more; null for any amount.</param>
public sealed class FamilyRoom(long? satMax = null)
{
    // Without its witness: version, lock time and counts of one byte; a coin; an output of 34 bytes of script; one of 38.
    private const int HeadBytes = 10;
    /// <summary>By how much the counts are longer where there are many.</summary>
    private const int LongCountsBytes = 4;
    private const int InputBytes = 41;
    private const int OutputBytes = 43;
    private const int CommitmentBytes = 47;
    /// <summary>The output of the anchor before, and a coin for the payments.</summary>
    private const int AnchorInputs = 2;
    /// <summary>Coins for the payments of a transaction without an anchor, each of which is 58 bytes with its witness.</summary>
    private const int PlainInputs = 200;
    private const int PlainInputBytes = 58;

    /// <summary>With two coins 90 taproot payments or 124 to a public key's hash.</summary>
    private const int AnchorMax = Limits.AnchorTransactionBytesMax - HeadBytes - (AnchorInputs * InputBytes) - (2 * OutputBytes) - CommitmentBytes;
    private const int PlainMax = Limits.TransactionBytesMax - HeadBytes - LongCountsBytes - (PlainInputs * PlainInputBytes) - OutputBytes;

    private int _anchor = AnchorMax;
    private int _plain = PlainMax;

    /// <summary>Takes the next payments of a family, oldest first: as many as fit, without an anchor one at least.</summary>
    public IReadOnlyList<Withdrawal> Take(Queue<Withdrawal> left, bool hasAnchor)
    {
        var (taken, room, sat) = (new List<Withdrawal>(), hasAnchor ? _anchor : _plain, satMax ?? long.MaxValue);
        while (taken.Count < Limits.FamilyWithdrawalsMax && left.TryPeek(out var next))
        {
            room -= FeeShare.OutputBytes(next.Script);
            sat -= next.Amount.Value;
            if ((room < 0 || sat < 0) && (hasAnchor || taken.Count > 0)) break;
            taken.Add(left.Dequeue());
        }
        return taken;
    }

    /// <summary>A family was built: the next one may be larger again.</summary>
    public void Grow(bool hasAnchor)
    {
        if (hasAnchor) _anchor = Math.Min(AnchorMax, (2 * _anchor) + OutputBytes);
        else _plain = Math.Min(PlainMax, (2 * _plain) + OutputBytes);
    }

    /// <summary>A family with these payments could not be built.</summary>
    /// <param name="excess">By how many bytes it was too large; null where nobody knows, then half of them are tried.</param>
    public void Shrink(IReadOnlyList<Withdrawal> payments, bool hasAnchor, int? excess)
    {
        var size = payments.Sum(w => FeeShare.OutputBytes(w.Script));
        var room = Math.Max(0, size - (excess ?? ((size + 1) / 2)));
        if (hasAnchor) _anchor = room;
        else _plain = room;
    }
}
