// What is owed to each wallet at an epoch, from the entries, against what was stated and what the tree has.
//
// The ledger books withdrawals and mining fees when they are final. What a block had paid by then is left out of what is owed:
// the withdrawals are listed, each with its output; the fees of their transactions, and of anchors and consolidations that were in
// a block, are the operator's own and not listed. So what the operator has less in the tree tells what they must have been, and
// that has to be a sum of fees of transactions that were under way.

using System.Globalization;

namespace Bitcache.Core.Audit;

internal sealed class BalanceAudit(AllocatedTrees trees, AuditSteps steps)
{
    private const int FeeSumsMax = 1 << 16;

    public bool Check(CheckedEpoch epoch, CutBalances cut)
    {
        var number = epoch.Statement.Epoch;
        var less = new Dictionary<WalletId, long>();
        var listed = new Dictionary<CutFamily, Txid>();
        if (!CheckWithdrawals(epoch, cut, less, listed)) return false;
        if (!trees.TryTake(epoch.Statement, out var audit)) return false;
        var mining = cut.Operators - less.GetValueOrDefault(cut.Operator) - audit.ValueOf(cut.Operator);
        if (!FeeSums(cut.Families, listed).Contains(mining))
        {
            return steps.Failed(
                AuditFault.OperatorBalanceWrong, string.Create(CultureInfo.InvariantCulture, $"epoch {number}: the operator's own balance is {cut.Operators} msat by the entries and {audit.ValueOf(cut.Operator)} msat in the tree, which no mining fees of that time explain"),
                AuditPaths.Of(number, AuditPaths.Close));
        }
        var owed = new LiabilityAccounts(cut.Balances.Count + 2);
        foreach (var (wallet, value) in cut.Balances) owed.Add(wallet, new Msat(value - less.GetValueOrDefault(wallet)));
        owed.Add(cut.Operator, new Msat(cut.Operators - less.GetValueOrDefault(cut.Operator) - mining));
        owed.Add(WalletId.Suspense, new Msat(cut.Suspense));
        if (!audit.Compare(owed)) return steps.Failed(audit.Finding!, AuditPaths.Of(number, AuditPaths.Allocation));
        return steps.Passed(string.Create(CultureInfo.InvariantCulture, $"epoch {number}: {cut.Balances.Count} balances and the operator's follow from the entries, and each leaf of the tree is a chunk of one of them"));
    }

    /// <summary>Each listed output pays a withdrawal by a transaction that was under way, and such a transaction pays all of its own.</summary>
    private bool CheckWithdrawals(CheckedEpoch epoch, CutBalances cut, Dictionary<WalletId, long> less, Dictionary<CutFamily, Txid> listed)
    {
        var path = AuditPaths.Of(epoch.Statement.Epoch, WithdrawalsFile.Name);
        var families = new Dictionary<Txid, CutFamily>();
        foreach (var family in cut.Families)
        {
            foreach (var transaction in family.Transactions.Where(t => t.Child == 0)) families[transaction.Txid] = family;
        }
        foreach (var transaction in epoch.Withdrawals.GroupBy(w => w.Output.Txid))
        {
            if (!families.TryGetValue(transaction.Key, out var family) || !listed.TryAdd(family, transaction.Key))
                return steps.Failed(AuditFault.WithdrawalUnknown, $"transaction {transaction.Key} is listed in {path}, but no such one was under way, or another of its family is listed, too", path);
            var left = transaction.ToList();
            foreach (var (key, withdrawal) in family.Withdrawals)
            {
                var at = left.FindIndex(w => w.Amount == withdrawal.Amount && w.Script == withdrawal.Script);
                if (at < 0) return steps.Failed(AuditFault.WithdrawalUnknown, $"transaction {transaction.Key} pays withdrawal {key.Id} of {key.Wallet}, too, which is not listed in {path}", path);
                left.RemoveAt(at);
                less[key.Wallet] = less.GetValueOrDefault(key.Wallet) + withdrawal.Amount.ToMsat().Value;
            }
            if (left.Count > 0) return steps.Failed(AuditFault.WithdrawalUnknown, $"output {left[0].Output} is listed in {path} and pays no withdrawal", path);
        }
        return true;
    }

    /// <summary>What mining may have cost of what was under way, in msat.</summary>
    private static HashSet<long> FeeSums(IReadOnlyList<CutFamily> families, Dictionary<CutFamily, Txid> listed)
    {
        HashSet<long> sums = [0];
        foreach (var family in families)
        {
            var isListed = listed.TryGetValue(family, out var txid);
            // A family of withdrawals that are not listed was in no block.
            if (!isListed && family.Withdrawals.Count > 0) continue;
            var options = isListed ? new HashSet<long>() : [0];
            foreach (var attempt in family.Transactions.Where(t => t.Child == 0 && (!isListed || t.Txid == txid)))
            {
                options.Add(attempt.Fee.ToMsat().Value);
                foreach (var child in family.Transactions.Where(t => t.Child > 0 && t.Attempt == attempt.Attempt)) options.Add(attempt.Fee.ToMsat().Value + child.Fee.ToMsat().Value);
            }
            sums = [.. sums.SelectMany(sum => options.Select(option => sum + option)).Take(FeeSumsMax)];
        }
        return sums;
    }
}
