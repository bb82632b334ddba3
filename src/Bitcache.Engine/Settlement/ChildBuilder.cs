// Builds and signs the child that pays for an attempt that cannot be replaced, because something spends of it already
// (child pays for parent). One input, the attempt's change, and one output, back to the wallet: nothing of it is left to
// the node's choice.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <param name="Family">Whose child it is.</param>
/// <param name="Parent">The attempt that it pays for: that of the children before it, if there are any.</param>
/// <param name="Withdrawals">The family's.</param>
/// <param name="Taken">Inputs of other live families.</param>
/// <param name="Height">Of the newest block.</param>
public sealed record ChildOrder(
    Family Family, Attempt Parent, IReadOnlyList<Withdrawal> Withdrawals, ByteString AnchorScript, IReadOnlySet<OutPoint> Taken, int Height);

public sealed class ChildBuilder(IBitcoinNode node, PayoutBuilder builder, BitcoinNetwork network)
{
    /// <summary>The size of a transaction with one taproot input, spent by its key, and one taproot output (BIP-341): 110.5.</summary>
    private const int VirtualBytes = 111;

    /// <summary>The change of an attempt: the one output that is neither a withdrawal nor of the anchor.</summary>
    /// <returns>Null if it has none.</returns>
    public static (OutPoint OutPoint, TransactionOutput Output)? FindChange(ChildOrder order)
    {
        var transaction = AnchorChain.Parse(order.Parent);
        var paid = order.Withdrawals.Select(w => w.Script).Append(order.AnchorScript).ToHashSet();
        foreach (var (index, output) in transaction.Outputs.Index())
        {
            if (output.Value > Sats.Zero && !paid.Contains(new ByteString(output.Script))) return (new OutPoint(transaction.Txid, (uint)index), output);
        }
        return null;
    }

    /// <summary>A signed child that is not on its way yet, or why there is none. It must be durable first.</summary>
    public async Task<(SignChild? Child, string Why)> BuildAsync(ChildOrder order, CancellationToken cancel)
    {
        var family = order.Family;
        if (FindChange(order) is not { } change || !await builder.IsOwnChangeAsync(change.Output.Script, order.AnchorScript, cancel))
            return (null, "no change of it is there for a child to spend");
        if (order.Taken.Contains(change.OutPoint)) return (null, "its change is in another family");
        // Of one that is in a block nothing is left to pay.
        var waiting = family.State == FamilyState.Confirmed
            ? new MempoolEntry(Sats.Zero, 0, 0, Sats.Zero, 0)
            : await node.GetMempoolEntryAsync(order.Parent.Txid, cancel);
        if (waiting is null) return (null, "it is not in the node's mempool, where a child could pay for it");

        var terms = await builder.TermsAsync(family.FeeCap - order.Parent.Fee, cancel);
        var replaced = family.Children.Count == 0 ? Sats.Zero : family.Children[^1].Fee;
        if (FeePolicy.Child(waiting, VirtualBytes, replaced, terms, await node.GetMempoolTermsAsync(cancel)) is not { } fee)
            return (null, $"a child would pass what is left of the {family.FeeCap} held for it, or feeRateMax");
        var script = await ScriptAsync(family, cancel);
        if (change.Output.Value.Value < fee.Value + Dust.Threshold(script).Value) return (null, $"its change of {change.Output.Value} cannot pay a child's fee of {fee}");
        var back = change.Output.Value - fee;

        var psbt = await node.CreatePsbtAsync([change.OutPoint], [new PayOutput(BitcoinAddress.FromScript(script.Span, network)!, back)], cancel);
        var signed = (await node.WalletProcessPsbtAsync(psbt, cancel)).Transaction;
        if (!BitcoinTransaction.TryParse(signed, out var child)) return (null, "the node's wallet could not sign a child");
        // What it spends is known, so that its fee is what its one output leaves.
        if (child.Inputs is not [var input] || input.Spent != change.OutPoint || child.Outputs is not [var output]
            || output.Value != back || !script.Span.SequenceEqual(output.Script) || child.VirtualBytes > VirtualBytes)
            return (null, "the node signed another child than it was asked for");
        return (new SignChild(
            family.Number, order.Parent.Number, family.Children.Count + 1, child.Txid, fee, new ByteString(signed), (uint)order.Height), "");
    }

    /// <summary>Where the rest goes: to fresh change of the wallet, and of a child that takes another one's place to the same. A fresh
    /// address to be paid to could be one that was derived and given to somebody.</summary>
    private async Task<ByteString> ScriptAsync(Family family, CancellationToken cancel)
    {
        if (family.Children.Count > 0) return new ByteString(AnchorChain.Parse(family.Children[^1].Transaction).Outputs[0].Script);
        var address = await node.GetRawChangeAddressAsync(cancel);
        return BitcoinAddress.TryParse(address, network, out var script, out _)
            ? new ByteString(script)
            : throw new NodeException(NodeFailure.Unknown, $"the node gave '{address}', which is no address");
    }
}
