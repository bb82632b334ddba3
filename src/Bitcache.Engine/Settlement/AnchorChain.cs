using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>The chain of anchors as the ledger's families tell it. One script S is fixed for the whole history;
/// every anchor pays it exactly once, and its first input spends the previous anchor's output to S, so that a
/// second history would need a double spend (Catena).</summary>
public static class AnchorChain
{
    /// <summary>The output that the next anchor spends, or null before the first anchor.</summary>
    public static (OutPoint OutPoint, Sats Value)? Tip(IReadOnlyList<Family> families, ByteString anchorScript)
    {
        var last = families.LastOrDefault(f => f.Anchor is not null && f.State is (FamilyState.Confirmed or FamilyState.Final));
        return last is null ? null : FindAnchorOutput(ConfirmedTransaction(last), anchorScript);
    }

    /// <summary>The first anchor's id, once it is mined.</summary>
    public static Txid? First(IReadOnlyList<Family> families) =>
        families.FirstOrDefault(f => f.Anchor is not null && f.Confirmation is not null) is { } family
            ? family.Attempts[family.Confirmation!.Attempt - 1].Txid
            : null;

    public static AnchorRecord ToRecord(AnchorTerms terms, string origin) =>
        AnchorRecord.Create(origin, terms.Epoch, terms.TreeSize, terms.Root);

    /// <summary>The attempt that is in a block.</summary>
    public static BitcoinTransaction ConfirmedTransaction(Family family) =>
        Parse(family.Attempts[family.Confirmation!.Attempt - 1]);

    public static IEnumerable<Txid> TxidsOf(Family family) =>
        family.Prepared is { } prepared ? family.Attempts.Select(a => a.Txid).Append(prepared.Txid) : family.Attempts.Select(a => a.Txid);

    /// <summary>All that a family may have on its way, what is with its signer included.</summary>
    public static IEnumerable<BitcoinTransaction> TransactionsOf(Family family)
    {
        foreach (var attempt in family.Attempts) yield return Parse(attempt);
        if (family.Prepared is { } prepared) yield return Parse(prepared);
    }

    private static BitcoinTransaction Parse(Preparation prepared) => Psbt.TryReadTransaction(prepared.Psbt.Span, out var transaction)
        ? transaction
        : throw new LedgerInvariantException($"transaction {prepared.Txid} was handed out with bytes that are no PSBT");

    public static BitcoinTransaction Parse(Attempt attempt) => BitcoinTransaction.TryParse(attempt.Transaction.Span, out var transaction)
        ? transaction
        : throw new LedgerInvariantException($"attempt {attempt.Txid} is journaled with bytes that are no transaction");

    private static (OutPoint, Sats) FindAnchorOutput(BitcoinTransaction transaction, ByteString anchorScript)
    {
        // By its script, never by its index: a fee bump may move outputs.
        for (var i = 0; i < transaction.Outputs.Count; i++)
        {
            if (anchorScript.Span.SequenceEqual(transaction.Outputs[i].Script))
                return (new OutPoint(transaction.Txid, (uint)i), transaction.Outputs[i].Value);
        }
        throw new LedgerInvariantException($"anchor {transaction.Txid} does not pay the anchor script");
    }
}
