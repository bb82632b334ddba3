// What a refund must say of its original, the ledger cannot check: it stands in the journal. So it is read there, before
// the refund is queued: see Payment.OriginalSequence.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

public static class Refunds
{
    /// <param name="Known">The entry of the refund itself, if its id was used before.</param>
    /// <param name="Original">The entry of the original's id, as far as the ledger remembers it.</param>
    /// <param name="IsForgotten">Whether the original's id is older than what the ledger remembers.</param>
    private readonly record struct Place(Outcome Outcome, long? Known, long? Original, bool IsForgotten);

    /// <summary>Finds the originals of refunds that name them by <see cref="Payment.Target"/>, which an id under the
    /// refund's payee is, and completes the refunds. All of them cost the ledger one question; the journal is read on
    /// the caller's thread.</summary>
    /// <param name="refunds">Changed in place.</param>
    /// <returns>For each <see cref="Outcome.Accepted"/> if it may be queued, or why it is refused.</returns>
    /// <exception cref="PartitionUnavailableException">An original cannot be looked up now; nothing was done.</exception>
    public static async Task<Outcome[]> CompleteAsync(Partition partition, uint tenant, Payment[] refunds)
    {
        var places = await partition.QueryAsync(ledger => Array.ConvertAll(refunds, refund => Find(ledger, tenant, refund)));
        var outcomes = new Outcome[refunds.Length];
        for (var i = 0; i < refunds.Length; i++) outcomes[i] = Complete(partition, places[i], ref refunds[i]);
        return outcomes;
    }

    /// <summary>As above, for the refunds among the payments of a block. One that is refused takes its place as a
    /// payment of no kind.</summary>
    /// <returns>What is refused: its place in the block, and why.</returns>
    public static async Task<IReadOnlyList<(int Index, Outcome Outcome)>> CompleteAsync(Partition partition, PaymentBlock block)
    {
        var at = new List<int>();
        for (var i = 0; i < block.Count; i++)
        {
            if (block.Payments[i].Kind == PaymentKind.Refund) at.Add(i);
        }
        if (at.Count == 0) return [];
        var refunds = at.Select(i => block.Payments[i]).ToArray();
        var outcomes = await CompleteAsync(partition, block.Tenant, refunds);
        var refused = new List<(int Index, Outcome Outcome)>();
        for (var i = 0; i < refunds.Length; i++)
        {
            block.Payments[at[i]] = outcomes[i] == Outcome.Accepted ? refunds[i] : default;
            if (outcomes[i] != Outcome.Accepted) refused.Add((at[i], outcomes[i]));
        }
        return refused;
    }

    /// <summary>A stranger learns nothing, and a known id is looked at before anything else, as in the ledger. What the ledger
    /// checks only then (whether the id's time is in bounds, whether there is an amount) it still does when the refund is
    /// queued: of a refund with several faults, the one that is found here is told.</summary>
    private static Place Find(Ledger ledger, uint tenant, in Payment refund)
    {
        if (ledger.FindWallet(refund.Payer)?.Tenant != tenant) return new Place(Outcome.WalletNotFound, null, null, false);
        var known = ledger.FindId(refund.Payer, refund.Id);
        if (known is null && refund.Payer == refund.Payee) return new Place(Outcome.SelfTransfer, null, null, false);
        if (known is null && ledger.FindWallet(refund.Payee) is null) return new Place(Outcome.PayeeNotFound, null, null, false);
        var original = ledger.FindId(refund.Payee, refund.Target);
        return new Place(Outcome.Accepted, known, original, original is null && refund.Target.Time < ledger.Floor);
    }

    private static Outcome Complete(Partition partition, in Place place, ref Payment refund)
    {
        if (place.Outcome != Outcome.Accepted) return place.Outcome;
        if (place.Known is { } known) return Repeat(partition.ReadEntry(known), ref refund);
        var sequence = place.IsForgotten ? partition.FindForgottenId(refund.Payee, refund.Target) : place.Original;
        if (sequence is not { } found || FindPaid(partition, found, refund.Payer) is not { Moved: { } moved } original) return Outcome.OriginalNotFound;
        // Read and verified: from here on the refund names an entry that paid its payer.
        if (moved.Id != refund.Target || moved.Payer != refund.Payee || moved.Payee != refund.Payer) return Outcome.OriginalNotFound;
        refund = refund with { OriginalSequence = original.Sequence, OriginalAmount = moved.Amount };
        return Outcome.Accepted;
    }

    /// <summary>A retry names the entry that was found the first time. Where the id was used for something else, the
    /// ledger must not see the refund, which names none.</summary>
    private static Outcome Repeat(Entry first, ref Payment refund)
    {
        if (first.Command is not RefundPayment terms || terms.Original != refund.Target || terms.Payee != refund.Payee) return Outcome.IdReused;
        refund = refund with { OriginalSequence = terms.OriginalSequence, OriginalAmount = terms.OriginalAmount };
        return Outcome.Accepted;
    }

    /// <summary>An entry; of a split, which stands at several, the part that paid the wallet.</summary>
    private static Entry? FindPaid(Partition partition, long sequence, WalletId payee)
    {
        var record = partition.ReadRecord(sequence);
        var entry = Entry.Read(record);
        if (entry.Command is not Split split) return entry;
        var part = split.Parts.Select(p => p.Payee).ToList().IndexOf(payee);
        return part < 0 ? null : entry.Outcome == Outcome.Accepted ? Entry.Read(record, entry.Sequence + part) : entry;
    }
}
