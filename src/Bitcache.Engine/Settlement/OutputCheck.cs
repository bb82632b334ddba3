// What the node's wallet lists of an output is held against the block that is to hold it, once, when the output is first seen:
// an output never changes. A block is asked for as a whole, however many of its outputs are ours, and what it says its hash
// says, too. So neither an index nor an amount nor a script is believed; that the block is on the best chain is.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>What the node says of an output.</summary>
internal readonly record struct ClaimedOutput(OutPoint OutPoint, ByteString Script, Sats Amount, BlockHash Block);

internal sealed class OutputCheck(IBitcoinNode node)
{
    /// <exception cref="NodeException">One of the outputs is not what the node says, or it cannot be asked now.</exception>
    public async Task RequireAsync(IEnumerable<ClaimedOutput> claims, CancellationToken cancel)
    {
        foreach (var inBlock in claims.GroupBy(claim => claim.Block))
        {
            var outputs = inBlock.ToArray();
            var transactions = await ReadAsync(inBlock.Key, outputs.Select(o => o.OutPoint.Txid).ToHashSet(), cancel);
            foreach (var claim in outputs) Require(claim, transactions.GetValueOrDefault(claim.OutPoint.Txid));
        }
    }

    private static void Require(ClaimedOutput claim, BitcoinTransaction? transaction)
    {
        if (transaction is null) throw new NodeException(NodeFailure.Unknown, $"the node says that {claim.OutPoint} is in block {claim.Block}, which does not hold it");
        if (claim.OutPoint.Index >= transaction.Outputs.Count) throw new NodeException(NodeFailure.Unknown, $"the node says that {claim.OutPoint} is there, of a transaction with {transaction.Outputs.Count} outputs");
        var output = transaction.Outputs[(int)claim.OutPoint.Index];
        if (output.Value != claim.Amount || !claim.Script.Span.SequenceEqual(output.Script))
            throw new NodeException(NodeFailure.Unknown, $"the node says that {claim.OutPoint} pays {claim.Amount} to script {claim.Script}; it pays {output.Value} to {new ByteString(output.Script)}");
    }

    /// <summary>Those of a block's transactions that are asked for.</summary>
    private async Task<Dictionary<Txid, BitcoinTransaction>> ReadAsync(BlockHash hash, HashSet<Txid> wanted, CancellationToken cancel)
    {
        byte[]? raw;
        try
        {
            raw = await node.GetBlockAsync(hash, cancel);
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected)
        {
            // Pruned: a wallet that is looked through anew lists old ones. It keeps their transactions itself.
            return await AskWalletAsync(wanted, cancel);
        }
        if (raw is null) throw new NodeException(NodeFailure.Unknown, $"the node's wallet names block {hash}, which the node does not know");
        if (!BitcoinBlock.TryParse(raw, out var block) || block.Header.Hash != hash || !block.IsWhole)
            throw new NodeException(NodeFailure.Unknown, $"what the node gives for block {hash} is not that block");
        return block.Transactions.Where(t => wanted.Contains(t.Txid)).ToDictionary(t => t.Txid);
    }

    private async Task<Dictionary<Txid, BitcoinTransaction>> AskWalletAsync(HashSet<Txid> wanted, CancellationToken cancel)
    {
        var found = new Dictionary<Txid, BitcoinTransaction>();
        foreach (var txid in wanted)
        {
            if (await node.GetTransactionAsync(txid, cancel) is not { } known || !BitcoinTransaction.TryParse(known.Raw, out var transaction) || transaction.Txid != txid)
                throw new NodeException(NodeFailure.Unknown, $"what the node's wallet gives for {txid} is not that transaction");
            found.Add(txid, transaction);
        }
        return found;
    }
}
