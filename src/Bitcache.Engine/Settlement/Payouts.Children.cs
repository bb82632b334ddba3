// Children that pay for an attempt of which something spends already, so that it cannot be replaced. From the first child on
// the family is bumped by its child alone: another attempt would make the child impossible, and what was paid for it.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

public sealed partial class Payouts
{
    /// <summary>Sends the attempt that the children pay for, and the newest of them; pays more if that does not confirm.</summary>
    private async Task<string> SendWithChildAsync(Family family, int height, CancellationToken cancel)
    {
        var parent = family.Attempts[family.ParentAttempt - 1];
        var (sent, words) = await SendAsync(parent, cancel);
        return IsTaken(sent)
            ? $"{words}; {await SendChildAsync(family, parent, height, cancel)}"
            : await ExplainAsync(family, parent, sent, words, cancel);
    }

    private async Task<string> SendChildAsync(Family family, Attempt parent, int height, CancellationToken cancel)
    {
        var child = family.Children[^1];
        var (result, _) = await SendAsync(child.Txid, child.Transaction, cancel);
        var said = IsTaken(result) ? $"its child {child.Txid} pays for it" : $"the node does not take its child {child.Txid} now: {result.Message}";
        var mayPayMore = result.IsFeeTooLow || (IsOverdue(child.Height, height) && result.Outcome == BroadcastOutcome.Accepted);
        return mayPayMore ? $"{said}; {await PayByChildAsync(family, parent, height, cancel)}" : said;
    }

    /// <summary>Gives an attempt a child, or the next one in the place of its child, once a block at most; says what came of it.</summary>
    private async Task<string> PayByChildAsync(Family family, Attempt parent, int height, CancellationToken cancel)
    {
        if (_notReplaced.TryGetValue(family.Number, out var refused) && refused.Height == height) return refused.Why;
        var (child, why) = await SignChildAsync(family, parent, height, cancel);
        if (child is null)
        {
            log.ReplacementRefused(family.Number, why);
            _notReplaced[family.Number] = (height, why);
            return why;
        }
        _notReplaced.Remove(family.Number);
        log.ChildSigned(family.Number, child.Child, child.Txid, parent.Txid, child.Fee);
        // It is durable, and may leave.
        await SendAsync(child.Txid, child.Transaction, cancel);
        return $"its child {child.Txid} pays for it";
    }

    /// <summary>A journaled child, or why there is none.</summary>
    private async Task<(SignChild? Child, string Why)> SignChildAsync(Family family, Attempt parent, int height, CancellationToken cancel)
    {
        if (await partition.QueryAsync(ledger => ledger.IsStopped(family))) return (null, "withdrawals are stopped");
        if (family.Prepared is not null) return (null, "what is to replace it is with its signer");
        try
        {
            var order = await ToOrderAsync(family, height);
            var builder = new ChildBuilder(node, _builder, settings.Network);
            var (child, why) = await builder.BuildAsync(
                new ChildOrder(family, parent, order.Withdrawals, order.AnchorScript, order.Taken, height), cancel);
            if (child is null) return (null, why);
            var answer = await term.SubmitAsync(partition, child);
            return answer.Outcome == Outcome.Accepted ? (child, "") : (null, $"no child now: {answer.Outcome}");
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected)
        {
            return (null, $"the node makes no child for it: {e.Message}");
        }
    }

    /// <summary>What became of the children of an attempt that is in a block.</summary>
    /// <returns>Whether that is certain, which child is final (0 for none), and what it waits for otherwise.</returns>
    private async Task<(bool Settled, int Child, string Words)> FollowChildAsync(Family family, int height, CancellationToken cancel)
    {
        var (deepestConflict, isKnown) = (0, false);
        foreach (var child in family.Children)
        {
            var seen = await node.GetTransactionAsync(child.Txid, cancel);
            var confirmations = seen?.Confirmations ?? 0;
            isKnown |= seen is not null;
            if (confirmations >= settings.FinalityDepth) return (true, child.Number, "");
            if (confirmations >= 1) return (false, 0, $"its child {child.Txid} has {confirmations} of {settings.FinalityDepth} confirmations");
            deepestConflict = Math.Min(deepestConflict, confirmations);
        }
        var newest = family.Children[^1];
        var change = AnchorChain.Parse(newest.Transaction).Inputs[0].Spent;
        // A wallet that knows none of them, an older copy as a rule, knows no conflict of them either.
        if ((deepestConflict <= -settings.FinalityDepth || !isKnown)
            && await _spends.FindAsync(change, [], (int)newest.Height, cancel) is { } found && found.Depth >= settings.FinalityDepth
            && family.Children.All(c => c.Txid != found.Spend.Spender))
        {
            log.ChildLost(family.Number, change, found.Spend.Spender);
            return (true, 0, "");
        }
        return (false, 0, $"in a block; {await SendChildAsync(family, family.Attempts[family.ParentAttempt - 1], height, cancel)}");
    }
}
