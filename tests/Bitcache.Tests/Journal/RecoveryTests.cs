// The rules of recovery one by one, on small journals made for them.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging.Abstractions;
using Image = System.Collections.Generic.SortedDictionary<string, byte[]?>;

namespace Bitcache.Tests.Journal;

[Trait("suite", "core")]
public sealed class RecoveryTests
{
    [Fact]
    public void A_bad_frame_is_a_torn_tail_if_the_frame_after_it_was_in_the_same_sync()
    {
        var image = WithTwoMoreFrames(durableInSecond: -1, out var path, out var first);
        image[path]![first + 100] ^= 1;
        var disk = SimDisk.FromImage(image);

        var opened = SampleJournal.Open(disk);

        Assert.Null(opened.Refusal);
        Assert.Equal(SampleJournal.Open(SampleJournal.Write(1, seal: false)).Batches.Count, opened.Batches.Count);
        var kept = disk[opened.Report!.TornFile!];
        Assert.Equal(kept.Length, opened.Report.TornBytes);
        Assert.Equal(image[path]![first..(first + kept.Length)], kept);
        Assert.False(disk[path].AsSpan(first).ContainsAnyExcept((byte)0));
        Assert.Equal(0, SampleJournal.Open(disk).Report!.TornBytes);
    }

    [Fact]
    public void A_bad_frame_is_damage_if_a_later_frame_calls_it_durable()
    {
        var image = WithTwoMoreFrames(durableInSecond: 0, out var path, out var first);
        image[path]![first + 100] ^= 1;

        var refusal = SampleJournal.Open(image).Refusal;

        Assert.Equal((path, first), (refusal!.File, (int)refusal.Offset));
    }

    [Fact]
    public void A_frame_of_zeros_before_one_that_calls_it_durable_is_damage()
    {
        var image = WithTwoMoreFrames(durableInSecond: 0, out var path, out var first);
        var size = FrameHeader.FrameBytes(Payload.Length);
        image[path].AsSpan(first, size).Clear();

        Assert.Equal(first, SampleJournal.Open(image).Refusal!.Offset);
    }

