// What the entries say of Bitcoin, against the node's chain: deposits that are final, and withdrawals that are.

using System.Globalization;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>A transaction that is booked as final, and what it pays.</summary>
internal sealed record BookedPayment(ReplayConfirmation Confirmed, Txid Txid, IReadOnlyList<ReplayWithdrawal> Paid);

internal sealed class BookedAudit(AuditInputs inputs, IChainView chain, AuditSteps steps)
{
    /// <summary>Blocks are read in the order of their heights, each once.</summary>
    /// <param name="deposits">That became final.</param>
    public bool Check(IReadOnlyList<ReplayDeposit> deposits, IReadOnlyList<BookedPayment> payments)
    {
        var final = deposits.Where(d => !d.IsByWord).ToLookup(d => (d.Height, d.Block));
        var paid = payments.ToLookup(p => (p.Confirmed.Height, p.Confirmed.Block));
        foreach (var at in final.Select(g => g.Key).Concat(paid.Select(g => g.Key)).Distinct().OrderBy(block => block.Height))
        {
            inputs.Progress("blocks", at.Height, chain.TipHeight);
            var transactions = chain.BlockAt(at.Height) == at.Block ? chain.ReadBlock(at.Block).Transactions.ToDictionary(t => t.Txid) : [];
            foreach (var deposit in final[at])
            {
                var output = deposit.Output;
                if (!transactions.TryGetValue(output.Txid, out var transaction) || output.Index >= transaction.Outputs.Count || !Is(transaction.Outputs[(int)output.Index], deposit.Amount, deposit.Script))
                    return steps.Failed(AuditFault.DepositFalse, $"deposit {output} of {deposit.Amount.Value} sat is booked as final in block {at.Block} at height {at.Height}, where the best chain has no such output");
            }
            foreach (var payment in paid[at])
            {
                if (!transactions.TryGetValue(payment.Txid, out var transaction)) return Unpaid(payment, "it");
                var left = transaction.Outputs.ToList();
                foreach (var withdrawal in payment.Paid)
                {
                    var found = left.FindIndex(o => Is(o, withdrawal.Amount, withdrawal.Script));
                    if (found < 0) return Unpaid(payment, $"an output of {withdrawal.Amount.Value} sat to script {Convert.ToHexStringLower(withdrawal.Script.Span)}");
                    left.RemoveAt(found);
                }
            }
        }
        var byWord = deposits.Where(d => d.IsByWord).ToArray();
        if (byWord.Length > 0) steps.NotChecked(string.Create(CultureInfo.InvariantCulture, $"{byWord.Length} deposits of {byWord.Sum(d => d.Amount.Value)} sat, which the operator released by its word when the chain did not show them"));
        return steps.Passed(string.Create(CultureInfo.InvariantCulture, $"{final.Sum(g => g.Count())} deposits and {payments.Count} transactions that the entries book as final are in their blocks, with these amounts and scripts"));
    }

    private bool Unpaid(BookedPayment payment, string what) => steps.Failed(
        AuditFault.WithdrawalFalse, $"transaction {payment.Txid} is booked as final in block {payment.Confirmed.Block} at height {payment.Confirmed.Height}, where the best chain does not have {what}");

    private static bool Is(TransactionOutput output, Sats amount, ByteString script) => output.Value == amount && script.Span.SequenceEqual(output.Script);
}
