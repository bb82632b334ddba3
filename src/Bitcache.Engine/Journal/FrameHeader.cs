using System.Buffers.Binary;
using System.Security.Cryptography;
using Bitcache.Core;

namespace Bitcache.Engine.Journal;

[Flags]
internal enum FrameFlags : byte
{
    None = 0,
    /// <summary>No payload: proves that the frame before it was whole. Written when idle and on shutdown.</summary>
    Seal = 1,
    /// <summary>With Seal: the last frame of a segment. The next segment was durable before this was written.</summary>
    Closing = 2,
}

/// <summary>
/// The head of one batch on disk. Integers are big-endian; a frame begins at a multiple of 8.
/// <code>
///  0  u32  magic "BCFR"
///  4  u8   format version, 1
///  5  u8   flags: 1 seal, 2 closing
///  6  u16  0
///  8  u32  payload length L in bytes; 0 if and only if a seal
/// 12  u32  sequences the payload covers; 0 if and only if a seal
/// 16  i64  first sequence; of a seal, the one that comes next
/// 24  i64  durableSeq: the last sequence known to be synced when this was written; -1 for none
/// 32  i64  writer epoch: grows with each opening of the journal
/// 40  32   chain hash: SHA-256(chain hash of the frame before || bytes 0..40 || payload)
/// 72  u32  CRC-32C of the payload
/// 76  u32  CRC-32C of bytes 0..76, checked before any field is believed
/// 80  L    payload: records (JournalRecord)
///     0-7  zeros up to a multiple of 8
/// </code>
/// Zeros are not a frame: the magic is missing.
/// </summary>
internal readonly record struct FrameHeader(
    FrameFlags Flags, int PayloadBytes, int Sequences, long FirstSequence, long DurableSequence, long WriterEpoch,
    Hash256 ChainHash, uint PayloadCrc)
{
    internal const int Bytes = 80;
    internal const int AlignmentBytes = 8;
    private const uint Magic = 0x42434652;
    private const byte FormatVersion = 1;
    private const int ChainOffset = 40;
    private const int PayloadCrcOffset = 72;
    private const int HeaderCrcOffset = 76;

    internal bool IsSeal => (Flags & FrameFlags.Seal) != 0;
    internal bool IsClosing => (Flags & FrameFlags.Closing) != 0;

    /// <summary>Bytes on disk of a frame with that much payload.</summary>
    internal static int FrameBytes(int payloadBytes) => (Bytes + payloadBytes + AlignmentBytes - 1) & -AlignmentBytes;

    /// <summary>Writes header and padding around the payload, which stands in the frame already, and returns the
    /// chain hash.</summary>
    internal static Hash256 Seal(Span<byte> frame, FrameHeader fields, in Hash256 previous, IncrementalHash sha256)
    {
        var payload = frame.Slice(Bytes, fields.PayloadBytes);
        BinaryPrimitives.WriteUInt32BigEndian(frame, Magic);
        frame[4] = FormatVersion;
        frame[5] = (byte)fields.Flags;
        BinaryPrimitives.WriteUInt16BigEndian(frame[6..], 0);
        BinaryPrimitives.WriteInt32BigEndian(frame[8..], fields.PayloadBytes);
        BinaryPrimitives.WriteInt32BigEndian(frame[12..], fields.Sequences);
        BinaryPrimitives.WriteInt64BigEndian(frame[16..], fields.FirstSequence);
        BinaryPrimitives.WriteInt64BigEndian(frame[24..], fields.DurableSequence);
        BinaryPrimitives.WriteInt64BigEndian(frame[32..], fields.WriterEpoch);
        var chain = Chain(frame, payload, previous, sha256);
        chain.Write(frame[ChainOffset..]);
        BinaryPrimitives.WriteUInt32BigEndian(frame[PayloadCrcOffset..], Crc32C.Compute(payload));
        BinaryPrimitives.WriteUInt32BigEndian(frame[HeaderCrcOffset..], Crc32C.Compute(frame[..HeaderCrcOffset]));
        frame[(Bytes + payload.Length)..].Clear();
        return chain;
    }

    internal static Hash256 Chain(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, in Hash256 previous, IncrementalHash sha256)
    {
        Span<byte> hash = stackalloc byte[Hash256.Bytes];
        previous.Write(hash);
        sha256.AppendData(hash);
        sha256.AppendData(header[..ChainOffset]);
        sha256.AppendData(payload);
        sha256.GetHashAndReset(hash);
        return Hash256.Read(hash);
    }

    /// <summary>Whether a header with the right checksum stands here. Its meaning is judged by <see cref="Problem"/>.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> bytes, out FrameHeader header)
    {
        header = default;
        if (bytes.Length < Bytes || BinaryPrimitives.ReadUInt32BigEndian(bytes) != Magic) return false;
        if (BinaryPrimitives.ReadUInt32BigEndian(bytes[HeaderCrcOffset..]) != Crc32C.Compute(bytes[..HeaderCrcOffset])) return false;
        header = new FrameHeader(
            (FrameFlags)bytes[5],
            BinaryPrimitives.ReadInt32BigEndian(bytes[8..]),
            BinaryPrimitives.ReadInt32BigEndian(bytes[12..]),
            BinaryPrimitives.ReadInt64BigEndian(bytes[16..]),
            BinaryPrimitives.ReadInt64BigEndian(bytes[24..]),
            BinaryPrimitives.ReadInt64BigEndian(bytes[32..]),
            Hash256.Read(bytes[ChainOffset..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[PayloadCrcOffset..]));
        return true;
    }

    /// <summary>Why a header with a right checksum cannot be the next one of this journal; null if it can. No crash
    /// makes such a header: a torn one has a wrong checksum.</summary>
    internal static string? Problem(ReadOnlySpan<byte> bytes, in FrameHeader header, long expectedSequence, long epoch)
    {
        if (bytes[4] != FormatVersion || bytes[6] != 0 || bytes[7] != 0 || header.Flags > (FrameFlags.Seal | FrameFlags.Closing))
            return $"a frame of a format this version does not know (version {bytes[4]}, flags {bytes[5]})";
        if (header.FirstSequence != expectedSequence) return $"a frame with sequence {header.FirstSequence}";
        if (header.DurableSequence >= header.FirstSequence || header.DurableSequence < -1) return $"a frame that calls sequence {header.DurableSequence} durable";
        if (header.WriterEpoch < epoch) return $"a frame of writer epoch {header.WriterEpoch} after one of epoch {epoch}";
        if (header.PayloadBytes < 0 || header.PayloadBytes > Limits.BatchBytesMax || header.Sequences < 0) return $"a frame of {header.PayloadBytes} bytes";
        var empty = header.PayloadBytes == 0;
        if (header.IsSeal != empty || (header.Sequences == 0) != empty || (header.IsClosing && !header.IsSeal)) return "a frame that contradicts itself";
        return null;
    }
}
