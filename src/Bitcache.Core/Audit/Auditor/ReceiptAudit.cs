// Receipts that people hold: what they were promised must be in the log that everybody is shown.

using System.Text;

namespace Bitcache.Core.Audit;

internal sealed class ReceiptAudit(AuditInputs inputs, Pins pins, IReadOnlyList<VerifierKey> keys, MerkleLog log, AnchorAudit anchors, AuditSteps steps)
{
    public bool Check()
    {
        var count = 0;
        foreach (var receipt in inputs.Receipts)
        {
            if (!Check(receipt)) return false;
            inputs.Progress("receipts", ++count, count);
        }
        return count == 0 || steps.Passed($"{count} receipts that are held are in the log: their checkpoints are those of one history");
    }

    private bool Check(HeldReceipt held)
    {
        var (files, name) = (held.Files, held.Name);
        if (!TlogProof.TryParse(Encoding.UTF8.GetString(files.Proof.Span), out var proof)) return False(held, "its proof is not written as c2sp.org/tlog-proof@v1");
        if (!Checkpoint.TryVerify(proof.Checkpoint, keys, out var checkpoint, out var refusal)) return False(held, refusal);
        var leaf = Sha256.Of(files.Leaf.Span);
        if (!MerkleProof.VerifyInclusion(proof.Index, checkpoint.Size, leaf, proof.Path, checkpoint.Root)) return False(held, "it is not under the root that its checkpoint signs");
        if (checkpoint.Size > log.Size)
            return steps.Failed(AuditFault.LogShrunk, $"{name} has a signed checkpoint over {checkpoint.Size} entries, and the log that is published has {log.Size}: fetch it again, and if it stays so, keep both", name, proof.Checkpoint);
        if (log.Root(checkpoint.Size) != checkpoint.Root)
        {
            return steps.Failed(
                AuditFault.ReceiptContradicts, $"{name} has a signed checkpoint with the root {checkpoint.Root} for {checkpoint.Size} entries, but the published log has {log.Root(checkpoint.Size)} there: the operator signed two histories, or left out what it had promised",
                name, proof.Checkpoint);
        }
        return files.Timestamp is not { } timestamp || CheckTimestamp(held, timestamp.Span, leaf);
    }

    /// <summary>An anchor that a receipt shows is one of the chain's.</summary>
    private bool CheckTimestamp(HeldReceipt held, ReadOnlySpan<byte> file, Hash256 leaf)
    {
        if (!OpenTimestamps.TryParse(file, out var proof, out var refusal) || !AnchorPath.TryRead(proof, 0, out var way, out refusal)) return False(held, refusal);
        if (proof.Digest != leaf) return False(held, "its timestamp is of another file");
        if (way.Record.OriginHash != AnchorRecord.HashOrigin(pins.Origin)) return False(held, "its anchor is not of this log");
        if (!anchors.See(way.Record, held.Name + ".ots")) return false;
        return way.Record.TreeSize <= log.Size && log.Root(way.Record.TreeSize) == way.Record.Root
            || steps.Failed(AuditFault.AnchorOfAnotherLog, $"{held.Name} was anchored under the root {way.Record.Root} at {way.Record.TreeSize} entries, which is not the published log's", held.Name + ".ots");
    }

    private bool False(HeldReceipt held, string text) => steps.Failed(AuditFault.ReceiptFalse, $"{held.Name}: {text}", held.Name);
}
