// What is owed to each wallet at the cut of an epoch: what it has, what is set aside for it and what is on its way to it, without
// what a block has paid out already. Of every partition as it was at its own cut; together they are one moment.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

internal static class EpochLiabilities
{
    /// <summary>Puts together what everybody is owed.</summary>
    /// <param name="balances">Of all partitions, in their order.</param>
    /// <exception cref="LedgerInvariantException">It is not what the ledger's totals say.</exception>
    public static LiabilityAccounts Collect(PartitionSet partitions, IReadOnlyList<EpochBalances> balances, CutFacts facts, WalletId operatorWallet)
    {
        var accounts = new LiabilityAccounts(balances.Sum(b => b.WalletCount) + 1);
        // The operator's has an account in each partition, and the mining fees of each partition's families are its own.
        var less = facts.Paid.GroupBy(p => p.Wallet).ToDictionary(group => group.Key, group => group.Sum(p => p.Amount.ToMsat().Value));
        long sum = 0;
        foreach (var of in balances)
        {
            for (var slot = 0; slot < of.WalletCount; slot++)
            {
                var wallet = of[slot];
                var owed = (wallet.Available + wallet.Held + wallet.Frozen).Value;
                if (wallet.Id == operatorWallet) owed -= facts.Fees[of.Partition].ToMsat().Value;
                if (less.Count > 0 && less.Remove(wallet.Id, out var paid)) owed -= paid;
                accounts.Add(wallet.Id, new Msat(owed));
                sum += owed;
            }
            accounts.Add(WalletId.Suspense, new Msat(of.Totals.Suspense));
            sum += of.Totals.Suspense;
        }
        foreach (var (payee, amount) in OnTheirWay(partitions, balances))
        {
            accounts.Add(payee, amount);
            sum += amount.Value;
        }
        var total = Totals.Sum(balances.Select(b => b.Totals));
        var left = facts.Paid.Sum(p => p.Amount.ToMsat().Value) + facts.Fees.Sum(f => f.ToMsat().Value);
        if (less.Count > 0 || sum != total.Liabilities - total.FromPartitions - left) throw new LedgerInvariantException("what is owed at an epoch is not what its totals say");
        return accounts;
    }

    /// <summary>What had left one partition before its cut and did not arrive in another before that one's.</summary>
    private static IEnumerable<(WalletId Payee, Msat Amount)> OnTheirWay(PartitionSet partitions, IReadOnlyList<EpochBalances> balances) =>
        from of in balances
        from lane in of.Lanes
        let arrived = balances[lane.Other].Lanes.FirstOrDefault(l => l.Other == of.Partition)?.Received ?? 0
        from leg in lane.Sent
        where leg.Number > arrived
        select (Ledger.Resend(leg, partitions[of.Partition].ReadEntry(leg.Sequence)).Credit.Payee, leg.Amount);
}
