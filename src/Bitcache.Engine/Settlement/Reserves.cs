// Whether there is as much bitcoin as is owed. The node's wallet deducts a transaction of ours as soon as it knows it, the
// ledger when it is final; in between what left the wallet is counted as still there, because it is still owed.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <param name="Hot">Coins that the hot wallet counts itself.</param>
/// <param name="There">These, cold ones, and what live families are about to pay out.</param>
/// <param name="Owed">What wallets and suspense have, and what is on its way between partitions.</param>
public readonly record struct ReservesFound(Sats Hot, Msat There, Msat Owed)
{
    public bool AreShort => There < Owed;
}

/// <summary>Asks the ledger and the node. Owned by the settlement loop.</summary>
public sealed class Reserves(PartitionSet partitions, IBitcoinNode node)
{
    /// <summary>A family's transaction that the node's wallet counts with.</summary>
    /// <param name="IsListed">Whether it is in a block or in the mempool: the wallet then has what it gives back to us, too.</param>
    private sealed record Deducted(BitcoinTransaction Transaction, Sats Fee, Withdrawal[] Withdrawals, bool IsListed);

    /// <param name="cold">Coins that are declared and kept elsewhere.</param>
    /// <param name="cancel">Ends the questions.</param>
    /// <exception cref="NodeException">Nothing is known now.</exception>
    public async Task<ReservesFound> FindAsync(Sats cold, CancellationToken cancel)
    {
        var views = await partitions.QueryAllAsync(ledger => (ledger.Totals, Live: ledger.LiveFamilies().Select(
            f => (Family: f, Withdrawals: f.Withdrawals.Select(k => ledger.FindWithdrawal(k)!).ToArray())).ToArray()));
        var hot = (await node.GetBalancesAsync(cancel)).Trusted;
        var sat = hot.Value + cold.Value;
        var deducted = new List<Deducted>();
        foreach (var (family, withdrawals) in views.SelectMany(v => v.Live))
        {
            // A child pays nobody but the miner and us.
            if (await FindDeductedAsync(AttemptsOf(family), withdrawals, cancel) is { } found) deducted.Add(found);
            if (await FindDeductedAsync(family.Children.Select(c => (c.Fee, AnchorChain.Parse(c.Transaction))), [], cancel) is { } child) deducted.Add(child);
        }
        var spent = deducted.SelectMany(d => d.Transaction.Inputs).Select(i => i.Spent).ToHashSet();
        foreach (var one in deducted)
        {
            sat += one.Withdrawals.Sum(w => w.Amount.Value) + one.Fee.Value;
            if (!one.IsListed) sat += OwnOutputs(one).Where(o => !spent.Contains(o.OutPoint)).Sum(o => o.Value.Value);
        }
        if (sat > Limits.SupplySatMax) throw new NodeException(NodeFailure.Unknown, $"the node's wallet would hold {sat} sat with cold coins and with what leaves it, more than there is");
        // Counted like this, a credit that arrives in another partition between two of the questions is counted once.
        return new ReservesFound(hot, new Sats(sat).ToMsat(), new Msat(views.Sum(v => v.Totals.Liabilities - v.Totals.FromPartitions)));
    }

    /// <summary>A signer may send what it was given by itself: the node's wallet knows it then before the ledger does.</summary>
    private static IEnumerable<(Sats Fee, BitcoinTransaction Transaction)> AttemptsOf(Family family)
    {
        foreach (var attempt in family.Attempts) yield return (attempt.Fee, AnchorChain.Parse(attempt));
        if (family.Prepared is { } prepared) yield return (prepared.Fee, AnchorChain.Parse(prepared));
    }

    /// <summary>The one of several, of which one can confirm at most, that the node's wallet counts with: the one in a block, or
    /// else in the mempool, or else the newest that it knows. For one that left the mempool, too, it keeps the coins.</summary>
    private async Task<Deducted?> FindDeductedAsync(
        IEnumerable<(Sats Fee, BitcoinTransaction Transaction)> several, Withdrawal[] withdrawals, CancellationToken cancel)
    {
        Deducted? waiting = null, dropped = null;
        foreach (var (fee, transaction) in several.Reverse())
        {
            var txid = transaction.Txid;
            if (await node.GetTransactionAsync(txid, cancel) is not { Confirmations: >= 0 } known) continue;
            var found = new Deducted(transaction, fee, withdrawals, IsListed: true);
            if (known.Confirmations >= 1) return found;
            // What an operator abandons the wallet forgets, until it is sent again.
            if (known.Entries.Any(e => e.Abandoned)) continue;
            if (waiting is null && await node.GetMempoolEntryAsync(txid, cancel) is not null) waiting = found;
            dropped ??= found with { IsListed = false };
        }
        return waiting ?? dropped;
    }

    /// <summary>What a transaction gives back to us: all that it pays, but for the withdrawals.</summary>
    private static IEnumerable<(OutPoint OutPoint, Sats Value)> OwnOutputs(Deducted one)
    {
        var paid = one.Withdrawals.Select(w => (w.Script, w.Amount)).ToList();
        for (var i = 0; i < one.Transaction.Outputs.Count; i++)
        {
            var output = one.Transaction.Outputs[i];
            if (!paid.Remove((new ByteString(output.Script), output.Value))) yield return (new OutPoint(one.Transaction.Txid, (uint)i), output.Value);
        }
    }
}
