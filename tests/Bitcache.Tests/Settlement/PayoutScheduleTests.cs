using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>F13 and F14 for withdrawals and anchors: every fault of a node, reorganisations, evictions, lost locks, older copies
/// of the wallet, a thief with its keys, and the process ending at any of its steps.</summary>
[Trait("suite", "node")]
public sealed class PayoutScheduleTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_withdrawal_is_paid_once_by_a_transaction_that_was_durable_before_it_left()
    {
        if (Schedules.Run(seed => new PayoutSchedule(seed), output) is not { } met) return;
        Schedules.AssertMet(met, NodeSchedule.Failures, 5 * Schedules.InAll);
        Schedules.AssertMet(met, NodeSchedule.Reorganisations, 5 * Schedules.InAll);
        Schedules.AssertMet(met, NodeSchedule.Restarts, 3 * Schedules.InAll);
        Schedules.AssertMet(met, PayoutSchedule.Evictions, Schedules.InAll / 2);
        Schedules.AssertMet(met, PayoutSchedule.Withdrawals, 5 * Schedules.InAll);
        Schedules.AssertMet(met, PayoutSchedule.Charged, 2 * Schedules.InAll);
        Schedules.AssertMet(met, PayoutSchedule.Expired, Schedules.InAll / 2);
        Schedules.AssertMet(met, PayoutSchedule.Families, 2 * Schedules.InAll);
        Schedules.AssertMet(met, PayoutSchedule.Replacements, Schedules.InAll / 4);
        Schedules.AssertMet(met, PayoutSchedule.Anchors, 2 * Schedules.InAll);
        Schedules.AssertMet(met, PayoutSchedule.Children, Schedules.InAll / 20);
        Schedules.AssertMet(met, PayoutSchedule.Thefts, Schedules.InAll / 4);
        Schedules.AssertMet(met, PayoutSchedule.Deaths, Schedules.InAll / 20);
        Schedules.AssertMet(met, PayoutSchedule.SettlementStops, Schedules.InAll / 100);
        Schedules.AssertMet(met, PayoutSchedule.DeathsUnsigned, Schedules.InAll / 100);
        Schedules.AssertMet(met, PayoutSchedule.Consolidations, Schedules.InAll / 20);
        Schedules.AssertMet(met, PayoutSchedule.Stops, Schedules.InAll / 2);
        Schedules.AssertMet(met, PayoutSchedule.HeldBack, Schedules.InAll / 2);
        Schedules.AssertMet(met, PayoutSchedule.ShortWithWork, Schedules.InAll / 20);
        Schedules.AssertMet(met, PayoutSigner.SentByItself, Schedules.InAll / 20);
        Schedules.AssertMet(met, PayoutSigner.HandedBackReplaced, Schedules.InAll / 20);
        foreach (var said in Enum.GetValues<SignedOutcome>().Where(o => o != SignedOutcome.None))
            Schedules.AssertMet(met, PayoutSigner.Said(said), Schedules.InAll / 20);
    }

    [Fact]
    public void The_same_seed_gives_the_same_schedule() => Schedules.AssertRepeated(seed => new PayoutSchedule(seed));

    [Theory]
    [InlineData(NodeBug.SendsSigned)]
    [InlineData(NodeBug.RebuildsUnknown)]
    public void A_planted_bug_is_found(NodeBug bug) => Schedules.AssertFound(seed => new PayoutSchedule(seed, bug), bug, output);
}
