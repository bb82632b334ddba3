using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>What one anchor fixes in Bitcoin: the root of the log at the close of an epoch. 84 bytes:
/// <c>"BCA1" || SHA-256(origin) || u64be epoch || u64be tree size || root</c>. Its hash C stands in an OP_RETURN
/// output with the script <c>6a 24 "BCA1" C</c>.</summary>
public sealed record AnchorRecord(Hash256 OriginHash, long Epoch, long TreeSize, Hash256 Root)
{
    public const int Bytes = 84;
    public const int ScriptBytes = 38;
    /// <summary>The bytes before the root.</summary>
    internal const int PrefixBytes = Bytes - Hash256.Bytes;

    private static ReadOnlySpan<byte> Magic => "BCA1"u8;
    /// <summary>OP_RETURN, then a push of 36 bytes that begins with the magic.</summary>
    private static ReadOnlySpan<byte> ScriptPrefix => [0x6a, 0x24, (byte)'B', (byte)'C', (byte)'A', (byte)'1'];

    public static AnchorRecord Create(string origin, long epoch, long treeSize, Hash256 root) =>
        new(HashOrigin(origin), epoch, treeSize, root);

    public static Hash256 HashOrigin(string origin) => Sha256.Of(Encoding.UTF8.GetBytes(origin));

    public byte[] ToArray()
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        OriginHash.Write(bytes.AsSpan(4));
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(36), Epoch);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(44), TreeSize);
        Root.Write(bytes.AsSpan(PrefixBytes));
        return bytes;
    }

    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out AnchorRecord? record)
    {
        record = null;
        if (bytes.Length != Bytes || !bytes.StartsWith(Magic)) return false;
        var epoch = BinaryPrimitives.ReadInt64BigEndian(bytes[36..]);
        var treeSize = BinaryPrimitives.ReadInt64BigEndian(bytes[44..]);
        if (epoch < 0 || treeSize < 0) return false;
        record = new AnchorRecord(Hash256.Read(bytes[4..]), epoch, treeSize, Hash256.Read(bytes[PrefixBytes..]));
        return true;
    }

    /// <summary>C, the hash of the record.</summary>
    public Hash256 Commitment() => Sha256.Of(ToArray());

    /// <summary>The script of the output that carries C.</summary>
    public byte[] Script() => [.. ScriptPrefix, .. Commitment().ToArray()];

    /// <summary>Finds the one commitment of a transaction. Two commitments would be two histories in one
    /// transaction: then, as without any, the answer is false.</summary>
    public static bool TryFindCommitment(BitcoinTransaction transaction, out Hash256 commitment)
    {
        commitment = default;
        var count = 0;
        foreach (var output in transaction.Outputs)
        {
            if (output.Script.Length != ScriptBytes || !output.Script.AsSpan().StartsWith(ScriptPrefix)) continue;
            commitment = Hash256.Read(output.Script.AsSpan(ScriptPrefix.Length));
            count++;
        }
        return count == 1;
    }
}
