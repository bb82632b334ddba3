using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Partitions;

/// <summary>F1 and F17 over the whole partition: ledger, queue, journal and retrying clients.</summary>
[Trait("suite", "faults")]
public sealed class PartitionSimulationTests
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 20_000 : 2_000;

    [Fact]
    public void Every_answered_payment_survives_and_a_retry_has_no_second_effect()
    {
        int crashes = 0, retries = 0, unanswered = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var simulation = new PartitionSimulation(seed);
            simulation.Run();
            Interlocked.Add(ref crashes, simulation.Crashes);
            Interlocked.Add(ref retries, simulation.Retries);
            Interlocked.Add(ref unanswered, simulation.Unanswered);
        });
        if (Seeds.Only is not null) return;
        Assert.True(crashes >= SeedsInAll && retries >= SeedsInAll && unanswered >= SeedsInAll, $"{crashes} crashes, {retries} retries, {unanswered} unanswered");
    }

    [Theory]
    [InlineData(nameof(PlantedBug.NoDataSync))]
    [InlineData(nameof(PlantedBug.NoFolderSync))]
    public void A_planted_bug_is_found(string bug) => Assert.NotNull(Seeds.FirstFailing(1_000, seed =>
    {
        using var simulation = new PartitionSimulation(seed, files => new BuggyFileSystem(files, Enum.Parse<PlantedBug>(bug)));
        simulation.Run();
    }));
}
