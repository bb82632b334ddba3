// A wallet's history is a walk along the links that its entries carry: a page costs what it returns.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>One line of a wallet's history.</summary>
/// <param name="Incoming">Whether the wallet is the credited side.</param>
/// <param name="Available">Its available balance after the entry.</param>
/// <param name="Change">By how much the entry moved it, up or down.</param>
public sealed record HistoryLine(Entry Entry, bool Incoming, Msat Available, Msat Change);

/// <param name="Next">Give this as `before` to read on; null at the wallet's beginning.</param>
public sealed record HistoryPage(IReadOnlyList<HistoryLine> Lines, long? Next);

public static class History
{
    /// <summary>Reads a page, newest first.</summary>
    /// <param name="before">An earlier page's <see cref="HistoryPage.Next"/>, or null to begin with the newest entry.</param>
    /// <returns>Null when there is no such wallet, or <paramref name="before"/> is not part of its history.</returns>
    public static async Task<HistoryPage?> ReadAsync(Partition partition, WalletId wallet, long? before, int limit)
    {
        var (newest, scripts) = await partition.QueryAsync(ledger => (
            ledger.FindWallet(wallet)?.LastSequence,
            ledger.AddressesOf(wallet).Select(a => a.Script).ToHashSet()));
        if (newest is null || before > newest || before < 0) return null;
        var steps = new List<(Entry Entry, bool Incoming, HistoryLink Link)>();
        var from = before ?? newest.Value;
        // One step more than the page has lines: a line's change is told by the balance before it. Sequence 0 is the
        // genesis entry, and no wallet's history goes that far.
        while (from != 0 && steps.Count <= limit)
        {
            var entry = partition.ReadEntry(from);
            if (IsIncoming(entry, wallet, scripts) is not { } incoming) return null;
            steps.Add((entry, incoming, incoming && HasTwoSides(entry) ? entry.Second : entry.First));
            from = steps[^1].Link.Previous;
        }
        var lines = steps.Take(limit).Select((step, i) => new HistoryLine(
            step.Entry, step.Incoming, step.Link.Available, Distance(step.Link.Available, i + 1 < steps.Count ? steps[i + 1].Link.Available : Msat.Zero)));
        return new HistoryPage([.. lines], steps.Count > limit ? steps[limit].Entry.Sequence : null);
    }

    private static Msat Distance(Msat a, Msat b) => a > b ? a - b : b - a;

    private static bool HasTwoSides(Entry entry) => entry.Type is EntryType.Transfer or EntryType.WithdrawalSettledInside;

    /// <summary>Which side of the entry the wallet is on, or null when it is on neither. A deposit names its
    /// wallet by its address.</summary>
    private static bool? IsIncoming(Entry entry, WalletId wallet, HashSet<ByteString> scripts) => entry.Command switch
    {
        Transfer t when entry.Type == EntryType.Transfer => t.Payee == wallet ? true : t.Payer == wallet ? false : null,
        RequestWithdrawal w when entry.Type != EntryType.WithdrawalRefused =>
            entry.Payee == wallet ? true : w.Wallet == wallet ? false : null,
        CreateWallet c => c.Wallet == wallet ? true : null,
        ChangeDeposit { IsInHistory: true } d => scripts.Contains(d.Script) ? d.To == DepositState.Credited : null,
        _ => null,
    };
}
