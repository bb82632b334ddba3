// What must be true of a ledger after every command, added up anew from what it shows.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

internal static class Invariants
{
    public static void Check(Ledger ledger, IReadOnlyList<WalletId> ids)
    {
        ledger.CheckEveryBalance();
        Same.Value(ids.Count, ledger.WalletCount);
        var totals = ledger.Totals;
        Assert.InRange(totals.Liabilities, 0, Limits.SupplyMsatMax);
        var holds = ledger.OpenHolds();
        Same.Value(holds.Count, ledger.OpenHoldCount);
        Same.Items(holds.OrderBy(h => h.Sequence), holds);
        Assert.All(holds, h => Assert.True(h.Left > Msat.Zero && h.Payer != h.Payee));
        long suspense = 0, reversed = 0, incoming = 0, withdrawn = 0;
        foreach (var id in ids)
        {
            var wallet = ledger.FindWallet(id)!.Value;
            var deposits = ledger.DepositsOf(id);
            var withdrawals = ledger.WithdrawalsOf(id);
            Same.Value(SumOf(deposits, d => d.FrozenPart.Value), wallet.Frozen.Value);
            Same.Value(SumOf(deposits, d => d.OwedPart.Value), wallet.OwedPending.Value);
            var waiting = SumOf(withdrawals, w => w.State switch
            {
                WithdrawalState.Queued or WithdrawalState.AwaitingApproval or WithdrawalState.InFamily => w.Held.Value,
                WithdrawalState.Sent => w.Fee.ToMsat().Value,
                _ => 0,
            });
            Assert.All(withdrawals, w => Assert.True(w.Charge <= w.Fee));
            Same.Value(withdrawals.Count(w => w.IsOpen), ledger.OpenWithdrawalsOf(id));
            var caps = id == Book.Operator ? SumOf(ledger.LiveFamilies(), f => f.FeeCap.ToMsat().Value) : 0;
            var onHold = SumOf(holds.Where(h => h.Payer == id), h => h.Left.Value + h.FeeLeft.Value);
            Same.Value(waiting + caps + onHold, wallet.Held.Value);
            Same.Items(holds.Where(h => h.Payer == id || h.Payee == id).Reverse(), ledger.HoldsOf(id, long.MaxValue, int.MaxValue));
            // What is owed for good is repaid with whatever there is.
            Assert.True(wallet.Owed.IsZero || wallet.Available.IsZero);
            Assert.InRange(wallet.LastSequence, 0, ledger.NextSequence - 1);
            var booked = deposits.Where(d => d.Booked).ToList();
            incoming += SumOf(booked, d => d.Amount.ToMsat().Value);
            reversed += SumOf(booked.Where(d => d.State == DepositState.Reversed), d => d.Amount.ToMsat().Value);
            suspense += SumOf(booked.Where(d => d.IsInSuspense), d => d.Amount.ToMsat().Value);
            withdrawn += SumOf(withdrawals.Where(w => w.State is WithdrawalState.Paid or WithdrawalState.Sent), w => w.Amount.ToMsat().Value);
        }
        var fees = SumOf(ledger.Families(), f => f.FeePaid.ToMsat().Value);
        Same.Value((incoming, reversed, suspense), (totals.Deposited + totals.ToppedUp, totals.Reversed, totals.Suspense));
        Same.Value((withdrawn, fees), (totals.Withdrawn, totals.MiningFees));
        CheckFamilies(ledger, ids);
        CheckIndexes(ledger, ids);
    }

    /// <summary>What is found by an index is what a walk over everything finds.</summary>
    private static void CheckIndexes(Ledger ledger, IReadOnlyList<WalletId> ids)
    {
        var families = ledger.Families();
        Same.Items(families.Where(f => f.IsLive), ledger.LiveFamilies());
        var anchors = families.Where(f => f.IsAnchor).ToList();
        var confirmed = anchors.Where(f => f.Confirmation is not null).ToList();
        Same.Value(anchors.LastOrDefault(), ledger.NewestAnchor);
        Same.Value((confirmed.FirstOrDefault() is { State: FamilyState.Final } first ? first : null, confirmed.LastOrDefault()), (ledger.FirstFinalAnchor, ledger.NewestConfirmedAnchor));
        Same.Value(confirmed.FirstOrDefault(f => f.Anchor!.TreeSize > 0), ledger.FindConfirmedAnchor(0));
        Same.Value(anchors.FirstOrDefault(f => f.Anchor!.Epoch >= 1 && f.Attempts.Count > 0), ledger.FindAnchorOf(1));
        Same.Items(families.Where(f => f.HasEnded && f.Archived == 0), ledger.FamiliesToArchive(int.MaxValue).Select(a => ledger.FindFamily(a.Family)).Union(confirmed.Where(f => f.State == FamilyState.Final).TakeLast(1).Where(f => f.Archived == 0)).OrderBy(f => f.Number));
        Assert.All(families.SelectMany(f => f.Attempts), attempt => Assert.True(ledger.IsOwn(attempt.Txid)));
        var deposits = ids.SelectMany(ledger.DepositsOf).ToList();
        Same.Set(deposits.Where(d => d.IsOpen), ledger.OpenDeposits());
        Same.Set(deposits.Where(d => d.IsInSuspense), ledger.Suspense(long.MaxValue, deposits.Count).Items);
        Assert.All(deposits.Where(d => d.Assigned is not null), d => Same.Value(DepositState.Final, d.State));
        foreach (var id in ids)
        {
            var (of, page) = (ledger.DepositsOf(id), ledger.DepositsOf(id, long.MaxValue, 2));
            Same.Items(of.Reverse().Take(2), page.Items);
            Same.Value(of.Count > 2 ? of.Count - 2 : null, page.Next);
        }
    }

    private static void CheckFamilies(Ledger ledger, IReadOnlyList<WalletId> ids)
    {
        // A withdrawal is in exactly one family that is neither abandoned nor dead, or queued.
        var bound = ledger.Families().Where(f => f.State is not (FamilyState.Abandoned or FamilyState.Dead)).SelectMany(f => f.Withdrawals.Select(k => (k, f.Number))).ToList();
        var taken = ids.SelectMany(ledger.WithdrawalsOf).Where(w => w.State is WithdrawalState.InFamily or WithdrawalState.Paid or WithdrawalState.Sent).ToList();
        Same.Value(bound.Count, taken.Count);
        Same.Set(bound, taken.Select(w => (w.Key, w.Family)));
        Same.Value(ids.SelectMany(ledger.WithdrawalsOf).Count(w => w.State == WithdrawalState.Queued), ledger.QueuedWithdrawals);
        var due = ledger.DueWithdrawals();
        Same.Items(due.OrderBy(w => w.Sequence), due);
        Assert.DoesNotContain(due, w => ledger.FindWallet(w.Key.Wallet)!.Value is { Owes: true } or { IsFrozen: true });
    }

    private static long SumOf<T>(IEnumerable<T> items, Func<T, long> of)
    {
        // Sum() of the base library is checked as well; this one says so.
        long sum = 0;
        foreach (var item in items) sum = checked(sum + of(item));
        return sum;
    }
}
