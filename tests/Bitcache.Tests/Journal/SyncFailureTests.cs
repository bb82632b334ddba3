using System.Collections.Concurrent;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Journal;

/// <summary>F5: the k-th sync fails, for every k, so that each kind has failed 200 times.</summary>
[Trait("suite", "faults")]
public sealed class SyncFailureTests
{
    private const int FailuresOfEachKind = 200;
    private const int Syncs = 900;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_failed_sync_stops_the_journal_and_loses_nothing_acknowledged(bool powerLoss)
    {
        var counts = new ConcurrentDictionary<string, int>();
        // The number of the sync stands in for a seed: the same number runs the same failure again.
        Seeds.Run(Syncs, sync => counts.AddOrUpdate(new JournalSimulation(1, rolling: true).RunFailedSync(sync, powerLoss), 1, (_, count) => count + 1));
        if (Seeds.Only is not null) return;
        foreach (var kind in new[] { "append", "segment", "folder" }) Assert.InRange(counts[kind], FailuresOfEachKind, Syncs);
        Assert.InRange(counts["reserve"], 10, Syncs);
        Assert.InRange(counts["opening"], 1, 10);
    }
}
