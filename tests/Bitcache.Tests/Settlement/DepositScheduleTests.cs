namespace Bitcache.Tests.Settlement;

/// <summary>F13 and F14 for deposits: every fault of a node, reorganisations of any depth with and without double spends.</summary>
[Trait("suite", "node")]
public sealed class DepositScheduleTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_output_is_credited_at_most_once_and_taken_back_when_it_left_the_chain()
    {
        if (Schedules.Run(seed => new DepositSchedule(seed), output) is not { } met) return;
        Schedules.AssertMet(met, NodeSchedule.Failures, 5 * Schedules.InAll);
        Schedules.AssertMet(met, NodeSchedule.Reorganisations, 5 * Schedules.InAll);
        Schedules.AssertMet(met, NodeSchedule.Restarts, Schedules.InAll);
        Schedules.AssertMet(met, DepositSchedule.DoubleSpends, 2 * Schedules.InAll);
        Schedules.AssertMet(met, DepositSchedule.Credited, 5 * Schedules.InAll);
        Schedules.AssertMet(met, DepositSchedule.Reversed, Schedules.InAll / 4);
    }

    [Fact]
    public void The_same_seed_gives_the_same_schedule() => Schedules.AssertRepeated(seed => new DepositSchedule(seed));

    [Theory]
    [InlineData(NodeBug.CreditsRemoved)]
    [InlineData(NodeBug.CountsOneTooMany)]
    [InlineData(NodeBug.AsksOnce)]
    public void A_planted_bug_is_found(NodeBug bug) => Schedules.AssertFound(seed => new DepositSchedule(seed, bug), bug, output);
}
