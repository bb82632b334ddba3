using Bitcache.Tests.Simulation;

namespace Bitcache.Tests.Settlement;

/// <summary>Addresses and their deposits with a wallet that is restored from old backups.</summary>
[Trait("suite", "node")]
public sealed class RestoreScheduleTests(ITestOutputHelper output)
{
    private static readonly int SeedsInAll = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 20_000 : 300;

    [Fact]
    public void Every_output_to_an_address_that_was_shown_is_credited_once_whatever_backup_the_wallet_is()
    {
        long shown = 0, paid = 0, restores = 0, rescans = 0, longHistories = 0, paidMeanwhile = 0, restarts = 0, faults = 0;
        Seeds.Run(SeedsInAll, seed =>
        {
            using var schedule = new RestoreSchedule(seed);
            schedule.Run();
            Interlocked.Add(ref shown, schedule.Shown);
            Interlocked.Add(ref paid, schedule.Paid);
            Interlocked.Add(ref restores, schedule.Restores);
            Interlocked.Add(ref rescans, schedule.Rescans);
            Interlocked.Add(ref longHistories, schedule.LongHistories);
            Interlocked.Add(ref paidMeanwhile, schedule.PaidMeanwhile);
            Interlocked.Add(ref restarts, schedule.Restarts);
            Interlocked.Add(ref faults, schedule.Faults);
        });
        if (Seeds.Only is not null) return;
        output.WriteLine($"{shown} addresses, {paid} deposits, {restores} restored backups, {rescans} rescans that took more than a turn, {longHistories} of wallets with several pages, {paidMeanwhile} payments in the middle of a look, {restarts} restarts, {faults} calls failed");
        Assert.True(shown >= 20 * SeedsInAll && paid >= 3 * SeedsInAll && restores >= SeedsInAll && longHistories >= SeedsInAll / 2 && paidMeanwhile >= SeedsInAll && restarts >= SeedsInAll && faults >= SeedsInAll);
    }
}