    /// <summary>No crash leaves it, whole and chained to the frame before: and nothing of it may be replayed.</summary>
    [Theory]
    [InlineData(3, 45, "a record that is longer than what is left")]
    [InlineData(3, 43, "a byte behind the record")]
    [InlineData(5, 2, "a sequence more than the header says")]
    [InlineData(5, 0, "a record of no sequence")]
    public void A_whole_frame_that_does_not_hold_its_sequences_as_records_is_refused(int at, byte value, string what)
    {
        var payload = Payload.ToArray();
        Assert.NotEqual(value, payload[at]);
        payload[at] = value;
        var image = WithTwoMoreFrames(durableInSecond: -1, out _, out var first, payload);

        var opened = SampleJournal.Open(image);

        Same.Value((long?)first + FrameHeader.Bytes, opened.Refusal?.Offset);
        Assert.True(SampleJournal.Open(SampleJournal.Write(1, seal: false)).Batches.Count == opened.Batches.Count, what);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_missing_segment_is_refused(int which)
    {
        var image = SampleJournal.Write(3, seal: false);
        var path = SampleJournal.Segments(image)[which];

        Assert.Equal(path, SampleJournal.Open(image.With(path, null)).Refusal!.File);
    }

    [Fact]
    public void Swapped_segments_are_refused()
    {
        var image = SampleJournal.Write(3, seal: false);
        var paths = SampleJournal.Segments(image);

        Assert.NotNull(SampleJournal.Open(image.With(paths[0], image[paths[1]]).With(paths[1], image[paths[0]])).Refusal);
    }

    [Theory]
    [InlineData("00000000000000000003.segment")]
    [InlineData("00000000000000009999.segment")]
    [InlineData("00000000000000000000 (copy).segment")]
    public void A_segment_copied_to_another_name_is_refused(string name)
    {
        var image = SampleJournal.Write(3, seal: false);

        Assert.NotNull(SampleJournal.Open(image.With(SampleJournal.PathOf(name), image[SampleJournal.Segments(image)[0]])).Refusal);
    }

    [Fact]
    public void An_older_copy_of_a_segment_is_refused_once_another_follows()
    {
        var image = SampleJournal.Write(3, seal: false);
        var path = SampleJournal.Segments(image)[1];
        var older = (byte[])image[path]!.Clone();
        older.AsSpan(SampleJournal.Frames(older)[2].Offset).Clear();

        Assert.NotNull(SampleJournal.Open(image.With(path, older)).Refusal);
    }

    [Fact]
    public void A_refused_journal_is_left_as_it_was()
    {
        var image = SampleJournal.Write(3, seal: false);
        var path = SampleJournal.Segments(image)[1];
        image[path]![5000] ^= 1;
        image[SampleJournal.PathOf("x.new")] = [1];
        var disk = SimDisk.FromImage(image);

        var refusal = SampleJournal.Open(disk).Refusal;

        Assert.Contains(path, refusal!.Message, StringComparison.Ordinal);
        Assert.Equal(image, disk.Image());
    }

    [Fact]
    public void The_writer_epoch_is_higher_than_any_before()
    {
        var disk = SimDisk.FromImage(SampleJournal.Write(1, seal: true));
        Assert.Equal(2, SampleJournal.Open(disk).Report!.WriterEpoch);
        using (var journal = SampleJournal.Journal(disk))
            SampleJournal.Append(journal, (int)journal.DurableSequence + 1);

        Assert.Equal(3, SampleJournal.Open(disk).Report!.WriterEpoch);
    }

    [Fact]
    public void A_file_cut_after_its_last_frame_is_written_on()
    {
        var image = SampleJournal.Write(1, seal: false);
        var path = SampleJournal.Segments(image)[0];
        var disk = SimDisk.FromImage(image.With(path, image[path]![..SampleJournal.Frames(image[path]!)[^1].End()]));
        int next;
        using (var journal = SampleJournal.Journal(disk))
        {
            journal.Seal();
            next = (int)journal.DurableSequence + 1;
            SampleJournal.Append(journal, next);
        }

        var opened = SampleJournal.Open(disk);

        Assert.Equal((next + 1, 2), (opened.Batches.Count, opened.Report!.Segments));
    }

    [Fact]
    public void A_segment_without_frames_grows_with_the_setting()
    {
        var image = SampleJournal.Write(2, seal: false);
        image[SampleJournal.Segments(image)[1]].AsSpan(SegmentHeader.Bytes).Clear();
        var disk = SimDisk.FromImage(image);
        var settings = new FileJournalSettings { SegmentBytes = 64 << 10 };
        using var journal = FileJournal.Open(disk, SampleJournal.DataFolder, settings, _ => { }, NullLogger.Instance);
        var record = TestBatch.Record(50_000, 1, 1);

        Assert.True(journal.TryReserve(record.Length));
        journal.Append(record, journal.DurableSequence + 1, 1);

        Assert.Equal(2, SampleJournal.Segments(disk.Image()).Count);
        Assert.True(journal.TryReadRecord(journal.DurableSequence, out var read));
        Assert.Equal(record, read);
    }

    [Fact]
    public void A_segment_of_the_default_size_has_room_for_two_of_the_largest_batches() =>
        Assert.Equal(2 * Limits.BatchBytesMax, new FileJournalSettings().PayloadBytesMax(batches: 2));

    [Fact]
    public void The_checksum_is_the_Castagnoli_one() => Assert.Equal(0xE3069283, Crc32C.Compute("123456789"u8));

    [Theory]
    [InlineData(3_071)]
    [InlineData(3_072)]
    [InlineData(3_073)]
    [InlineData(20_011)]
    public void Long_inputs_have_the_same_checksum_as_byte_by_byte(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78);
        }
        Assert.Equal(~crc, Crc32C.Compute(bytes));
        Assert.Equal(~crc, Crc32C.Append(Crc32C.Compute(bytes.AsSpan(0, 17)), bytes.AsSpan(17)));
    }

    private static readonly byte[] Payload = TestBatch.Record(300, 1, 7);

    /// <summary>A journal that ends in two frames as a writer would leave them that syncs several at once; the
    /// second calls durable what is that far after the first.</summary>
    /// <param name="payload">Of the first one, where it is not a record as it should be; of the same length.</param>
    private static Image WithTwoMoreFrames(long durableInSecond, out string path, out int first, byte[]? payload = null)
    {
        var image = SampleJournal.Write(1, seal: false);
        path = SampleJournal.Segments(image)[0];
        var bytes = image[path]!;
        var last = SampleJournal.Frames(bytes)[^1];
        first = last.End();
        var sequence = last.Header.FirstSequence + 1;
        var chain = Put(bytes.AsSpan(first), payload ?? Payload, sequence, sequence - 1, last.Header.ChainHash);
        Put(bytes.AsSpan(first + FrameHeader.FrameBytes(Payload.Length)), Payload, sequence + 1, sequence + durableInSecond, chain);
        return image;
    }

    private static Hash256 Put(Span<byte> target, byte[] payload, long sequence, long durable, Hash256 previous)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var frame = target[..FrameHeader.FrameBytes(payload.Length)];
        payload.CopyTo(frame[FrameHeader.Bytes..]);
        return FrameHeader.Seal(frame, new FrameHeader(FrameFlags.None, payload.Length, 1, sequence, durable, 1, default, 0), previous, sha256);
    }
}
