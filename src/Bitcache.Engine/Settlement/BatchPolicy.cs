// When withdrawals leave. Numbers only. As a rule those of an epoch leave when it has closed, with its anchor. In between
// enough of them leave, or the oldest has waited long enough, or one that bears its share of the fee is near its deadline;
// and while mining is dear, those that can wait do.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <param name="Closed">The first sequence of the partition that is not part of a closed epoch.</param>
/// <param name="Now">The ledger's time; null while it is not trusted.</param>
/// <param name="Rate">What mining costs; null where nobody looked.</param>
public readonly record struct BatchMoment(long Closed, UnixTime? Now, FeeRate? Rate);

public static class BatchPolicy
{
    /// <summary>A withdrawal this near to its deadline leaves at once where users bear the fees: it would go back otherwise. Where the
    /// operator bears them it does go back, so that nobody has him send a transaction whenever he likes.</summary>
    public static readonly TimeSpan UrgentBefore = TimeSpan.FromMinutes(10);

    private const int SatsPerKvBInSatPerVB = 1_000;

    /// <summary>Which of the withdrawals that wait leave now.</summary>
    /// <param name="due">Oldest first.</param>
    /// <param name="moment">When they are asked for.</param>
    /// <param name="settings">The operator's.</param>
    /// <param name="turns">Of the scripts to which something is on its way; null where nobody looked.</param>
    public static Withdrawal[] Leaving(IReadOnlyList<Withdrawal> due, BatchMoment moment, EngineSettings settings, ScriptTurns? turns = null)
    {
        var isDear = settings.FeeRatePatience > 0 && moment.Rate is { } rate && rate.SatsPerKvB > (long)settings.FeeRatePatience * SatsPerKvBInSatPerVB;
        var ready = due.Where(w => !isDear || IsUrgent(w) || HasWaited(w, moment.Now, settings.WithdrawalWaitMax)).ToArray();
        // One that waits whatever is decided here would have each of the others leave alone.
        var counted = ready.Where(w => w.Amount.Value <= settings.WithdrawalLimits.LargestSat && turns?.Has(w) != false).ToArray();
        var isBatch = counted.Any(IsUrgent)
            || (settings.WithdrawalBatchCount > 0 && counted.Length >= settings.WithdrawalBatchCount)
            || (settings.WithdrawalBatchTime > TimeSpan.Zero && counted.Any(w => HasWaited(w, moment.Now, settings.WithdrawalBatchTime)));
        // Where one must leave, the others share what carries it.
        return isBatch ? ready : [.. ready.Where(w => w.Sequence < moment.Closed)];

        bool IsUrgent(Withdrawal withdrawal) =>
            settings.WithdrawalFeeShare && withdrawal.Deadline is { } deadline && moment.Now is { } now
            && deadline.Milliseconds - now.Milliseconds <= (long)UrgentBefore.TotalMilliseconds;
    }

    private static bool HasWaited(Withdrawal withdrawal, UnixTime? now, TimeSpan length) =>
        now is { } time && time.Milliseconds - withdrawal.Requested.Milliseconds >= (long)length.TotalMilliseconds;
}
