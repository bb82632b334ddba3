using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Settlement;

/// <summary>F13 and F14 for withdrawals and anchors: every fault of a node, reorganisations, evictions, lost locks, older copies
/// of the wallet, a thief with its keys, and the process ending at any of its steps.</summary>
[Trait("suite", "faults")]
public sealed class PayoutScheduleTests(ITestOutputHelper output)
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 100_000 : 1_000;

    [Fact]
    public void Every_withdrawal_is_paid_once_by_a_transaction_that_was_durable_before_it_left()
    {
        long faults = 0, reorganisations = 0, evictions = 0, withdrawals = 0, families = 0, replacements = 0, restarts = 0, expired = 0, charged = 0;
        long anchors = 0, children = 0, thefts = 0, deaths = 0, stops = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var schedule = new PayoutSchedule(seed);
            schedule.Run();
            Interlocked.Add(ref faults, schedule.Faults);
            Interlocked.Add(ref reorganisations, schedule.Reorganisations);
            Interlocked.Add(ref evictions, schedule.Evictions);
            Interlocked.Add(ref withdrawals, schedule.Withdrawals);
            Interlocked.Add(ref families, schedule.Families);
            Interlocked.Add(ref replacements, schedule.Replacements);
            Interlocked.Add(ref restarts, schedule.Restarts);
            Interlocked.Add(ref expired, schedule.Expired);
            Interlocked.Add(ref charged, schedule.Charged);
            Interlocked.Add(ref anchors, schedule.Anchors);
            Interlocked.Add(ref children, schedule.Children);
            Interlocked.Add(ref thefts, schedule.Thefts);
            Interlocked.Add(ref deaths, schedule.Deaths);
            Interlocked.Add(ref stops, schedule.Stops);
        });
        if (Seeds.Only is not null) return;
        output.WriteLine($"{faults} calls failed, {reorganisations} reorganisations, {evictions} evictions, {restarts} restarts; {withdrawals} withdrawals in {families} families with {replacements} replacements; {charged} charged, {expired} expired");
        output.WriteLine($"{anchors} anchors, {children} children; {thefts} thefts, {deaths} deaths, {stops} stops");
        Assert.True(faults >= 5 * SeedsInAll && reorganisations >= 5 * SeedsInAll && restarts >= 3 * SeedsInAll && withdrawals >= 5 * SeedsInAll);
        Assert.True(charged >= 2 * SeedsInAll && expired >= SeedsInAll / 8);
        Assert.True(replacements >= SeedsInAll / 4);
        Assert.True(evictions >= SeedsInAll / 2 && families >= 2 * SeedsInAll);
        Assert.True(anchors >= 2 * SeedsInAll && children >= SeedsInAll / 20 && thefts >= SeedsInAll / 4 && deaths >= SeedsInAll / 20 && stops >= SeedsInAll / 100);
    }

    [Fact]
    public void The_same_seed_gives_the_same_schedule()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            using var schedule = new PayoutSchedule(seed);
            schedule.Run();
            using var again = new PayoutSchedule(seed);
            again.Run();
            Assert.Equal(
                (schedule.Calls, schedule.Faults, schedule.Reorganisations, schedule.Evictions, schedule.Withdrawals, schedule.Families),
                (again.Calls, again.Faults, again.Reorganisations, again.Evictions, again.Withdrawals, again.Families));
        }
    }

    [Theory]
    [InlineData(NodeBug.SendsSigned)]
    [InlineData(NodeBug.RebuildsUnknown)]
    public void A_planted_bug_is_found(NodeBug bug)
    {
        var found = Seeds.FirstFailing(200, seed =>
        {
            using var schedule = new PayoutSchedule(seed, bug);
            schedule.Run();
        });
        output.WriteLine($"{bug}: {found} seeds");
        Assert.NotNull(found);
    }
}
