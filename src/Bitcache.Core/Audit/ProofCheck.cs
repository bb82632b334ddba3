// What the proofs of a receipt and of a balance have in common: from a statement through the signed log, the anchor record and its
// transaction to a block.

using System.Diagnostics.CodeAnalysis;
using System.Text;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>One check, step by step. Each says what it found, and whether the checks may go on.</summary>
internal sealed class ProofCheck(VerifierKey key, Pins? pins)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly List<ReceiptStep> _steps = [];
    private Hash256 _leaf;
    private Checkpoint? _checkpoint;
    private AnchorPath? _anchor;

    /// <summary>The statement's place in the log, once that is checked.</summary>
    public long Index { get; private set; }

    /// <param name="entry">What is shown if it holds.</param>
    public ReceiptReport Report(ReceiptVerdict verdict, ReadOnlyMemory<byte> entry) => verdict == ReceiptVerdict.Invalid
        ? new ReceiptReport(verdict, _steps)
        : new ReceiptReport(verdict, _steps) { Entry = entry, Checkpoint = _checkpoint, Anchor = _anchor };

    /// <summary>The operator signed a log that holds a statement.</summary>
    /// <param name="leaf">The statement's leaf hash.</param>
    /// <param name="files">Those that the statement came with.</param>
    public bool CheckLog(Hash256 leaf, ReceiptFiles files)
    {
        _leaf = leaf;
        if (!TryDecode(files.Proof.Span, out var text) || !TlogProof.TryParse(text, out var proof))
            return Failed("the proof is not written as c2sp.org/tlog-proof@v1 without extra data");
        if (!KeyRotation.TryFollow(files.Rotations, key, out var keys, out var refusal)) return Failed(refusal);
        if (keys.Count > 1) Passed($"the log's key was rotated {keys.Count - 1} times, each time by the word of the key before");
        if (!Checkpoint.TryVerify(proof.Checkpoint, keys, out _checkpoint, out refusal)) return Failed(refusal);
        Passed($"the log '{_checkpoint.Origin}' signed that its {_checkpoint.Size} leaves have the root {_checkpoint.Root}");
        Index = proof.Index;
        if (!MerkleProof.VerifyInclusion(Index, _checkpoint.Size, _leaf, proof.Path, _checkpoint.Root))
            return Failed($"the statement is not leaf {Index} under that root: statement or proof was altered, or they do not belong together");
        return Passed($"the statement is leaf {Index} under that root");
    }

    /// <summary>Reads the <c>.ots</c> of a file.</summary>
    /// <param name="digest">The file's SHA-256.</param>
    public bool TryReadTimestamp(ReadOnlySpan<byte> file, Hash256 digest, [NotNullWhen(true)] out OpenTimestamps? proof)
    {
        if (!OpenTimestamps.TryParse(file, out proof, out var refusal)) return Failed(refusal);
        return proof.Digest == digest || Failed($"the timestamp is of another file: it starts at {proof.Digest}");
    }

    /// <summary>The log that holds the statement is fixed in a block.</summary>
    /// <param name="firstStep">The operation behind the statement's leaf hash.</param>
    /// <param name="block">The header of that block; null where none was given.</param>
    public ReceiptVerdict CheckTimestamp(OpenTimestamps proof, int firstStep, HeaderAtHeight? block)
    {
        if (!CheckAnchorPath(proof, firstStep) || !CheckRoots() || !CheckHistory()) return ReceiptVerdict.Invalid;
        if (block is null)
        {
            NotChecked($"no block header was given: block {proof.Height} must have the Merkle root {new Txid(_anchor.Block.MerkleRoot())}; ask a node you trust (getblockheader)");
            return ReceiptVerdict.LoggedOnly;
        }
        return CheckBlock(block, proof.Height) ? ReceiptVerdict.AnchoredInBlock : ReceiptVerdict.Invalid;
    }

    public bool Passed(string text) => Add(StepOutcome.Passed, text);
    public bool NotChecked(string text) => Add(StepOutcome.NotChecked, text);
    public bool Failed(string text) => Add(StepOutcome.Failed, text);

    [MemberNotNullWhen(true, nameof(_anchor))]
    private bool CheckAnchorPath(OpenTimestamps proof, int firstStep)
    {
        if (!AnchorPath.TryRead(proof, firstStep, out _anchor, out var refusal)) return Failed(refusal);
        var record = _anchor.Record;
        if (record.OriginHash != AnchorRecord.HashOrigin(key.Name)) return Failed($"the anchor record is not of the log '{key.Name}'");
        if (_anchor.Leaf != _leaf || !MerkleProof.VerifyInclusion(Index, record.TreeSize, _leaf, _anchor.LogPath, record.Root))
            return Failed($"the anchored log of {record.TreeSize} leaves does not hold the statement as leaf {Index}");
        return Passed($"the anchor record of epoch {record.Epoch} fixes this log at {record.TreeSize} leaves, and the statement is leaf {Index} there too");
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

    private bool Add(StepOutcome outcome, string text)
    {
        _steps.Add(new ReceiptStep(outcome, text));
        return outcome != StepOutcome.Failed;
    }
}
