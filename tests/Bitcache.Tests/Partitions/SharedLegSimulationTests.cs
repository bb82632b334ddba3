using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Partitions;

/// <summary>F11, F12 and F17 over several partitions that several processes share: appends that fail or seem to, writers that are
/// replaced, processes that begin anew, and clients that retry, with credits on their way.</summary>
[Trait("suite", "faults")]
public sealed class SharedLegSimulationTests(ITestOutputHelper output)
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 20_000 : 200;

    [Fact]
    public void Every_payment_between_partitions_is_one_debit_and_one_credit_whichever_process_writes_them()
    {
        int moves = 0, stepsDown = 0, starts = 0, credits = 0, elsewhere = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var simulation = new SharedLegSimulation(seed);
            simulation.Run();
            Interlocked.Add(ref moves, simulation.Moves);
            Interlocked.Add(ref stepsDown, simulation.StepsDown);
            Interlocked.Add(ref starts, simulation.Starts);
            Interlocked.Add(ref credits, simulation.Credits);
            Interlocked.Add(ref elsewhere, simulation.CreditsFromElsewhere);
        });
        if (Seeds.Only is not null) return;
        output.WriteLine($"{moves} moves, {stepsDown} steps down, {starts} processes that began anew, {credits} credits, {elsewhere} parcels from partitions that were written elsewhere");
        Assert.True(moves >= 10 * SeedsInAll && stepsDown >= 5 * SeedsInAll && starts >= SeedsInAll, $"{moves}, {stepsDown}, {starts}");
        Assert.True(credits >= 10 * SeedsInAll && elsewhere >= 10 * SeedsInAll, $"{credits}, {elsewhere}");
    }

    [Theory]
    [InlineData(nameof(LegBug.AcknowledgedBeforeDurable))]
    [InlineData(nameof(LegBug.SentBeforeDurable))]
    [InlineData(nameof(LegBug.CreditedTwice))]
    [InlineData(nameof(LegBug.AnswerIsOld))]
    [InlineData(nameof(LegBug.ReplacedUnaware))]
    [InlineData(nameof(LegBug.GivenUpAndSent))]
    public void A_planted_bug_is_found(string name)
    {
        var found = Seeds.FirstFailing(200, seed =>
        {
            using var simulation = new SharedLegSimulation(seed, Enum.Parse<LegBug>(name));
            simulation.Run();
        });
        output.WriteLine($"{name}: {found} seeds");
        Assert.NotNull(found);
    }
}
