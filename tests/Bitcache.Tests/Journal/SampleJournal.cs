using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging.Abstractions;
using Image = System.Collections.Generic.SortedDictionary<string, byte[]?>;

namespace Bitcache.Tests.Journal;

/// <summary>A small journal on a simulated disk, to be damaged.</summary>
internal static class SampleJournal
{
    public const string DataFolder = "/data";
    private const string Folder = "/data/journal/p0000";
    private const int RecordBytes = 330;
    public static readonly FileJournalSettings Settings = new() { SegmentBytes = 8 << 10 };

    /// <summary>What opening a journal said.</summary>
    public sealed record Opened(List<byte[]> Batches, RecoveryReport? Report, JournalCorruptException? Refusal);

    /// <summary>Batches of one record until there are that many segments, the last of them about half full.</summary>
    public static Image Write(int segments, bool seal)
    {
        var disk = new SimDisk(1);
        disk.MakeDurableFolder(DataFolder);
        using (var journal = Journal(disk))
        {
            var inLast = 0;
            for (var next = 0; inLast < 5; next++)
            {
                Append(journal, next);
                if (Segments(disk.Image()).Count == segments) inLast++;
            }
            if (seal) journal.Seal();
        }
        return disk.Image();
    }

    public static FileJournal Journal(IFileSystem files) => FileJournal.Open(files, DataFolder, Settings, _ => { }, NullLogger.Instance);

    public static byte[] Batch(int number) => TestBatch.Record(RecordBytes + number, 1, number);

    public static void Append(FileJournal journal, int number)
    {
        var payload = Batch(number);
        Assert.True(journal.TryReserve(payload.Length));
        journal.Append(payload, number, 1);
    }

    public static Opened Open(IFileSystem files)
    {
        var batches = new List<byte[]>();
        try
        {
            using var journal = FileJournal.Open(files, DataFolder, Settings, batch => batches.Add(batch.Payload.ToArray()), NullLogger.Instance);
            return new Opened(batches, journal.Recovery, null);
        }
        catch (JournalCorruptException e)
        {
            return new Opened(batches, null, e);
        }
    }

    public static Opened Open(Image image) => Open(SimDisk.FromImage(image));

    public static List<string> Segments(Image image) => [.. image.Keys.Where(path => path.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal))];

    public static string PathOf(string name) => $"{Folder}/{name}";

    /// <summary>Where the frames of a segment begin, with their headers.</summary>
    public static List<(int Offset, FrameHeader Header)> Frames(byte[] segment)
    {
        var frames = new List<(int, FrameHeader)>();
        for (var at = SegmentHeader.Bytes; FrameHeader.TryRead(segment.AsSpan(at), out var header); at += FrameHeader.FrameBytes(header.PayloadBytes))
            frames.Add((at, header));
        return frames;
    }

    public static int End(this (int Offset, FrameHeader Header) frame) => frame.Offset + FrameHeader.FrameBytes(frame.Header.PayloadBytes);

    /// <summary>The same files but one.</summary>
    public static Image With(this Image image, string path, byte[]? bytes)
    {
        var changed = new Image(image, StringComparer.Ordinal);
        if (bytes is null) changed.Remove(path);
        else changed[path] = bytes;
        return changed;
    }
}
