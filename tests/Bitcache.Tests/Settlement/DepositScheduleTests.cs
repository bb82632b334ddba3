using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Settlement;

/// <summary>F13 and F14 for deposits: every fault of a node, reorganisations of any depth with and without double spends.</summary>
[Trait("suite", "faults")]
public sealed class DepositScheduleTests(ITestOutputHelper output)
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 100_000 : 1_000;

    [Fact]
    public void Every_output_is_credited_at_most_once_and_taken_back_when_it_left_the_chain()
    {
        long faults = 0, reorganisations = 0, doubleSpends = 0, credited = 0, reversed = 0, restarts = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var schedule = new DepositSchedule(seed);
            schedule.Run();
            Interlocked.Add(ref faults, schedule.Faults);
            Interlocked.Add(ref reorganisations, schedule.Reorganisations);
            Interlocked.Add(ref doubleSpends, schedule.DoubleSpends);
            Interlocked.Add(ref credited, schedule.Credited);
            Interlocked.Add(ref reversed, schedule.Reversed);
            Interlocked.Add(ref restarts, schedule.Restarts);
        });
        if (Seeds.Only is not null) return;
        output.WriteLine($"{faults} calls failed, {reorganisations} reorganisations, {doubleSpends} double spends, {restarts} restarts; {credited} credited, {reversed} reversed");
        Assert.True(faults >= 5 * SeedsInAll && reorganisations >= 5 * SeedsInAll && doubleSpends >= 2 * SeedsInAll && restarts >= SeedsInAll);
        Assert.True(credited >= 5 * SeedsInAll && reversed >= SeedsInAll / 4);
    }

    [Fact]
    public void The_same_seed_gives_the_same_schedule()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            using var schedule = new DepositSchedule(seed);
            schedule.Run();
            using var again = new DepositSchedule(seed);
            again.Run();
            Assert.Equal(
                (schedule.Calls, schedule.Faults, schedule.Reorganisations, schedule.DoubleSpends, schedule.Credited, schedule.Reversed),
                (again.Calls, again.Faults, again.Reorganisations, again.DoubleSpends, again.Credited, again.Reversed));
        }
    }

    [Theory]
    [InlineData(NodeBug.CreditsRemoved)]
    [InlineData(NodeBug.CountsOneTooMany)]
    [InlineData(NodeBug.AsksOnce)]
    public void A_planted_bug_is_found(NodeBug bug)
    {
        var found = Seeds.FirstFailing(200, seed =>
        {
            using var schedule = new DepositSchedule(seed, bug);
            schedule.Run();
        });
        output.WriteLine($"{bug}: {found} seeds");
        Assert.NotNull(found);
    }
}
