// What a refund must say of its original, the ledger cannot check: it stands in the journal. So it is read there, before
// the refund is queued: see Payment.OriginalSequence.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

public static class Refunds
{
    /// <param name="Known">The entry of the refund itself, if its id was used before.</param>
    private readonly record struct PayerSide(Outcome Outcome, long? Known);

    /// <param name="Original">The entry of the original's id, as far as the ledger remembers it.</param>
    /// <param name="IsForgotten">Whether the original's id is older than what the ledger remembers.</param>
    private readonly record struct PayeeSide(bool Exists, long? Original, bool IsForgotten);

    /// <summary>Finds the originals of refunds that name them by <see cref="Payment.Target"/>, which an id under the
    /// refund's payee is, and completes the refunds. All of them cost each partition two questions; the journal is read on
    /// the caller's thread.</summary>
    /// <param name="refunds">Changed in place.</param>
    /// <param name="cancel">Whoever asked has gone: no more is looked up.</param>
    /// <returns>For each <see cref="Outcome.Accepted"/> if it may be queued, or why it is refused.</returns>
    /// <exception cref="PartitionUnavailableException">An original cannot be looked up now; nothing was done.</exception>
    public static async Task<Outcome[]> CompleteAsync(PartitionSet partitions, uint tenant, Payment[] refunds, CancellationToken cancel = default)
    {
        var payers = partitions.QueryEachAsync(refunds, refund => refund.Payer, (ledger, refund) => FindPayer(ledger, tenant, refund));
        var payees = partitions.QueryEachAsync(refunds, refund => refund.Payee, FindPayee);
        await Task.WhenAll(payers, payees);
        var outcomes = new Outcome[refunds.Length];
        var lookUps = 0;
        for (var i = 0; i < refunds.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            outcomes[i] = Complete(partitions, (await payers)[i], (await payees)[i], ref refunds[i], ref lookUps);
        }
        return outcomes;
    }

    /// <summary>As above, for the refunds among the payments of a block. One that is refused takes its place as a
    /// payment of no kind.</summary>
    /// <returns>What is refused: its place in the block, and why.</returns>
    public static async Task<IReadOnlyList<(int Index, Outcome Outcome)>> CompleteAsync(PartitionSet partitions, PaymentBlock block, CancellationToken cancel = default)
    {
        var at = new List<int>();
        for (var i = 0; i < block.Count; i++)
        {
            if (block.Payments[i].Kind == PaymentKind.Refund) at.Add(i);
        }
        if (at.Count == 0) return [];
        var refunds = at.Select(i => block.Payments[i]).ToArray();
        var outcomes = await CompleteAsync(partitions, block.Tenant, refunds, cancel);
        var refused = new List<(int Index, Outcome Outcome)>();
        for (var i = 0; i < refunds.Length; i++)
        {
            block.Payments[at[i]] = outcomes[i] == Outcome.Accepted ? refunds[i] : default;
            if (outcomes[i] != Outcome.Accepted) refused.Add((at[i], outcomes[i]));
        }
        return refused;
    }

    private static PayerSide FindPayer(Ledger ledger, uint tenant, Payment refund) => ledger.FindWallet(refund.Payer)?.Tenant == tenant
        ? new PayerSide(Outcome.Accepted, ledger.FindId(refund.Payer, refund.Id))
        : new PayerSide(Outcome.WalletNotFound, null);

    private static PayeeSide FindPayee(Ledger ledger, Payment refund)
    {
        var original = ledger.FindId(refund.Payee, refund.Target);
        return new PayeeSide(ledger.FindWallet(refund.Payee) is not null, original, original is null && refund.Target.Time < ledger.Floor);
    }

    /// <summary>A stranger learns nothing, and a known id is looked at before anything else, as in the ledger. What the ledger
    /// checks only then (whether the id's time is in bounds, whether there is an amount) it still does when the refund is
    /// queued: of a refund with several faults, the one that is found here is told.</summary>
    private static Outcome Complete(PartitionSet partitions, in PayerSide payer, in PayeeSide payee, ref Payment refund, ref int lookUps)
    {
        if (payer.Outcome != Outcome.Accepted) return payer.Outcome;
        if (payer.Known is { } known) return Repeat(partitions.HomeOf(refund.Payer).ReadEntry(known), ref refund);
        if (refund.Payer == refund.Payee) return Outcome.SelfTransfer;
        if (!payee.Exists) return Outcome.PayeeNotFound;
        // The original was decided where its payer lives, who is the refund's payee.
        var home = partitions.HomeOf(refund.Payee);
        if (payee.IsForgotten && ++lookUps > Limits.BatchLookUpsMax) return Outcome.LookUpsExceeded;
        var sequence = payee.IsForgotten ? home.FindForgottenId(refund.Payee, refund.Target) : payee.Original;
        if (sequence is not { } found || FindPaid(home, found, refund.Payer) is not { Moved: { } moved } original) return Outcome.OriginalNotFound;
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
