// A wallet's history is a walk along the links that its entries carry: a page costs what it returns.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>One line of a wallet's history.</summary>
/// <param name="Wallet">The wallet whose history it is.</param>
/// <param name="Incoming">Whether the wallet is the credited side.</param>
/// <param name="Available">Its available balance after the entry.</param>
/// <param name="Change">By how much the entry moved it, up or down.</param>
public sealed record HistoryLine(Entry Entry, WalletId Wallet, HistorySides Side, bool Incoming, Msat Available, Msat Change)
{
    /// <summary>Whether all that the entry gave the wallet is the fee: it is the operator's.</summary>
    public bool IsFee => Side == HistorySides.Operator;
}

/// <param name="Next">Give this as `before` to read on; null at the wallet's beginning.</param>
public sealed record HistoryPage(IReadOnlyList<HistoryLine> Lines, long? Next);

public static class History
{
    /// <summary>Reads a page, newest first.</summary>
    /// <param name="before">An earlier page's <see cref="HistoryPage.Next"/>, or null to begin with the newest entry.</param>
    /// <returns>Null when there is no such wallet, or <paramref name="before"/> is not part of its history.</returns>
    public static async Task<HistoryPage?> ReadAsync(Partition partition, WalletId wallet, long? before, int limit)
    {
        var (newest, operatorWallet) = await partition.QueryAsync(ledger => (ledger.FindWallet(wallet)?.LastSequence, ledger.Genesis!.Operator));
        if (newest is null || before > newest || before < 0) return null;
        // From an entry of the wallet on the links lead to its entries alone, but where to begin the caller says. A deposit
        // does not name its wallet.
        if (before is not null and not 0 && partition.ReadEntry(before.Value).Command is ChangeDeposit deposit
            && await partition.QueryAsync(ledger => ledger.FindAddress(deposit.Script)?.Wallet) != wallet) return null;
        var steps = new List<(Entry Entry, HistorySides Side, HistoryLink Link)>();
        var from = before ?? newest.Value;
        // One step more than the page has lines: a line's change is told by the balance before it. Sequence 0 is the
        // genesis entry, and no wallet's history goes that far.
        while (from != 0 && steps.Count <= limit)
        {
            var entry = partition.ReadEntry(from);
            if (FindSide(entry, wallet, operatorWallet) is not { } side) return null;
            steps.Add((entry, side, entry.LinkOf(side)));
            from = steps[^1].Link.Previous;
        }
        var lines = steps.Take(limit).Select((step, i) => new HistoryLine(
            step.Entry, wallet, step.Side, IsIncoming(step.Entry, step.Side), step.Link.Available, Distance(step.Link.Available, i + 1 < steps.Count ? steps[i + 1].Link.Available : Msat.Zero)));
        return new HistoryPage([.. lines], steps.Count > limit ? steps[limit].Entry.Sequence : null);
    }

    private static Msat Distance(Msat a, Msat b) => a > b ? a - b : b - a;

    /// <summary>Which side of the entry the wallet is on, or null when it is on none. A deposit's wallet is known already;
    /// the operator, where it receives a fee, is not named at all.</summary>
    private static HistorySides? FindSide(Entry entry, WalletId wallet, WalletId operatorWallet)
    {
        var (payer, payee) = entry.Command switch
        {
            PaymentCommand p => (p.Payer, p.Payee),
            ExpireHold h => (h.Payer, entry.Payee),
            Split s => (s.Payer, entry.Payee),
            RequestWithdrawal w => (w.Wallet, entry.Payee),
            CancelWithdrawal c => (c.Wallet, default),
            ExpireWithdrawal e => (e.Withdrawal.Wallet, default),
            ChargeWithdrawal c => (c.Withdrawal.Wallet, default),
            DecideWithdrawal d => (d.Wallet, default),
            CreateWallet c => (c.Wallet, default),
            ReceiveLeg r => (default, r.Leg.Credit.Payee),
            MoveOperatorFunds m => (m.Operator, default),
            AssignSuspense a => (default, a.Wallet),
            ChangeDeposit or SettleDeposit => (wallet, default(WalletId)),
            _ => default,
        };
        if (wallet == payer && (entry.Sides & HistorySides.Payer) != 0) return HistorySides.Payer;
        if (wallet == payee && (entry.Sides & HistorySides.Payee) != 0) return HistorySides.Payee;
        return wallet == operatorWallet && (entry.Sides & HistorySides.Operator) != 0 ? HistorySides.Operator : null;
    }

    /// <summary>Whether the entry gave the wallet something. What a closed hold leaves comes back to its payer, what a
    /// withdrawal held that was given back, and what mining it cost less than was held for that.</summary>
    private static bool IsIncoming(Entry entry, HistorySides side) => side != HistorySides.Payer || entry.Type switch
    {
        EntryType.WalletCreated or EntryType.HoldCaptured or EntryType.HoldReleased or EntryType.HoldExpired
            or EntryType.WithdrawalCancelled or EntryType.WithdrawalExpired or EntryType.WithdrawalCharged or EntryType.WithdrawalDecided => true,
        EntryType.DepositChanged => ((ChangeDeposit)entry.Command).To == DepositState.Credited,
        EntryType.DepositSettled => ((SettleDeposit)entry.Command).Released,
        _ => false,
    };
}
