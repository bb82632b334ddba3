using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Partitions;

/// <summary>F1 and F17 over the whole partition: ledger, queue, journal and retrying clients.</summary>
[Trait("suite", "faults")]
public sealed class PartitionSimulationTests
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 20_000 : 600;

    [Fact]
    public void Every_answered_payment_survives_and_a_retry_has_no_second_effect()
    {
        int halts = 0, retries = 0, unanswered = 0, snapshots = 0, fromSnapshots = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var simulation = new PartitionSimulation(seed, new DiskStage(seed));
            simulation.Run();
            Interlocked.Add(ref halts, simulation.Halts);
            Interlocked.Add(ref retries, simulation.Retries);
            Interlocked.Add(ref unanswered, simulation.Unanswered);
            Interlocked.Add(ref snapshots, simulation.Snapshots);
            Interlocked.Add(ref fromSnapshots, simulation.FromSnapshots);
        });
        if (Seeds.Only is not null) return;
        Assert.True(halts >= SeedsInAll / 2 && retries >= SeedsInAll && unanswered >= SeedsInAll, $"{halts} halts, {retries} retries, {unanswered} unanswered");
        Assert.True(snapshots >= SeedsInAll / 2 && fromSnapshots >= SeedsInAll / 2, $"{snapshots} snapshots, {fromSnapshots} recoveries from one");
    }

    [Theory]
    [InlineData(nameof(PlantedBug.NoDataSync))]
    [InlineData(nameof(PlantedBug.NoFolderSync))]
    public void A_planted_bug_is_found(string bug) => Assert.NotNull(Seeds.FirstFailing(1_000, seed =>
    {
        using var simulation = new PartitionSimulation(seed, new DiskStage(seed, files => new BuggyFileSystem(files, Enum.Parse<PlantedBug>(bug))));
        simulation.Run();
    }));

    [Fact]
    public void A_snapshot_with_the_hash_of_another_batch_is_found() => Assert.NotNull(Seeds.FirstFailing(1_000, seed =>
    {
        using var simulation = new PartitionSimulation(seed, new DiskStage(seed, plantJournal: journal => new StaleChain(journal)));
        simulation.Run();
    }));

    /// <summary>The plausible mistake: the hash is read before the batch is appended.</summary>
    private sealed class StaleChain(IJournal journal) : JournalInFront(journal)
    {
        private Hash256 _before;

        public override Hash256 ChainHash => _before;

        public override void Append(ReadOnlySpan<byte> payload, long firstSequence, int sequences)
        {
            _before = base.ChainHash;
            base.Append(payload, firstSequence, sequences);
        }
    }
}
