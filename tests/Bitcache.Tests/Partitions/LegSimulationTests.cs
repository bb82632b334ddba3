using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Partitions;

/// <summary>F1, F5, F8, F9 and F17 over several partitions: power loss, failing syncs, a full disk, the process killed, and
/// clients that retry, with credits on their way.</summary>
[Trait("suite", "faults")]
public sealed class LegSimulationTests(ITestOutputHelper output)
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 20_000 : 300;

    [Fact]
    public void Every_payment_between_partitions_is_one_debit_and_one_credit()
    {
        int halts = 0, stopped = 0, resumed = 0, snapshots = 0, full = 0, credits = 0, retries = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var simulation = new LegSimulation(seed);
            simulation.Run();
            Interlocked.Add(ref halts, simulation.Halts);
            Interlocked.Add(ref stopped, simulation.StoppedBySync);
            Interlocked.Add(ref resumed, simulation.ResumedLegs);
            Interlocked.Add(ref snapshots, simulation.FromSnapshots);
            Interlocked.Add(ref full, simulation.FullTurns);
            Interlocked.Add(ref credits, simulation.Credits);
            Interlocked.Add(ref retries, simulation.Retries);
        });
        if (Seeds.Only is not null) return;
        output.WriteLine($"{halts} lives that power ended, {stopped} that a failed sync ended, {resumed} legs resumed, {snapshots} from snapshots, {full} turns with a full disk, {credits} credits, {retries} retries");
        Assert.True(halts >= SeedsInAll / 2 && stopped >= SeedsInAll / 20 && resumed >= SeedsInAll, $"{halts} halts, {stopped} failed syncs, {resumed} legs resumed");
        Assert.True(snapshots >= SeedsInAll / 2 && full >= SeedsInAll / 20 && credits >= 10 * SeedsInAll && retries >= SeedsInAll, $"{snapshots}, {full}, {credits}, {retries}");
    }

    public static TheoryData<string> Bugs => [.. Enum.GetValues<LegBug>().Where(bug => bug is > LegBug.None and < LegBug.AnswerIsOld).Select(bug => bug.ToString())];

    [Theory]
    [MemberData(nameof(Bugs))]
    public void A_planted_bug_is_found(string name)
    {
        var found = Seeds.FirstFailing(500, seed =>
        {
            using var simulation = new LegSimulation(seed, Enum.Parse<LegBug>(name));
            simulation.Run();
        });
        output.WriteLine($"{name}: {found} seeds");
        Assert.NotNull(found);
    }
}
