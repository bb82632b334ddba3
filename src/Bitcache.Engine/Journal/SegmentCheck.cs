using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>Reads a closed segment, or a copy of one, against what is known of it: its place in the hash chain.</summary>
internal static class SegmentCheck
{
    private const int TailBytes = 64 << 10;

    /// <summary>Takes a frame that was found to be whole.</summary>
    internal delegate void FrameReader(ReadOnlySpan<byte> frame, int offset, in FrameHeader header);

    /// <summary>Where a file stops being the segment, by its checksums and its hash chain; null if it is all of it.</summary>
    internal static long? FirstDamage(IFile file, SegmentIndex segment, FrameReader? reader = null)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var page = new byte[SegmentHeader.Bytes];
        if (file.Read(0, page) < page.Length || !SegmentHeader.TryRead(page, out var first, out _)) return 0;
        var (chain, next, frame) = (first.PreviousChainHash, segment.FirstSequence, page);
        for (var at = SegmentHeader.Bytes; ;)
        {
            var head = frame.AsSpan(0, FrameHeader.Bytes);
            if (file.Read(at, head) < head.Length || !FrameHeader.TryRead(head, out var header)) return at;
            if (FrameHeader.Problem(head, header, next, epoch: 0) is not null) return at;
            var size = FrameHeader.FrameBytes(header.PayloadBytes);
            if (frame.Length < size) frame = new byte[size];
            var bytes = frame.AsSpan(0, size);
            if (file.Read(at, bytes) < size || !IsWhole(bytes, header, chain, sha256)) return at;
            reader?.Invoke(bytes, at, header);
            (chain, next) = (header.ChainHash, next + header.Sequences);
            at += size;
            if (header.IsClosing) return chain == segment.ClosingHash && at == segment.Bytes ? null : at;
        }
    }

    /// <summary>The frame that a segment ends with, and its offset, by its own checksum alone; null if no closing frame
    /// stands there.</summary>
    internal static (FrameHeader Header, int Offset)? ReadClosing(IFile file)
    {
        Span<byte> head = stackalloc byte[FrameHeader.Bytes];
        var end = (LastByte(file) + FrameHeader.AlignmentBytes) & -FrameHeader.AlignmentBytes;
        var at = end - FrameHeader.Bytes;
        if (at < SegmentHeader.Bytes || file.Read(at, head) < head.Length || !FrameHeader.TryRead(head, out var header)) return null;
        return header.IsClosing && FrameHeader.Problem(head, header, header.FirstSequence, epoch: 0) is null ? (header, (int)at) : null;
    }

    /// <summary>The offset of the last byte that is not zero; behind the frames a segment is zeros.</summary>
    private static long LastByte(IFile file)
    {
        var buffer = new byte[TailBytes];
        for (var end = file.Length; end > 0;)
        {
            var start = Math.Max(0, end - TailBytes);
            var last = buffer.AsSpan(0, file.Read(start, buffer.AsSpan(0, (int)(end - start)))).LastIndexOfAnyExcept((byte)0);
            if (last >= 0) return start + last;
            end = start;
        }
        return -1;
    }

    private static bool IsWhole(ReadOnlySpan<byte> frame, in FrameHeader header, in Hash256 chain, IncrementalHash sha256)
    {
        var payload = frame.Slice(FrameHeader.Bytes, header.PayloadBytes);
        return Crc32C.Compute(payload) == header.PayloadCrc
            && !frame[(FrameHeader.Bytes + payload.Length)..].ContainsAnyExcept((byte)0)
            && FrameHeader.Chain(frame, payload, chain, sha256) == header.ChainHash
            && JournalRecord.Tile(payload, header.Sequences);
    }
}
