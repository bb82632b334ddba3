using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Journal;

namespace Bitcache.Engine.Snapshots;

/// <summary>
/// A snapshot file: the state of one partition's ledger after its first S entries. Integers are big-endian.
/// <code>
///  0  u32  magic "BCSN"
///  4  u8   format version, 1
///  5  3    0
///  8  u32  partition
/// 12  u32  0
/// 16  i64  S, the sequence of the next entry; and the file's name
/// 24  i64  the newest journaled time, in milliseconds since 1970
/// 32  32   chain hash of the journal's frame that holds entry S - 1
/// 64  u32  0
/// 68  u32  CRC-32C of bytes 0..68
/// 72       pieces of the state, each
///             u32  length L of its payload, 1 to 1,048,576
///             u32  CRC-32C of the length and the payload
///             L    payload: whole rows
///          and behind the last
///             u32  0
///             u32  CRC-32C of that 0 and what follows
///             32   state hash: SHA-256 over the payloads of all pieces
///             32   digest: SHA-256(bytes 0..72 || state hash); the file's name for all its content
/// </code>
/// The payloads are the state's sections one after the other, each beginning with its number (u16) and how many rows
/// it has (i64): what the ledger's state hash is taken over.
/// </summary>
internal readonly record struct SnapshotHeader(int Partition, long NextSequence, UnixTime Time, Hash256 ChainHash)
{
    internal const int Bytes = 72;
    internal const int PieceHeadBytes = 8;
    internal const int TrailerBytes = PieceHeadBytes + (2 * Hash256.Bytes);
    internal const string Extension = ".snapshot";
    private const uint Magic = 0x4243534E;
    private const byte FormatVersion = 1;
    private const int CrcOffset = 68;

    internal static string FileName(long nextSequence) => nextSequence.ToString("D20", CultureInfo.InvariantCulture) + Extension;

    internal byte[] ToBytes()
    {
        var bytes = new byte[Bytes];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Magic);
        bytes[4] = FormatVersion;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(8), Partition);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(16), NextSequence);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(24), Time.Milliseconds);
        ChainHash.Write(bytes.AsSpan(32));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(CrcOffset), Crc32C.Compute(bytes.AsSpan(0, CrcOffset)));
        return bytes;
    }

    /// <summary>Reads a file's beginning; on false, <paramref name="problem"/> says what stands there instead.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> file, out SnapshotHeader header, out string problem)
    {
        (header, problem) = (default, "");
        if (file.Length < Bytes) problem = $"a file of {file.Length} bytes";
        else if (BinaryPrimitives.ReadUInt32BigEndian(file) != Magic) problem = "another file format";
        else if (BinaryPrimitives.ReadUInt32BigEndian(file[CrcOffset..]) != Crc32C.Compute(file[..CrcOffset])) problem = "a header with a wrong checksum";
        else if (file[4] != FormatVersion) problem = $"format version {file[4]}, which this version does not know";
        if (problem.Length > 0) return false;
        header = new SnapshotHeader(
            BinaryPrimitives.ReadInt32BigEndian(file[8..]), BinaryPrimitives.ReadInt64BigEndian(file[16..]),
            new UnixTime(BinaryPrimitives.ReadInt64BigEndian(file[24..])), Hash256.Read(file[32..]));
        return true;
    }

    /// <summary>Names everything that the file holds.</summary>
    internal Hash256 Digest(Hash256 stateHash)
    {
        var named = new byte[Bytes + Hash256.Bytes];
        ToBytes().CopyTo(named, 0);
        stateHash.Write(named.AsSpan(Bytes));
        return Hash256.Read(SHA256.HashData(named));
    }
}

/// <summary>A snapshot does not hold what was written. It is derived from the journal: nothing is lost.</summary>
internal sealed class SnapshotDamagedException(string file, long offset, string problem, Exception? inner = null)
    : IOException($"The snapshot {file} is damaged at byte {offset}: {problem}.", inner);

/// <summary>A snapshot belongs to another journal than the one beside it. Nothing was changed.</summary>
public sealed class SnapshotMismatchException(string file, string found) : IOException(
    $"The snapshot {file} does not belong to this journal: {found}. Nothing was changed. A snapshot is only taken of what is durable, so either "
    + "the journal is an older copy that lacks acknowledged payments, or the snapshots are another ledger's. Find the journal that belongs to them; "
    + "only if the journal is surely the newest, move the snapshots away and start from the journal alone.");
