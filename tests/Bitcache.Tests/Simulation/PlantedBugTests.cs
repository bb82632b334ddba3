namespace Bitcache.Tests.Simulation;

/// <summary>F22: the simulator is worth what it finds. Each plausible mistake must break a promise within a few seeds.</summary>
[Trait("suite", "faults")]
public sealed class PlantedBugTests(ITestOutputHelper output)
{
    private const int SeedsToFindIt = 60;

    public static TheoryData<string> Bugs => [.. Enum.GetNames<PlantedBug>().Where(name => name != nameof(PlantedBug.None))];

    [Theory]
    [MemberData(nameof(Bugs))]
    public void The_simulator_finds_it(string name)
    {
        var bug = Enum.Parse<PlantedBug>(name);
        for (var seed = 1; seed <= SeedsToFindIt; seed++)
        {
            try
            {
                Simulator.Run(seed, bug: bug);
            }
            catch (SimulationFailedException e)
            {
                output.WriteLine($"{name}: {seed} seeds. {e.Message}");
                return;
            }
        }
        Assert.Fail($"{name} was not found in {SeedsToFindIt} seeds.");
    }
}
