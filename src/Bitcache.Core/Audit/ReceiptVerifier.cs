// Checks a receipt offline, as a stranger to the operator would: nothing is believed but the pins, SHA-256,
// Ed25519 and, for the last step, one block header. The first check that fails ends it.

using System.Diagnostics.CodeAnalysis;
using System.Text;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

public static class ReceiptVerifier
{
    /// <summary>Checks a receipt against the log's pins: key, anchor script, network.</summary>
    public static ReceiptReport Verify(ReceiptFiles files, Pins pins) => new Run(files, pins.Key, pins).Report();

    /// <summary>Checks a receipt with nothing but the log's key; that its anchor is one of the log's single history
    /// then stays unchecked.</summary>
    public static ReceiptReport Verify(ReceiptFiles files, VerifierKey key) => new Run(files, key, null).Report();

    private sealed class Run(ReceiptFiles files, VerifierKey key, Pins? pins)
    {
        private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

        private readonly List<ReceiptStep> _steps = [];
        private Hash256 _leaf;
        private long _index;
        private Checkpoint? _checkpoint;
        private AnchorPath? _anchor;

        public ReceiptReport Report()
        {
            var verdict = ReceiptVerdict.Invalid;
            if (CheckLeaf() && CheckLog())
            {
                verdict = ReceiptVerdict.LoggedOnly;
                if (files.Timestamp is { } timestamp) verdict = CheckTimestamp(timestamp.Span);
                else NotChecked("no timestamp (.ots) was given: that the log is fixed in a Bitcoin block rests on the operator's word");
            }
            if (verdict == ReceiptVerdict.Invalid) return new ReceiptReport(verdict, _steps);
            return new ReceiptReport(verdict, _steps) { Entry = files.Leaf[1..], Checkpoint = _checkpoint, Anchor = _anchor };
        }

        private bool CheckLeaf()
        {
            var leaf = files.Leaf.Span;
            if (leaf.Length < 2 || leaf.Length > Limits.ReceiptBytesMax || leaf[0] != Rfc6962.LeafPrefix)
                return Failed("the receipt file is not a byte 00 and a statement");
            _leaf = Sha256.Of(leaf);
            return Passed($"the receipt file holds a statement of {leaf.Length - 1} bytes; its leaf hash is {_leaf}");
        }

        private bool CheckLog()
        {
            if (!TryDecode(files.Proof.Span, out var text) || !TlogProof.TryParse(text, out var proof))
                return Failed("the proof is not written as c2sp.org/tlog-proof@v1 without extra data");
            if (!Checkpoint.TryVerify(proof.Checkpoint, key, out _checkpoint, out var refusal)) return Failed(refusal);
            Passed($"the log '{_checkpoint.Origin}' signed that its {_checkpoint.Size} leaves have the root {_checkpoint.Root}");
            _index = proof.Index;
            if (!MerkleProof.VerifyInclusion(_index, _checkpoint.Size, _leaf, proof.Path, _checkpoint.Root))
                return Failed($"the statement is not leaf {_index} under that root: statement or proof was altered, or they do not belong together");
            return Passed($"the statement is leaf {_index} under that root");
        }

        private ReceiptVerdict CheckTimestamp(ReadOnlySpan<byte> file)
        {
            if (!CheckAnchorPath(file, out var height)) return ReceiptVerdict.Invalid;
            if (!CheckRoots() || !CheckHistory()) return ReceiptVerdict.Invalid;
            if (files.Block is not { } block)
            {
                NotChecked($"no block header was given: block {height} must have the Merkle root {new Txid(_anchor.Block.MerkleRoot())}; ask a node you trust (getblockheader)");
                return ReceiptVerdict.LoggedOnly;
            }
            return CheckBlock(block, height) ? ReceiptVerdict.AnchoredInBlock : ReceiptVerdict.Invalid;
        }

