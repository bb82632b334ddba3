// Finds the transaction in the chain that spends an output, and tells from it whether a family can still confirm. Only what
// stands in a block of the best chain counts: a transaction that the node does not know, or that waits in its mempool,
// proves nothing.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <param name="Depth">How many blocks deep the spender is.</param>
public sealed record FoundSpend(FinalSpend Spend, int Depth);

/// <param name="findLoss">What is known to have made a transaction of our own impossible; nothing is, where it is not given.</param>
public sealed class SpendFinder(IBitcoinNode node, int finalityDepth, Func<Txid, Task<FinalSpend?>>? findLoss = null)
{
    /// <summary>Outputs of transactions that lost are followed so far back. One step is what reorganisations make.</summary>
    private const int StepsMax = 5;

    /// <summary>What makes it certain that no attempt of a family will ever confirm, or null while nothing does.
    /// <para>All attempts share inputs. If another transaction that is final spends one of them, no attempt can. If one of them
    /// is an output of a transaction that cannot confirm, because a final one spends an input of it, that output will never
    /// be there, and no attempt can confirm either.</para></summary>
    public async Task<FinalSpend?> FindDeathAsync(Family family, CancellationToken cancel)
    {
        var attempts = AnchorChain.AttemptsOf(family).ToArray();
        var shared = attempts[0].Inputs.Select(i => i.Spent).Where(o => attempts.All(a => a.Inputs.Any(i => i.Spent == o)));
        var own = attempts.Select(a => a.Txid).ToHashSet();
        var conflicts = new List<Txid>();
        foreach (var txid in own)
        {
            if (await node.GetTransactionAsync(txid, cancel) is { } known) conflicts.AddRange(known.Conflicts);
        }
        var signed = family.Attempts.Count > 0 ? (int)family.Attempts[0].Height : 0;
        foreach (var output in shared)
        {
            if (await FindLossAsync(output, own, conflicts, signed, StepsMax, cancel) is { } spend) return spend;
        }
        return null;
    }

    /// <summary>The transaction in the best chain that spends an output, whatever made it.</summary>
    /// <param name="likely">Where to look first: transactions that the wallet knows to spend the same as something else.</param>
    /// <param name="height">A block at which the output was not spent; reorganisations that are not final are allowed for.</param>
    public async Task<FoundSpend?> FindAsync(OutPoint output, IEnumerable<Txid> likely, int height, CancellationToken cancel)
    {
        foreach (var txid in likely.Distinct())
        {
            if (await LookAtAsync(txid, output, cancel) is { } found) return found;
        }
        if (await node.IsUnspentAsync(output, cancel)) return null;
        // What spends a coin of the wallet the wallet knows, whoever made it.
        if (await node.GetBlockHashAsync(Math.Max(0, height - finalityDepth), cancel) is not { } since) return null;
        foreach (var txid in await ListSinceAsync(since, cancel))
        {
            if (await LookAtAsync(txid, output, cancel) is { } found) return found;
        }
        return null;
    }

    private async Task<IReadOnlyList<Txid>> ListSinceAsync(BlockHash block, CancellationToken cancel)
    {
        try
        {
            return await node.ListTransactionsSinceAsync(block, cancel) ?? [];
        }
        catch (NodeException e) when (e.IsAnswerTooLong)
        {
            // Whoever pays us makes it so long. Of what is not found nothing follows, and it holds up nothing else.
            return [];
        }
    }

    private async Task<FinalSpend?> FindLossAsync(
        OutPoint output, HashSet<Txid> own, IReadOnlyList<Txid> conflicts, int signed, int steps, CancellationToken cancel)
    {
        // Without what made it the node tells nothing of it. What became of that may be known, if it was ours.
        if (await node.GetTransactionAsync(output.Txid, cancel) is not { } parent) return await FindKnownLossAsync(output.Txid, cancel);
        if (parent.Confirmations >= 1)
        {
            var found = await FindAsync(output, conflicts, Math.Max(signed, parent.Height ?? 0), cancel);
            // What came back late from its signer may have lost its coin before it was signed, though not before there was one.
            if (found is null && parent.Height < signed) found = await FindAsync(output, [], parent.Height.Value, cancel);
            return found is not null && found.Depth >= finalityDepth && !own.Contains(found.Spend.Spender) ? found.Spend : null;
        }
        if (parent.Confirmations > -finalityDepth || steps == 0 || !BitcoinTransaction.TryParse(parent.Raw, out var lost) || lost.Txid != output.Txid) return null;
        foreach (var input in lost.Inputs)
        {
            if (await FindLossAsync(input.Spent, [lost.Txid], parent.Conflicts, signed, steps - 1, cancel) is { } spend) return spend;
        }
        return null;
    }

    private async Task<FinalSpend?> FindKnownLossAsync(Txid transaction, CancellationToken cancel) =>
        findLoss is not null && await findLoss(transaction) is { } loss
        && await LookAtAsync(loss.Spender, loss.Output, cancel) is { } found && found.Depth >= finalityDepth ? found.Spend : null;

    /// <summary>Believes the node's wallet no more than its blocks: the transaction must have the bytes that spend the output,
    /// and stand in a block that is on the best chain.</summary>
    private async Task<FoundSpend?> LookAtAsync(Txid txid, OutPoint output, CancellationToken cancel)
    {
        if (await node.GetTransactionAsync(txid, cancel) is not { Confirmations: >= 1, Block: { } hash } known) return null;
        if (!BitcoinTransaction.TryParse(known.Raw, out var spender) || spender.Txid != txid || spender.Inputs.All(i => i.Spent != output)) return null;
        if (await node.GetBlockInfoAsync(hash, cancel) is not { Confirmations: >= 1 } block) return null;
        return await IsInsideAsync(hash, txid, cancel) ? new FoundSpend(new FinalSpend(output, txid, (uint)block.Height, hash), block.Confirmations) : null;
    }

    /// <summary>Whether a block holds a transaction. One that the node has pruned proves nothing, and stops nothing else.</summary>
    private async Task<bool> IsInsideAsync(BlockHash block, Txid txid, CancellationToken cancel)
    {
        try
        {
            return await node.GetBlockTxidsAsync(block, cancel) is { } inside && inside.Contains(txid);
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected)
        {
            return false;
        }
    }
}
