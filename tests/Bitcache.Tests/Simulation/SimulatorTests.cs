using System.Globalization;

namespace Bitcache.Tests.Simulation;

/// <summary>F1, F15, F17 and F19 over the whole partition: clients, queue, ledger, journal and its upkeep on a simulated
/// machine. <c>bitcache simulate --seed n</c> begins with the seed that a failure names.</summary>
[Trait("suite", "faults")]
public sealed class SimulatorTests
{
    private static readonly bool IsFull = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1";

    private static readonly string[] MustBeMet =
    [
        "answered Accepted", "answered InsufficientFunds", "answered LimitExceeded", "answered WalletFrozen", "answered HoldExceeded", "answered RefundExceeds",
        "answered IdReused", "answered IdInFlight", "answered IdBelowFloor", "answered IdAhead", "answered outcome unknown", "answered WithdrawalNotQueued", "refused Busy", "refused StorageFull",
        "entry HoldCaptured", "entry HoldExpired", "entry SplitPaid", "entry PaymentRefunded", "entry WithdrawalRequested", "entry WithdrawalCancelled", "entry SuspenseAssigned", "entry DepositSettled", "entry WithdrawalExpired", "entry WithdrawalCharged", "answered FeeAboveMax", "answered DeadlineOutOfRange", "entry WithdrawalsStopSet", "entry WithdrawalDecided", "answered SecondPersonNeeded", "answered WithdrawalsStopped", "entry FamilyOpened", "entry FamilyDied", "entry FamilyArchived", "entry ChildSigned", "entry EpochCut", "entry TermBegun", "answered TermOver",
        "entry LogCut", "entry DepositChanged", "entry FloorRaised", "blocks", "crashes", "killed", "power lost", "restarted", "stopped by the disk", "torn tail cut",
        "several segments", "interrupted starts", "clock wrong", "clock confirmed", "damage refused", "old ids found", "questions", "rested", "synced by the owner", "upkeep turns",
    ];

    [Fact]
    public void Every_promise_is_kept_whatever_fails()
    {
        var met = Run(seeds: IsFull ? 20_000 : 100, steps: Simulator.StepsInEpisode, Emphasis.Even);
        if (Seeds.Only is null) Assert.All(MustBeMet, what => Assert.True(met[what] > 0, what));
    }

    [Fact]
    public void Nothing_expires_on_a_jump_of_the_clock_and_work_goes_on_when_it_is_right_again()
    {
        var met = Run(seeds: IsFull ? 50_000 : 500, steps: 300, Emphasis.Clocks);
        if (Seeds.Only is null) Assert.True(met["clock wrong"] >= 500 && met["rested"] >= 100, met.ToString());
    }

    [Fact]
    public void Requests_sent_up_to_five_times_across_crashes_have_one_effect_and_one_answer()
    {
        var met = Run(seeds: IsFull ? 10_000 : 100, steps: 500, Emphasis.Retries);
        if (Seeds.Only is null) Assert.True(met["retries"] >= 10_000 && met["crashes"] >= 100, met.ToString());
    }

    /// <summary>Numbers and days are written differently on this thread, and the machine is elsewhere.</summary>
    [Fact]
    public void A_seed_runs_the_same_steps_in_every_culture_and_time_zone()
    {
        var zone = Environment.GetEnvironmentVariable("TZ");
        try
        {
            var runs = new[] { ("UTC", "-", "."), ("Asia/Kathmandu", "~", ","), ("America/St_Johns", "minus", "'") }.Select(place => AllIn(place.Item1, place.Item2, place.Item3)).ToArray();
            Assert.Equal(runs[0], runs[1]);
            Assert.Equal(runs[0], runs[2]);
        }
        finally
        {
            SetZone(zone);
        }
    }

    private static string[] AllIn(string zone, string minus, string point)
    {
        var seeds = IsFull ? 1_000 : 100;
        SetZone(zone);
        var digests = new string[seeds];
        Seeds.Run(seeds, seed =>
        {
            var before = CultureInfo.CurrentCulture;
            var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (culture.NumberFormat.NegativeSign, culture.NumberFormat.NumberDecimalSeparator) = (minus, point);
            CultureInfo.CurrentCulture = culture;
            try
            {
                var result = Simulator.Run(seed, steps: 200);
                digests[seed - 1] = string.Join(' ', result.Coverage.Counts.Select(c => $"{c.Key}:{c.Value.ToString(CultureInfo.InvariantCulture)}").Prepend(result.State.ToString()));
            }
            finally
            {
                CultureInfo.CurrentCulture = before;
            }
        });
        return digests;
    }

    private static void SetZone(string? zone)
    {
        Environment.SetEnvironmentVariable("TZ", zone);
        TimeZoneInfo.ClearCachedData();
    }

    private static Coverage Run(int seeds, int steps, Emphasis emphasis)
    {
        var met = new Coverage();
        Seeds.Run(seeds, seed =>
        {
            var result = Simulator.Run(seed, steps, emphasis);
            lock (met) met.Add(result.Coverage);
        });
        return met;
    }
}
