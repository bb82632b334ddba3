using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Settlement;

/// <summary>Runs the schedules of a simulated node, and says what they have met in all.</summary>
internal static class Schedules
{
    /// <summary>So many must have had calls that failed, and so many reorganisations.</summary>
    public static readonly int InAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 100_000 : 1_000;

    // By a few seeds no call fails, or no block leaves the chain: they count for nothing.
    private static readonly int SeedsInAll = InAll + (InAll / 25);

    /// <summary>Runs them all, or the one seed that was asked for: then there is nothing to be counted, and this is null.</summary>
    public static Coverage? Run(Func<int, NodeSchedule> make, ITestOutputHelper output)
    {
        var met = new Coverage();
        Seeds.Run(SeedsInAll, seed =>
        {
            using var schedule = make(seed);
            schedule.Run();
            lock (met) met.Add(schedule.Met);
        });
        output.WriteLine(met.ToString());
        if (Seeds.Only is not null) return null;
        AssertMet(met, NodeSchedule.WithFault, InAll);
        AssertMet(met, NodeSchedule.WithReorganisation, InAll);
        return met;
    }

    public static void AssertMet(Coverage met, string what, long times) =>
        Assert.True(met[what] >= times, $"{what}: {met[what]} times, at least {times} are asked for.");

    /// <summary>The same seed meets the same.</summary>
    public static void AssertRepeated(Func<int, NodeSchedule> make)
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            using var schedule = make(seed);
            schedule.Run();
            using var again = make(seed);
            again.Run();
            Assert.Equal(schedule.Met.ToString(), again.Met.ToString());
        }
    }

    public static void AssertFound(Func<int, NodeSchedule> make, NodeBug bug, ITestOutputHelper output)
    {
        var found = Seeds.FirstFailing(200, seed =>
        {
            using var schedule = make(seed);
            schedule.Run();
        });
        output.WriteLine($"{bug}: {found} seeds");
        Assert.NotNull(found);
    }
}
