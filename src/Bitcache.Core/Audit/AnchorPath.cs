// What a chain of hash operations says about the ledger. The .ots of a receipt (or, from the log leaf on, of a
// balance) has one shape: log path, anchor record, transaction, block path. Anything else is refused, so that
// every byte of the file has one meaning.

using System.Diagnostics.CodeAnalysis;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>A log leaf's way into a block, taken from a timestamp. The block's root is what the path leads to;
/// whether the block has it is for a header to show.</summary>
public sealed record AnchorPath(Hash256 Leaf, IReadOnlyList<Hash256> LogPath, AnchorRecord Record, BitcoinTransaction Transaction, BlockProof Block)
{
    /// <summary>Reads the shape from the operation after the log leaf: the first one for a receipt.</summary>
    public static bool TryRead(OpenTimestamps proof, int firstStep, [NotNullWhen(true)] out AnchorPath? path, out string refusal)
    {
        path = null;
        refusal = new Walk(proof, firstStep).Read(ref path);
        return path is not null;
    }

    private sealed class Walk(OpenTimestamps proof, int firstStep)
    {
        private int _next = firstStep;

        public string Read(ref AnchorPath? path)
        {
            if (Message is not { Length: Hash256.Bytes }) return "the timestamp does not start at a log leaf";
            var leaf = Hash256.Read(Message);
            var logPath = new List<Hash256>();
            while (TryTakeLogNode(out var sibling))
            {
                logPath.Add(sibling);
                if (logPath.Count > Limits.LogPathHashesMax) return "the timestamp's path through the log is too long";
            }
            if (!TryTake(TimestampOperation.Prepend, AnchorRecord.PrefixBytes, out _)
                || !AnchorRecord.TryRead(Message, out var record)
                || !TryTake(TimestampOperation.Sha256, 0, out _))
                return "the timestamp has no anchor record after the log's root";
            if (!TryTake(TimestampOperation.Prepend, null, out _) || !TryTake(TimestampOperation.Append, null, out _)
                || !BitcoinTransaction.TryParse(Message, out var transaction) || !transaction.Stripped.AsSpan().SequenceEqual(Message)
                || !TryTakeTwoHashes())
                return "the timestamp has no transaction after the anchor record";
            if (!AnchorRecord.TryFindCommitment(transaction, out var commitment) || commitment != record.Commitment())
                return $"transaction {transaction.Txid} does not carry exactly this anchor's commitment";
            var (position, siblings) = (0, new List<Hash256>());
            while (TryTakeBlockNode(out var sibling, out var isRight))
            {
                if (siblings.Count == Limits.BlockPathHashesMax) return "the timestamp's path through the block is too long";
                if (isRight) position |= 1 << siblings.Count;
                siblings.Add(sibling);
            }
            if (_next != proof.Steps.Count) return "the timestamp has operations that belong to no block";
            path = new AnchorPath(leaf, logPath, record, transaction, new BlockProof(transaction.Txid, position, siblings));
            return "";
        }

        /// <summary>The message before the next operation.</summary>
        private byte[] Message => _next == 0 ? proof.Digest.ToArray() : proof.Steps[_next - 1].Message;

        /// <summary>SHA-256(01 || left || right), with the message on either side.</summary>
        private bool TryTakeLogNode(out Hash256 sibling)
        {
            sibling = default;
            var start = _next;
            if (TryTake(TimestampOperation.Append, Hash256.Bytes, out var right))
            {
                if (TryTake(TimestampOperation.Prepend, 1, out var prefix) && prefix[0] == Rfc6962.NodePrefix
                    && TryTake(TimestampOperation.Sha256, 0, out _))
                {
                    sibling = Hash256.Read(right);
                    return true;
                }
            }
            else if (TryTake(TimestampOperation.Prepend, 1 + Hash256.Bytes, out var left) && left[0] == Rfc6962.NodePrefix
                && TryTake(TimestampOperation.Sha256, 0, out _))
            {
                sibling = Hash256.Read(left.AsSpan(1));
                return true;
            }
            _next = start;
            return false;
        }

        /// <summary>SHA-256 twice over left || right; the path's own node is right if it is prepended to.</summary>
        private bool TryTakeBlockNode(out Hash256 sibling, out bool isRight)
        {
            isRight = TryTake(TimestampOperation.Prepend, Hash256.Bytes, out var argument);
            var good = (isRight || TryTake(TimestampOperation.Append, Hash256.Bytes, out argument)) && TryTakeTwoHashes();
            sibling = good ? Hash256.Read(argument) : default;
            return good;
        }

        private bool TryTakeTwoHashes() => TryTake(TimestampOperation.Sha256, 0, out _) && TryTake(TimestampOperation.Sha256, 0, out _);

        private bool TryTake(TimestampOperation operation, int? length, out byte[] argument)
        {
            argument = [];
            if (_next == proof.Steps.Count) return false;
            var step = proof.Steps[_next];
            if (step.Operation != operation || (length is { } l && step.Argument.Length != l)) return false;
            argument = step.Argument;
            _next++;
            return true;
        }
    }
}
