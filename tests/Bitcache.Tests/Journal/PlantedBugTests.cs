using Bitcache.Engine.Files;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Journal;

/// <summary>The simulations are worth what they find: each plausible mistake must make one of them fail.</summary>
[Trait("suite", "faults")]
public sealed class PlantedBugTests
{
    private const int SeedsToFindIt = 1_000;

    [Theory]
    [InlineData(nameof(PlantedBug.NoDataSync))]
    [InlineData(nameof(PlantedBug.NoFolderSync))]
    [InlineData(nameof(PlantedBug.NoZeroing))]
    public void Power_loss_finds_it(string bug) =>
        Assert.NotNull(Seeds.FirstFailing(SeedsToFindIt, seed => new JournalSimulation(seed, Plant(bug)).RunPowerLosses()));

    [Theory]
    [InlineData(nameof(PlantedBug.RetriedSync))]
    [InlineData(nameof(PlantedBug.NoRewrite))]
    public void A_failed_sync_finds_it(string bug) =>
        Assert.NotNull(Seeds.FirstFailing(SeedsToFindIt, seed => new JournalSimulation(seed, Plant(bug)).RunFailedSync(1 + (seed % 50), powerLoss: false)));

    private static Func<IFileSystem, IFileSystem> Plant(string bug) =>
        files => new BuggyFileSystem(files, Enum.Parse<PlantedBug>(bug));
}
