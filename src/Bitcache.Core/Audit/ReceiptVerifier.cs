// Checks a receipt offline, as a stranger to the operator would: nothing is believed but the pins, SHA-256,
// Ed25519 and, for the last step, one block header. The first check that fails ends it.

namespace Bitcache.Core.Audit;

public static class ReceiptVerifier
{
    /// <summary>Checks a receipt against the log's pins: key, anchor script, network.</summary>
    public static ReceiptReport Verify(ReceiptFiles files, Pins pins) => Verify(files, new ProofCheck(pins.Key, pins));

    /// <summary>Checks a receipt with nothing but the log's key; that its anchor is one of the log's single history
    /// then stays unchecked.</summary>
    public static ReceiptReport Verify(ReceiptFiles files, VerifierKey key) => Verify(files, new ProofCheck(key, null));

    private static ReceiptReport Verify(ReceiptFiles files, ProofCheck check)
    {
        var leaf = files.Leaf.Span;
        var verdict = ReceiptVerdict.Invalid;
        if (leaf.Length < 2 || leaf.Length > Limits.ReceiptBytesMax || leaf[0] != Rfc6962.LeafPrefix)
        {
            check.Failed("the receipt file is not a byte 00 and a statement");
        }
        else
        {
            var hash = Sha256.Of(leaf);
            check.Passed($"the receipt file holds a statement of {leaf.Length - 1} bytes; its leaf hash is {hash}");
            if (check.CheckLog(hash, files))
            {
                verdict = ReceiptVerdict.LoggedOnly;
                if (files.Timestamp is not { } timestamp) check.NotChecked("no timestamp (.ots) was given: that the log is fixed in a Bitcoin block rests on the operator's word");
                else verdict = check.TryReadTimestamp(timestamp.Span, hash, out var proof) ? check.CheckTimestamp(proof, 0, files.Block) : ReceiptVerdict.Invalid;
            }
        }
        return check.Report(verdict, verdict == ReceiptVerdict.Invalid ? default : files.Leaf[1..]);
    }
}
