using System.Buffers.Binary;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>Writes a <c>.ots</c> file operation by operation and keeps the message they make, so that each stage
/// is checked against what it must arrive at before anybody gets the file.</summary>
public sealed class OpenTimestampsBuilder
{
    private readonly List<byte> _file;
    private byte[] _message;
    private int _operations;

    /// <summary>Starts at the SHA-256 of the file that the proof is for.</summary>
    public OpenTimestampsBuilder(Hash256 digest)
    {
        _message = digest.ToArray();
        _file = [.. OpenTimestamps.Magic, .. OpenTimestamps.MagicEnd, OpenTimestamps.Version, (byte)TimestampOperation.Sha256, .. _message];
    }

    /// <summary>What the operations so far make of the digest.</summary>
    public ReadOnlySpan<byte> Message => _message;

    public OpenTimestampsBuilder Append(ReadOnlySpan<byte> suffix) => Add(TimestampOperation.Append, suffix);
    public OpenTimestampsBuilder Prepend(ReadOnlySpan<byte> prefix) => Add(TimestampOperation.Prepend, prefix);
    public OpenTimestampsBuilder Sha256() => Add(TimestampOperation.Sha256, []);

    /// <summary>From a leaf hash of the log to the root at a size, along its inclusion path.</summary>
    public OpenTimestampsBuilder LogPath(long index, long size, IReadOnlyList<Hash256> path)
    {
        var i = 0;
        foreach (var left in MerkleProof.SiblingsAreLeft(index, size, path.Count))
        {
            var sibling = path[i++].ToArray();
            if (left) Prepend([Rfc6962.NodePrefix, .. sibling]).Sha256();
            else Append(sibling).Prepend([Rfc6962.NodePrefix]).Sha256();
        }
        return this;
    }

    /// <summary>From the leaf of a balance to the root of its epoch's liabilities, and to the log leaf of the entry that states
    /// that root.</summary>
    /// <param name="entry">The log's statement at the close of the epoch.</param>
    /// <exception cref="ArgumentException">The parts do not belong together.</exception>
    public OpenTimestampsBuilder Balance(BalanceProof balance, ReadOnlySpan<byte> entry)
    {
        var leaf = balance.Leaf;
        if (!_message.AsSpan().SequenceEqual(leaf.Hash.ToArray())) throw new ArgumentException("the timestamp does not start at this balance", nameof(balance));
        if (!EpochStatement.TryReadEntry(entry, out var statement)) throw new ArgumentException("this entry closes no epoch", nameof(entry));
        var sum = leaf.Sum;
        for (var row = 0; row < balance.Siblings.Count; row++)
        {
            var sibling = balance.Siblings[row];
            if (balance.IsRight(row)) Append(LittleEndian(sum)).Prepend([.. sibling.Hash.ToArray(), .. LittleEndian(sibling.Sum)]).Sha256();
            else Append([.. LittleEndian(sum), .. sibling.Hash.ToArray(), .. LittleEndian(sibling.Sum)]).Sha256();
            sum += sibling.Sum;
        }
        if (!_message.AsSpan().SequenceEqual(statement.LiabilitiesRoot.ToArray()) || sum != statement.Total)
            throw new ArgumentException($"the balance is not under the root and the total that epoch {statement.Epoch} has", nameof(balance));
        return Prepend([Rfc6962.LeafPrefix, .. entry[..EpochStatement.RootInEntry]]).Append(entry[(EpochStatement.RootInEntry + Hash256.Bytes)..]).Sha256();

        static byte[] LittleEndian(Msat sum) => BitConverter.GetBytes(BitConverter.IsLittleEndian ? sum.Value : BinaryPrimitives.ReverseEndianness(sum.Value));
    }

    /// <summary>From the root through the anchor record, its commitment and the transaction to the Merkle root of
    /// the block.</summary>
    /// <exception cref="ArgumentException">The parts do not belong together.</exception>
    public OpenTimestampsBuilder Anchor(AnchorRecord record, BitcoinTransaction transaction, BlockProof block)
    {
        if (!_message.AsSpan().SequenceEqual(record.Root.ToArray()))
            throw new ArgumentException("the path does not lead to the root in the anchor record", nameof(record));
        if (!AnchorRecord.TryFindCommitment(transaction, out var commitment) || commitment != record.Commitment())
            throw new ArgumentException($"transaction {transaction.Txid} does not carry this anchor record's commitment and no other", nameof(transaction));
        if (transaction.Stripped.Length > Limits.AnchorTransactionBytesMax)
            throw new ArgumentException($"transaction {transaction.Txid} is longer than {Limits.AnchorTransactionBytesMax} bytes without its witness", nameof(transaction));
        if (block.Txid != transaction.Txid)
            throw new ArgumentException($"the block proof is of transaction {block.Txid}, not {transaction.Txid}", nameof(block));

        Prepend(record.ToArray().AsSpan(0, AnchorRecord.PrefixBytes)).Sha256();
        var stripped = transaction.Stripped.AsSpan();
        var script = record.Script();
        var start = stripped.IndexOf(script) + script.Length - Hash256.Bytes;
        Prepend(stripped[..start]).Append(stripped[(start + Hash256.Bytes)..]).Sha256().Sha256();
        for (var i = 0; i < block.Siblings.Count; i++)
        {
            var sibling = block.Siblings[i].ToArray();
            (block.IsRight(i) ? Prepend(sibling) : Append(sibling)).Sha256().Sha256();
        }
        return this;
    }

    /// <summary>Goes on as another timestamp does that begins with this message.</summary>
    /// <exception cref="ArgumentException">It begins with another one.</exception>
    public OpenTimestampsBuilder Continue(OpenTimestamps proof)
    {
        if (!_message.AsSpan().SequenceEqual(proof.Digest.ToArray())) throw new ArgumentException("the timestamp begins with another message", nameof(proof));
        foreach (var step in proof.Steps) Add(step.Operation, step.Argument);
        return this;
    }

    /// <summary>Ends the file: the message is the Merkle root of the block at this height.</summary>
    public byte[] ToBytes(int height)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(height);
        if (_message.Length != Hash256.Bytes) throw new InvalidOperationException("a timestamp must end in a hash");
        var payload = Number(height);
        return [.. _file, OpenTimestamps.AttestationTag, .. OpenTimestamps.BitcoinAttestation, (byte)payload.Length, .. payload];
    }

    private OpenTimestampsBuilder Add(TimestampOperation operation, ReadOnlySpan<byte> argument)
    {
        if (++_operations > Limits.TimestampOperationsMax) throw new InvalidOperationException("a timestamp would have too many operations");
        if (_message.Length + argument.Length > Limits.TimestampMessageBytesMax) throw new InvalidOperationException("a timestamp would make a message that is too long");
        _file.Add((byte)operation);
        if (operation != TimestampOperation.Sha256)
        {
            _file.AddRange(Number(argument.Length));
            _file.AddRange(argument);
        }
        _message = OpenTimestamps.Apply(operation, argument, _message);
        return this;
    }

    /// <summary>A number in base 128, lowest digits first.</summary>
    private static byte[] Number(int value)
    {
        var digits = new List<byte>();
        for (; value > 0x7f; value >>= 7) digits.Add((byte)(0x80 | (value & 0x7f)));
        digits.Add((byte)value);
        return [.. digits];
    }
}
