using System.Buffers.Binary;
using System.Globalization;
using Bitcache.Core;

namespace Bitcache.Engine.Journal;

/// <summary>
/// The first page of a segment file. It does not depend on who writes it, and is never written again.
/// <code>
///  0  u32  magic "BCSG"
///  4  u8   format version, 1
///  5  3    0
///  8  u32  partition
/// 12  u32  0
/// 16  i64  first sequence: that of the first frame, and the file's name; all before it were durable
/// 24  32   chain hash of the closing frame of the segment before; zeros in the first segment
/// 56  u32  0
/// 60  u32  CRC-32C of bytes 0..60
/// 64       zeros up to 4096, where the first frame begins
/// </code>
/// After the last frame the file is zeros up to its end.
/// </summary>
internal readonly record struct SegmentHeader(int Partition, long FirstSequence, Hash256 PreviousChainHash)
{
    /// <summary>A page of its own, so that no later write touches the sector it stands in.</summary>
    internal const int Bytes = 4096;
    internal const string Extension = ".segment";
    private const uint Magic = 0x42435347;
    private const byte FormatVersion = 1;
    private const int UsedBytes = 64;
    private const int CrcOffset = 60;
    private const int NameDigits = 20;

    internal static string FileName(long firstSequence) => firstSequence.ToString("D20", CultureInfo.InvariantCulture) + Extension;

    internal static bool TryParseFileName(string name, out long firstSequence)
    {
        firstSequence = 0;
        return name.Length == NameDigits + Extension.Length
            && long.TryParse(name.AsSpan(0, NameDigits), NumberStyles.None, CultureInfo.InvariantCulture, out firstSequence);
    }

    internal byte[] ToPage()
    {
        var page = new byte[Bytes];
        BinaryPrimitives.WriteUInt32BigEndian(page, Magic);
        page[4] = FormatVersion;
        BinaryPrimitives.WriteInt32BigEndian(page.AsSpan(8), Partition);
        BinaryPrimitives.WriteInt64BigEndian(page.AsSpan(16), FirstSequence);
        PreviousChainHash.Write(page.AsSpan(24));
        BinaryPrimitives.WriteUInt32BigEndian(page.AsSpan(CrcOffset), Crc32C.Compute(page.AsSpan(0, CrcOffset)));
        return page;
    }

    /// <summary>Reads a file's first page; on false, <paramref name="problem"/> says what stands there instead.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> file, out SegmentHeader header, out string problem)
    {
        (header, problem) = (default, "");
        if (file.Length < Bytes) problem = $"a file of {file.Length} bytes";
        else if (BinaryPrimitives.ReadUInt32BigEndian(file) != Magic) problem = "another file format";
        else if (BinaryPrimitives.ReadUInt32BigEndian(file[CrcOffset..]) != Crc32C.Compute(file[..CrcOffset])) problem = "a header with a wrong checksum";
        else if (file[4] != FormatVersion) problem = $"format version {file[4]}, which this version does not know";
        else if (file[UsedBytes..Bytes].ContainsAnyExcept((byte)0)) problem = "a header followed by other bytes than zeros";
        if (problem.Length > 0) return false;
        header = new SegmentHeader(
            BinaryPrimitives.ReadInt32BigEndian(file[8..]),
            BinaryPrimitives.ReadInt64BigEndian(file[16..]),
            Hash256.Read(file[24..]));
        return true;
    }
}
