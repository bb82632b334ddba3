using Bitcache.Core;

namespace Bitcache.Simulation;

/// <summary>The whole state of a ledger against the model.</summary>
internal static class Comparison
{
    public static ModelWallet Of(in Wallet w) =>
        new(w.Tenant, w.Available.Value, w.Held.Value, w.Frozen.Value, w.Owed.Value, w.OwedPending.Value, w.Freezes);

    public static void Require(Ledger ledger, Model model)
    {
        ledger.CheckEveryBalance();
        Must.Hold(ledger.NextSequence == model.Entries, $"The ledger has {ledger.NextSequence} entries, by the rules {model.Entries}.");
        Must.Hold(ledger.WindowIds == model.Ids.Count, $"The ledger remembers {ledger.WindowIds} ids, by the rules {model.Ids.Count}.");
        Must.Hold(ledger.Floor == model.Floor, $"The floor is {ledger.Floor}, by the rules {model.Floor}.");
        Must.Hold(ledger.Rescan == model.Rescan, $"A rescan is due from {ledger.Rescan}, by the rules from {model.Rescan}.");
        Must.Hold(ledger.OpenHoldCount == model.Holds.Count, $"{ledger.OpenHoldCount} holds are open, by the rules {model.Holds.Count}.");
        Must.Hold(ledger.WalletCount == model.Wallets.Count, $"There are {ledger.WalletCount} wallets, by the rules {model.Wallets.Count}.");
        foreach (var (id, wallet) in model.Wallets)
        {
            var there = Of(ledger.FindWallet(id)!.Value);
            Must.Hold(there == wallet, $"The wallet {id} is {there}, by the rules {wallet}.");
        }
        foreach (var ((payer, id), hold) in model.Holds)
        {
            var there = ledger.FindHold(payer, id);
            Must.Hold(
                there is { } h && (h.Left.Value, h.FeeLeft.Value, h.Expires) == (hold.Left, hold.Fee, hold.Expires), $"The hold {id} is {there}.");
        }
        foreach (var (outPoint, deposit) in model.Deposits)
        {
            var there = ledger.FindDeposit(outPoint);
            Must.Hold(there is not null && there.State == deposit.State && there.Booked == deposit.Booked && there.Assigned is not null == deposit.Assigned, $"The deposit {outPoint} is {there}.");
        }
        var suspense = model.Deposits.Where(d => d.Value.IsInSuspense).ToList();
        Must.Hold(ledger.Totals.Suspense == suspense.Sum(d => d.Value.Msat), $"{ledger.Totals.Suspense} msat are in suspense, by the rules {suspense.Sum(d => d.Value.Msat)}.");
        Must.Hold(
            ledger.Suspense(long.MaxValue, model.Deposits.Count).Items.Select(d => d.OutPoint).ToHashSet().SetEquals(suspense.Select(d => d.Key)), "The list of what is in suspense is another.");
        foreach (var (key, withdrawal) in model.Withdrawals)
        {
            var there = ledger.FindWithdrawal(key);
            Must.Hold(
                there is not null && (there.State, there.Family, there.Fee.ToMsat().Value, there.Charge.ToMsat().Value, there.Deadline?.Milliseconds)
                    == (withdrawal.State, withdrawal.Family, withdrawal.Fee, withdrawal.Charge, withdrawal.Deadline),
                $"The withdrawal {key} is {there}.");
        }
        Must.Hold(ledger.WithdrawalsStopped == model.Stopped, $"Withdrawals are {(ledger.WithdrawalsStopped ? "stopped" : "not stopped")}, by the rules the opposite.");
        for (var number = 1; number <= model.Families.Count; number++)
        {
            var (there, family) = (ledger.FindFamily(number), model.Families[number - 1]);
            Must.Hold((there.State, there.Children.Count) == (family.State, family.Children.Count), $"The family {number} is {there}.");
        }
        Must.Hold(ledger.SettlementStop is not null == model.StoppedAt > 0, $"Settlement is stopped by {ledger.SettlementStop}.");
        foreach (var (original, refunded) in model.Refunded)
            Must.Hold(ledger.RefundedOf(0, original).Value == refunded, $"{ledger.RefundedOf(0, original)} of {original} were refunded, by the rules {refunded}.");
    }
}
