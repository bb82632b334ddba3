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
    /// <param name="newest">The newest family whose anchor is in a block.</param>
    public static (OutPoint OutPoint, Sats Value)? Tip(Family? newest, ByteString anchorScript) =>
        newest is null ? null : FindAnchorOutput(ConfirmedTransaction(newest), anchorScript);

    /// <summary>The first anchor's id, once it is mined.</summary>
    /// <param name="first">The first family whose anchor is in a block.</param>
    public static Txid? First(Family? first) => first?.Attempts[first.Confirmation!.Attempt - 1].Txid;

    public static AnchorRecord ToRecord(AnchorTerms terms, string origin) =>
        AnchorRecord.Create(origin, terms.Epoch, terms.TreeSize, terms.Root);

    /// <summary>The attempt that is in a block, of a family that is not archived.</summary>
    public static BitcoinTransaction ConfirmedTransaction(Family family) =>
        Parse(family.Attempts[family.Confirmation!.Attempt - 1]);

    /// <summary>The attempts of a family, what is with its signer included: they share inputs.</summary>
    public static IEnumerable<BitcoinTransaction> AttemptsOf(Family family)
    {
        foreach (var attempt in family.Attempts) yield return Parse(attempt);
        if (family.Prepared is { } prepared) yield return Parse(prepared);
    }

    /// <summary>All that a family may have on its way.</summary>
    public static IEnumerable<BitcoinTransaction> TransactionsOf(Family family) =>
        AttemptsOf(family).Concat(family.Children.Select(c => Parse(c.Transaction)));

    public static BitcoinTransaction Parse(Preparation prepared) => Psbt.TryReadTransaction(prepared.Psbt.Span, out var transaction)
        ? transaction
        : throw new LedgerInvariantException($"transaction {prepared.Txid} was handed out with bytes that are no PSBT");

    public static BitcoinTransaction Parse(Attempt attempt) => Parse(attempt.Transaction);

    /// <summary>A signed transaction as it was journaled.</summary>
    public static BitcoinTransaction Parse(ByteString raw) => BitcoinTransaction.TryParse(raw.Span, out var transaction)
        ? transaction
        : throw new LedgerInvariantException($"a transaction is journaled with bytes that are none: {raw}");

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
