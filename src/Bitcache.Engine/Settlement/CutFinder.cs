// The coins that cover what is owed, and what has been paid of it, as they are at one block: what waits in the mempool has spent
// nothing yet. Asked for right before an epoch is cut, while the chain and the ledger tell of the same block.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>Asks the ledger and the node. Owned by the settlement loop.</summary>
internal sealed class CutFinder(PartitionSet partitions, IBitcoinNode node, ColdWallet cold)
{
    /// <summary>What is true at a block, the newest; null if the chain is not there now, or left it meanwhile.</summary>
    /// <param name="block">The newest one that was looked at for deposits.</param>
    /// <param name="before">The coins that were listed last.</param>
    /// <exception cref="NodeException">Nothing is known now.</exception>
    public async Task<CutFacts?> FindAsync(BlockHash? block, IReadOnlyList<ListedCoin> before, CancellationToken cancel)
    {
        var chain = await node.GetBlockchainInfoAsync(cancel);
        if (chain.BestBlock != block) return null;
        var at = new ChainCursor((uint)chain.Blocks, chain.BestBlock);
        var families = await partitions.QueryAllAsync(ledger => ledger.LiveFamilies()
            .Select(f => (Family: f, Withdrawals: f.Withdrawals.Select(k => ledger.FindWithdrawal(k)!).ToArray())).ToArray());
        var coins = await FindCoinsAsync(at, [.. families.SelectMany(of => of).Select(f => f.Family)], before, cancel);
        if (coins is null) return null;
        var (paid, fees) = (new List<PaidOut>(), new Sats[partitions.Count]);
        for (var number = 0; number < families.Length; number++)
        {
            foreach (var (family, withdrawals) in families[number])
            {
                if (await FindInBlockAsync(AttemptsOf(family), cancel) is { } attempt)
                {
                    fees[number] += attempt.Fee;
                    paid.AddRange(Match(attempt.Transaction, withdrawals));
                }
                if (await FindInBlockAsync(family.Children.Select(c => (AnchorChain.Parse(c.Transaction), c.Fee)), cancel) is { } child) fees[number] += child.Fee;
            }
        }
        return await IsAtAsync(at, cancel) ? new CutFacts(at, coins, paid, fees) : null;
    }

    private async Task<bool> IsAtAsync(ChainCursor at, CancellationToken cancel) => (await node.GetBlockchainInfoAsync(cancel)).BestBlock == at.Block;

    private async Task<IReadOnlyList<ListedCoin>?> FindCoinsAsync(ChainCursor at, Family[] live, IReadOnlyList<ListedCoin> before, CancellationToken cancel)
    {
        var coins = new Dictionary<OutPoint, ListedCoin>();
        uint HeightOf(int confirmations) => at.Height + 1 - (uint)confirmations;
        foreach (var coin in (IEnumerable<Coin>)[.. await node.ListUnspentAsync(1, cancel), .. await cold.ListAsync(cancel)])
            coins[coin.Output] = new ListedCoin(coin.Output, coin.Amount, new ByteString(coin.Script), HeightOf(coin.Confirmations));
        // What is locked, or is about to be spent, the wallets do not list.
        var others = live.SelectMany(AnchorChain.TransactionsOf).SelectMany(t => t.Inputs).Select(i => i.Spent).ToHashSet();
        others.UnionWith(await node.ListLockUnspentAsync(cancel));
        // Of those that were listed last and are not now, only what waits to be spent counts: others may not be declared any more.
        var gone = before.Select(c => c.Output).Where(output => !coins.ContainsKey(output)).ToArray();
        if (gone.Length > 0) others.UnionWith((await node.GetTxSpendingPrevoutAsync(gone, cancel)).Where(s => s.SpentBy is not null).Select(s => s.Output));
        foreach (var output in others.Where(output => !coins.ContainsKey(output)))
        {
            if (await node.FindChainCoinAsync(output, cancel) is not { Confirmations: >= 1 } found) continue;
            if (found.BestBlock != at.Block) return null;
            coins[output] = new ListedCoin(output, found.Amount, new ByteString(found.Script), HeightOf(found.Confirmations));
        }
        return [.. coins.Values.Order(Comparer<ListedCoin>.Create((a, b) => ReservesFile.Compare(a.Output, b.Output)))];
    }

    /// <summary>What is with its signer may have been sent from there.</summary>
    private static IEnumerable<(BitcoinTransaction, Sats)> AttemptsOf(Family family)
    {
        foreach (var attempt in family.Attempts) yield return (AnchorChain.Parse(attempt), attempt.Fee);
        if (family.Prepared is { } prepared) yield return (AnchorChain.Parse(prepared), prepared.Fee);
    }

    /// <summary>The one of several transactions that is in a block.</summary>
    private async Task<(BitcoinTransaction Transaction, Sats Fee)?> FindInBlockAsync(IEnumerable<(BitcoinTransaction Transaction, Sats Fee)> several, CancellationToken cancel)
    {
        foreach (var one in several)
        {
            if (await node.GetTransactionAsync(one.Transaction.Txid, cancel) is { Confirmations: >= 1 }) return one;
        }
        return null;
    }

    /// <summary>Of several that pay the same to the same script each has an output of its own.</summary>
    private static IEnumerable<PaidOut> Match(BitcoinTransaction transaction, Withdrawal[] withdrawals)
    {
        var taken = new HashSet<int>();
        foreach (var withdrawal in withdrawals)
        {
            var at = Enumerable.Range(0, transaction.Outputs.Count).First(i => !taken.Contains(i)
                && transaction.Outputs[i].Value == withdrawal.Amount && withdrawal.Script.Span.SequenceEqual(transaction.Outputs[i].Script));
            taken.Add(at);
            yield return new PaidOut(withdrawal.Key.Wallet, new OutPoint(transaction.Txid, (uint)at), withdrawal.Amount, withdrawal.Script);
        }
    }
}