        [MemberNotNullWhen(true, nameof(_anchor))]
        private bool CheckAnchorPath(ReadOnlySpan<byte> file, out int height)
        {
            height = 0;
            if (!OpenTimestamps.TryParse(file, out var proof, out var refusal)) return Failed(refusal);
            if (proof.Digest != _leaf) return Failed($"the timestamp is of another file: it starts at {proof.Digest}");
            if (!AnchorPath.TryRead(proof, 0, out _anchor, out refusal)) return Failed(refusal);
            height = proof.Height;
            var record = _anchor.Record;
            if (record.OriginHash != AnchorRecord.HashOrigin(key.Name)) return Failed($"the anchor record is not of the log '{key.Name}'");
            if (!MerkleProof.VerifyInclusion(_index, record.TreeSize, _leaf, _anchor.LogPath, record.Root))
                return Failed($"the anchored log of {record.TreeSize} leaves does not hold the statement as leaf {_index}");
            return Passed($"the anchor record of epoch {record.Epoch} fixes this log at {record.TreeSize} leaves, and the statement is leaf {_index} there too");
        }

        private bool CheckRoots()
        {
            var record = _anchor!.Record;
            if (record.TreeSize != _checkpoint!.Size)
                return Passed($"the anchored root is another than the checkpoint's, as their sizes differ ({record.TreeSize} and {_checkpoint.Size}): the same statement is under both");
            return record.Root == _checkpoint.Root
                ? Passed("the anchored root is the checkpoint's root")
                : Failed($"contradiction: the operator signed one root for {record.TreeSize} leaves and anchored another, {record.Root}; keep these files as evidence");
        }

        private bool CheckHistory()
        {
            var transaction = _anchor!.Transaction;
            Passed($"transaction {transaction.Txid} carries the hash of the anchor record and no other anchor");
            if (pins is null)
                return NotChecked("no pins were given: that this is the log's only history needs its anchor script");
            var count = pins.CountAnchorOutputs(transaction);
            if (count != 1) return Failed($"the transaction pays the pinned anchor script {count} times, not once: it is no anchor of this log");
            Passed("the transaction pays the pinned anchor script exactly once");
            return transaction.Txid == pins.FirstAnchor
                ? Passed("the transaction is the pinned first anchor")
                : NotChecked("the chain of anchors back to the first one needs all anchor transactions: an audit of the export checks it");
        }

        private bool CheckBlock(HeaderAtHeight block, int height)
        {
            if (block.Height != height) return Failed($"the timestamp names block {height}, but the header given is of block {block.Height}");
            if (!BlockHeader.TryParse(block.Header.Span, out var header)) return Failed("a block header has 80 bytes");
            if (!(pins is null ? header.MeetsOwnTarget() : header.MeetsTarget(pins.Network)))
                return Failed($"the header of block {height} has no valid proof of work");
            if (!_anchor!.Block.Verify(header.MerkleRoot)) return Failed($"the transaction is not in block {height}, {header.Hash}");
            return Passed($"the transaction is in block {height}, {header.Hash}, of {header.Time}; any node or explorer can confirm this hash at this height");
        }

        private static bool TryDecode(ReadOnlySpan<byte> bytes, out string text)
        {
            text = "";
            if (bytes.Length > Limits.LogProofBytesMax) return false;
            try
            {
                text = StrictUtf8.GetString(bytes);
                return true;
            }
            catch (DecoderFallbackException)
            {
                return false;
            }
        }

        // Each returns whether the checks may go on.
        private bool Passed(string text) => Add(StepOutcome.Passed, text);
        private bool NotChecked(string text) => Add(StepOutcome.NotChecked, text);
        private bool Failed(string text) => Add(StepOutcome.Failed, text);

        private bool Add(StepOutcome outcome, string text)
        {
            _steps.Add(new ReceiptStep(outcome, text));
            return outcome != StepOutcome.Failed;
        }
    }
}
