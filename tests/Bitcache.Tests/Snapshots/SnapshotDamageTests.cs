// Goal: no snapshot is loaded that is not what was written, and none that is not this journal's (F3, F4).

using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Journal;
using Bitcache.Tests.Simulation;
using Image = System.Collections.Generic.SortedDictionary<string, byte[]?>;

namespace Bitcache.Tests.Snapshots;

[Trait("suite", "faults")]
public sealed class SnapshotDamageTests
{
    private const string Manifest = SnapshotBooks.Folder + "manifest";
    private readonly Image _image = SnapshotBooks.WholeImage();

    /// <summary>The same disk without the journal, which is not looked at before a snapshot is loaded.</summary>
    private Image OnlySnapshots => new(_image.Where(file => !file.Key.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal)).ToDictionary(), StringComparer.Ordinal);

    private string[] Snapshots => [.. _image.Keys.Where(path => path.EndsWith(SnapshotHeader.Extension, StringComparison.Ordinal))];

    [Fact]
    public void The_newest_of_two_is_loaded()
    {
        Assert.Equal(2, Snapshots.Length);
        Assert.Equal((Snapshots[1], 0), Open(_image));
    }

    [Fact]
    public void A_flipped_bit_makes_recovery_pass_over_the_snapshot()
    {
        var bytes = _image[Snapshots[1]]!;
        Seeds.Run(8 * bytes.Length, seed => SnapshotBooks.Require(Load(OnlySnapshots.With(Snapshots[1], Flip(bytes, seed - 1))) == (Snapshots[0], 1), "It was loaded."));
        Assert.Equal((Snapshots[0], 1), Open(_image.With(Snapshots[1], Flip(bytes, 4 * bytes.Length))));
    }

    [Fact]
    public void A_flipped_bit_of_the_manifest_leaves_the_snapshots_to_speak_for_themselves()
    {
        var bytes = _image[Manifest]!;
        Seeds.Run(8 * bytes.Length, seed => SnapshotBooks.Require(
            Load(OnlySnapshots.With(Manifest, Flip(bytes, seed - 1)), manifestRefused: true) == (Snapshots[1], 0), "Another one was loaded."));
        Assert.Equal((Snapshots[1], 0), Open(_image.With(Manifest, Flip(bytes, 4 * bytes.Length)), manifestRefused: true));
    }

    [Fact]
    public void A_cut_or_longer_snapshot_is_passed_over()
    {
        var bytes = _image[Snapshots[1]]!;
        for (var length = 0; length < bytes.Length; length++) Assert.Equal((Snapshots[0], 1), Load(OnlySnapshots.With(Snapshots[1], bytes[..length])));
        Assert.Equal((Snapshots[0], 1), Open(_image.With(Snapshots[1], [.. bytes, 0])));
    }

    [Fact]
    public void Without_any_good_one_the_whole_journal_is_read()
    {
        Assert.Equal((null, 2), Open(_image.With(Snapshots[0], [1]).With(Snapshots[1], null)));
        Assert.Equal((null, 0), Open(_image.With(Snapshots[0], null).With(Snapshots[1], null).With(Manifest, null)));
    }

    [Fact]
    public void Without_a_manifest_the_newest_is_loaded() => Assert.Equal((Snapshots[1], 0), Open(_image.With(Manifest, null)));

    [Fact]
    public void An_older_one_under_the_newest_ones_name_and_two_exchanged_ones_are_passed_over()
    {
        var (older, newest) = (_image[Snapshots[0]]!, _image[Snapshots[1]]!);
        Assert.Equal((Snapshots[0], 1), Open(_image.With(Snapshots[1], older)));
        Assert.Equal((null, 2), Open(_image.With(Snapshots[1], older).With(Snapshots[0], newest)));
    }

    [Fact]
    public void A_stale_manifest_leads_to_an_older_snapshot_and_the_same_state()
    {
        Assert.True(SnapshotManifest.TryRead(_image[Manifest]) is { Snapshots.Count: 2 });
        var stale = new SnapshotManifest(0, [SnapshotManifest.TryRead(_image[Manifest])!.Snapshots[1]]);
        Assert.Equal((Snapshots[0], 0), Open(_image.With(Manifest, stale.ToBytes())));
    }

    [Fact]
    public void A_snapshot_or_a_manifest_of_another_partition_is_refused_by_name()
    {
        var bytes = _image[Snapshots[1]]!;
        Assert.True(SnapshotHeader.TryRead(bytes, out var header, out _));
        byte[] other = [.. (header with { Partition = 3 }).ToBytes(), .. bytes[SnapshotHeader.Bytes..]];
        Refused(_image.With(Snapshots[1], other), Snapshots[1], "partition 3");
        Refused(_image.With(Manifest, new SnapshotManifest(3, []).ToBytes()), Manifest, "partition 3");
    }

    [Fact]
    public void A_snapshot_of_another_history_is_refused_by_name()
    {
        var bytes = _image[Snapshots[1]]!;
        Assert.True(SnapshotHeader.TryRead(bytes, out var header, out _));
        var disk = SimDisk.FromImage(_image.With(Manifest, null).With(Snapshots[1], Rewritten(bytes, header with { ChainHash = new(1, 2) })));
        Assert.Contains("not those that it holds", Assert.Throws<SnapshotMismatchException>(() => SnapshotBooks.Open(disk, new EventLog())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_journal_that_ends_before_a_snapshot_is_refused()
    {
        var last = _image.Keys.Last(path => path.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal));
        Refused(_image.With(last, _image[last]!.AsSpan(0, SegmentHeader.Bytes).ToArray()), Snapshots[1], "the journal ends after");
    }

    [Fact]
    public void A_missing_segment_is_refused_although_it_is_not_read()
    {
        var segments = _image.Keys.Where(path => path.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal)).ToArray();
        Assert.True(segments.Length >= 3);
        foreach (var missing in segments[..^1])
            Assert.Throws<JournalCorruptException>(() => SnapshotBooks.Open(SimDisk.FromImage(_image.With(missing, null)), new EventLog()));
    }

    [Fact]
    public void Damage_in_a_segment_that_was_not_read_is_found_when_it_is()
    {
        var first = _image.Keys.First(path => path.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal));
        var book = SnapshotBooks.Open(SimDisk.FromImage(_image.With(first, Flip(_image[first]!, 8 * (SegmentHeader.Bytes + FrameHeader.Bytes + 9)))), new EventLog());
        Assert.Throws<JournalCorruptException>(() => book.Journal.TryReadRecord(1, out _));
        SnapshotBooks.Close(book);
    }

    /// <summary>Another header, with the checksums that belong to it.</summary>
    private static byte[] Rewritten(byte[] snapshot, SnapshotHeader header)
    {
        byte[] bytes = [.. header.ToBytes(), .. snapshot[SnapshotHeader.Bytes..]];
        var trailer = bytes.AsSpan(bytes.Length - SnapshotHeader.TrailerBytes);
        header.Digest(Bitcache.Core.Hash256.Read(trailer[SnapshotHeader.PieceHeadBytes..])).Write(trailer[(SnapshotHeader.PieceHeadBytes + 32)..]);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(trailer[4..], SnapshotWriter.Checksum(trailer));
        return bytes;
    }

    private static byte[] Flip(byte[] bytes, int bit)
    {
        var flipped = (byte[])bytes.Clone();
        flipped[bit / 8] ^= (byte)(1 << (bit % 8));
        return flipped;
    }

    private static void Refused(Image image, string file, string why)
    {
        var message = Assert.Throws<SnapshotMismatchException>(() => SnapshotBooks.Open(SimDisk.FromImage(image), new EventLog())).Message;
        Assert.Contains(file, message, StringComparison.Ordinal);
        Assert.Contains(why, message, StringComparison.Ordinal);
    }

    /// <summary>Which snapshot was loaded and how many were passed over, without the journal behind it.</summary>
    private static (string? Loaded, int PassedOver) Load(Image image, bool manifestRefused = false)
    {
        var log = new EventLog();
        var loaded = new SnapshotFolder(SimDisk.FromImage(image), SnapshotBooks.DataFolder, 0, log).Load(secret: 1);
        if (loaded is { } good) SnapshotBooks.RequireState(good.Ledger);
        SnapshotBooks.Require(log.Events.Contains(EventLog.ManifestRefused) == manifestRefused, "What was found of the manifest was not logged, or something else was.");
        return (loaded?.Start.Name, log.Events.Count(e => e == EventLog.SnapshotPassedOver));
    }

    /// <summary>Which snapshot was loaded and how many were passed over; the state is the right one in any case.</summary>
    private static (string? Loaded, int PassedOver) Open(Image image, bool manifestRefused = false)
    {
        var log = new EventLog();
        var book = SnapshotBooks.Open(SimDisk.FromImage(image), log);
        SnapshotBooks.Require(book.Ledger.NextSequence == SnapshotBooks.Entries, "Entries are missing.");
        SnapshotBooks.RequireState(book.Ledger);
        SnapshotBooks.Require(log.Events.Contains(EventLog.ManifestRefused) == manifestRefused, "What was found of the manifest was not logged, or something else was.");
        SnapshotBooks.Close(book);
        return (book.Start?.Name, log.Events.Count(e => e == EventLog.SnapshotPassedOver));
    }
}
