using Bitcache.Core;
using Bitcache.Engine.Snapshots;
using Bitcache.Tests.Journal;
using Bitcache.Tests.Simulation;
using Image = System.Collections.Generic.SortedDictionary<string, byte[]?>;

namespace Bitcache.Tests.Snapshots;

/// <summary>P13, as <c>bitcache replay</c> shows it to an operator.</summary>
[Trait("suite", "core")]
public sealed class LedgerReplayTests
{
    private const string Manifest = SnapshotBooks.Folder + "manifest";
    private readonly Image _image = SnapshotBooks.WholeImage();

    [Fact]
    public void A_replay_agrees_with_every_snapshot_and_changes_nothing()
    {
        var disk = SimDisk.FromImage(_image);
        var report = Run(disk);
        Assert.Equal(SnapshotBooks.Entries, report.Entries);
        Assert.Equal(2, report.Snapshots.Count);
        Assert.True(report.Snapshots[0].NextSequence < report.Snapshots[1].NextSequence);
        Assert.Equal(0, disk.Operations);
    }

    [Fact]
    public void A_snapshot_of_another_state_is_named()
    {
        var named = SnapshotManifest.TryRead(_image[Manifest])!.Snapshots;
        var other = new SnapshotManifest(0, [named[0], named[1] with { StateHash = new Hash256(1, 2) }]);
        Assert.Contains(named[1].FileName, Differs(_image.With(Manifest, other.ToBytes())), StringComparison.Ordinal);
    }

    [Fact]
    public void A_snapshot_that_is_damaged_missing_or_ahead_is_named()
    {
        var named = SnapshotManifest.TryRead(_image[Manifest])!.Snapshots;
        var path = SnapshotBooks.Folder + named[0].FileName;
        Assert.Contains(path, Differs(_image.With(path, _image[path]![..^1])), StringComparison.Ordinal);
        Assert.Contains(path, Differs(_image.With(path, null)), StringComparison.Ordinal);
        var ahead = new SnapshotManifest(0, [named[0] with { NextSequence = SnapshotBooks.Entries + 1 }]);
        Assert.Contains("the journal has", Differs(_image.With(Manifest, ahead.ToBytes())), StringComparison.Ordinal);
    }

    private static ReplayReport Run(SimDisk disk) =>
        LedgerReplay.Run(disk, SnapshotBooks.DataFolder, SnapshotBooks.JournalSettings, new EventLog(), _ => { });

    private static string Differs(Image image) => Assert.Throws<ReplayDifferenceException>(() => Run(SimDisk.FromImage(image))).Message;
}
