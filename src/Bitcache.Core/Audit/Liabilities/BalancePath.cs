// The first part of a balance's timestamp: up the tree of liabilities, and through the statement that has its root. OpenTimestamps
// proves hashing only; here the sums, which stand in the operations, are added up. Each row is one of
//
//   append le64(own sum) || sibling || le64(its sum), SHA-256                the node is a left child
//   append le64(own sum), prepend sibling || le64(its sum), SHA-256         the node is a right child
//
// then prepend 00 and the statement up to the root, append what is behind it, SHA-256: the log leaf.

using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Bitcache.Core.Audit;

/// <summary>A balance's way into the log, taken from a timestamp, with sums that add up to what was stated.</summary>
/// <param name="Entry">The log's statement at the close of the epoch.</param>
/// <param name="Steps">Operations that lead to its leaf hash.</param>
internal sealed record BalancePath(BalanceProof Balance, byte[] Entry, EpochStatement Statement, int Steps)
{
    private const int SumBytes = sizeof(long);
    private const int NodeBytes = Hash256.Bytes + SumBytes;

    /// <param name="nonce">From the balance file.</param>
    public static bool TryRead(OpenTimestamps proof, Hash256 nonce, [NotNullWhen(true)] out BalancePath? path, out string refusal)
    {
        path = null;
        refusal = new Walk(proof.Steps, nonce).Read(ref path);
        return path is not null;
    }

    private sealed class Walk(IReadOnlyList<TimestampStep> steps, Hash256 nonce)
    {
        private readonly List<SumNode> _siblings = [];
        private int _next;
        private int _position;
        private Msat _value;
        private Msat _sum;

        public string Read(ref BalancePath? path)
        {
            while (_next < steps.Count && steps[_next].Operation == TimestampOperation.Append)
            {
                if (ReadRow() is { Length: > 0 } refusal) return refusal;
            }
            if (_siblings.Count == 0) return "the timestamp does not begin with a way up the tree of liabilities";
            var root = steps[_next - 1].Message;
            if (!Is(_next, TimestampOperation.Prepend, 1 + EpochStatement.RootInEntry) || !Is(_next + 1, TimestampOperation.Append, EpochStatement.EntryBytes - EpochStatement.RootInEntry - Hash256.Bytes)
                || !Is(_next + 2, TimestampOperation.Sha256, 0) || steps[_next].Argument[0] != Rfc6962.LeafPrefix)
                return "the timestamp has no statement of an epoch after the root of the liabilities";
            byte[] entry = [.. steps[_next].Argument.AsSpan(1), .. root, .. steps[_next + 1].Argument];
            if (!EpochStatement.TryReadEntry(entry, out var statement)) return "what the timestamp has after the root of the liabilities does not close an epoch";
            if (statement.Total != _sum)
                return $"the sums on the way come to {_sum}, but the operator stated {statement.Total} for this root";
            path = new BalancePath(new BalanceProof(nonce, _value, _position, _siblings), entry, statement, _next + 3);
            return "";
        }

        private string ReadRow()
        {
            var row = _siblings.Count;
            if (row == Limits.LiabilityRowsMax) return "the way up the tree of liabilities is too long";
            var own = steps[_next].Argument;
            ReadOnlySpan<byte> sibling;
            if (Is(_next, TimestampOperation.Append, SumBytes + NodeBytes) && Is(_next + 1, TimestampOperation.Sha256, 0))
            {
                sibling = own.AsSpan(SumBytes);
                _next += 2;
            }
            else if (Is(_next, TimestampOperation.Append, SumBytes) && Is(_next + 1, TimestampOperation.Prepend, NodeBytes) && Is(_next + 2, TimestampOperation.Sha256, 0))
            {
                sibling = steps[_next + 1].Argument;
                _position |= 1 << row;
                _next += 3;
            }
            else
            {
                return string.Create(CultureInfo.InvariantCulture, $"row {row} of the way up the tree of liabilities is not a node's");
            }
            if (!TryReadSum(own, out var sum) || !TryReadSum(sibling[Hash256.Bytes..], out var beside))
                return string.Create(CultureInfo.InvariantCulture, $"a sum in row {row} of the tree of liabilities is no amount of money: negative, or more than there is");
            if (row == 0) _value = _sum = sum;
            if (sum != _sum) return string.Create(CultureInfo.InvariantCulture, $"the sums do not add up: in row {row} there are {sum}, but {_sum} are below it");
            if (_sum.Value + beside.Value > Limits.SupplyMsatMax) return string.Create(CultureInfo.InvariantCulture, $"the sums of row {row} are more than there is money");
            _sum += beside;
            _siblings.Add(new SumNode(Hash256.Read(sibling), beside));
            return "";
        }

        private bool Is(int step, TimestampOperation operation, int length) =>
            step < steps.Count && steps[step].Operation == operation && steps[step].Argument.Length == length;

        private static bool TryReadSum(ReadOnlySpan<byte> bytes, out Msat sum)
        {
            var value = BinaryPrimitives.ReadInt64LittleEndian(bytes);
            var isMoney = value is >= 0 and <= Limits.SupplyMsatMax;
            sum = isMoney ? new Msat(value) : default;
            return isMoney;
        }
    }
}
