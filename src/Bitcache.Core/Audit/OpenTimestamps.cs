// OpenTimestamps: a chain of hash operations from a file's digest to a block's Merkle root, which anybody can
// check with tools that nobody here wrote. Read here is the straight chain that this project writes: append,
// prepend, SHA-256, and one Bitcoin attestation at the end. Forks and other operations are refused.

using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Audit;

/// <summary>The operations, by their tags in the file.</summary>
public enum TimestampOperation : byte
{
    Sha256 = 0x08,
    Append = 0xf0,
    Prepend = 0xf1,
}

/// <summary>One operation and the message it made.</summary>
public sealed record TimestampStep(TimestampOperation Operation, byte[] Argument, byte[] Message);

/// <summary>A detached timestamp file (<c>.ots</c>), evaluated: the digest it starts from, every message on the way,
/// and the block whose header must hold the last one as its Merkle root.</summary>
public sealed record OpenTimestamps(Hash256 Digest, IReadOnlyList<TimestampStep> Steps, Hash256 MerkleRoot, int Height)
{
    internal const byte Version = 1;
    internal const byte AttestationTag = 0;

    internal static ReadOnlySpan<byte> Magic => "\0OpenTimestamps\0\0Proof\0"u8;
    /// <summary>The rest of the magic is no UTF-8.</summary>
    internal static ReadOnlySpan<byte> MagicEnd => [0xbf, 0x89, 0xe2, 0xe8, 0x84, 0xe8, 0x92, 0x94];
    internal static ReadOnlySpan<byte> BitcoinAttestation => [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];

    /// <summary>Builds the <c>.ots</c> of a receipt file: from its leaf hash through the log, the anchor record and
    /// the transaction that carries it to the block.</summary>
    /// <exception cref="ArgumentException">The parts do not belong together, or the transaction is too long.</exception>
    public static byte[] Build(Hash256 leaf, long index, IReadOnlyList<Hash256> path, AnchorRecord record,
        Bitcoin.BitcoinTransaction transaction, Bitcoin.BlockProof block, int height) =>
        new OpenTimestampsBuilder(leaf).LogPath(index, record.TreeSize, path).Anchor(record, transaction, block).ToBytes(height);

    public static bool TryParse(ReadOnlySpan<byte> file, [NotNullWhen(true)] out OpenTimestamps? proof, out string refusal)
    {
        proof = null;
        refusal = Parse(file, ref proof);
        return proof is not null;
    }

    private static string Parse(ReadOnlySpan<byte> file, ref OpenTimestamps? proof)
    {
        if (file.Length > Limits.TimestampFileBytesMax) return $"the .ots file is longer than {Limits.TimestampFileBytesMax} bytes";
        if (!Skip(ref file, Magic) || !Skip(ref file, MagicEnd)) return "the file is no OpenTimestamps proof";
        if (!Skip(ref file, [Version, (byte)TimestampOperation.Sha256])) return "the .ots file is not of version 1 over a SHA-256 digest";
        if (!Take(ref file, Hash256.Bytes, out var digest)) return Truncated;

        var steps = new List<TimestampStep>();
        var message = digest.ToArray();
        while (true)
        {
            if (!Take(ref file, 1, out var tag)) return Truncated;
            if (tag[0] == AttestationTag) break;
            var operation = (TimestampOperation)tag[0];
            if (!Enum.IsDefined(operation)) return $"the .ots file has an operation {tag[0]:x2} that no proof of this log needs";
            ReadOnlySpan<byte> argument = [];
            if (operation != TimestampOperation.Sha256
                && (!TakeBytes(ref file, Limits.TimestampMessageBytesMax, out argument) || argument.IsEmpty))
                return "the .ots file has a wrong argument";
            if (message.Length + argument.Length > Limits.TimestampMessageBytesMax) return "the .ots file makes a message that is too long";
            message = Apply(operation, argument, message);
            steps.Add(new TimestampStep(operation, argument.ToArray(), message));
            if (steps.Count > Limits.TimestampOperationsMax) return "the .ots file has too many operations";
        }
        if (!Skip(ref file, BitcoinAttestation)) return "the .ots file does not end in a Bitcoin block";
        if (!TakeBytes(ref file, 5, out var payload) || !TakeNumber(ref payload, out var height) || !payload.IsEmpty)
            return "the .ots file gives no block height";
        if (!file.IsEmpty) return "the .ots file goes on after its end";
        if (message.Length != Hash256.Bytes) return "the .ots file does not end in a hash";
        proof = new OpenTimestamps(Hash256.Read(digest), steps, Hash256.Read(message), height);
        return "";
    }

    internal static byte[] Apply(TimestampOperation operation, ReadOnlySpan<byte> argument, ReadOnlySpan<byte> message) => operation switch
    {
        TimestampOperation.Sha256 => Sha256.Of(message).ToArray(),
        TimestampOperation.Append => [.. message, .. argument],
        TimestampOperation.Prepend => [.. argument, .. message],
    };

    private const string Truncated = "the .ots file ends too early";

    private static bool Skip(scoped ref ReadOnlySpan<byte> file, ReadOnlySpan<byte> expected) =>
        Take(ref file, expected.Length, out var found) && found.SequenceEqual(expected);

    private static bool Take(scoped ref ReadOnlySpan<byte> file, int count, out ReadOnlySpan<byte> taken)
    {
        var good = count <= file.Length;
        taken = good ? file[..count] : [];
        if (good) file = file[count..];
        return good;
    }

    private static bool TakeBytes(scoped ref ReadOnlySpan<byte> file, int max, out ReadOnlySpan<byte> bytes)
    {
        bytes = [];
        return TakeNumber(ref file, out var length) && length <= max && Take(ref file, length, out bytes);
    }

    /// <summary>A number in base 128, lowest digits first; only its shortest form, up to 2^31 - 1.</summary>
    private static bool TakeNumber(scoped ref ReadOnlySpan<byte> file, out int number)
    {
        number = 0;
        ulong value = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            if (!Take(ref file, 1, out var digit)) return false;
            value |= (ulong)(digit[0] & 0x7f) << shift;
            if (digit[0] >= 0x80) continue;
            if ((digit[0] == 0 && shift > 0) || value > int.MaxValue) return false;
            number = (int)value;
            return true;
        }
        return false;
    }
}
