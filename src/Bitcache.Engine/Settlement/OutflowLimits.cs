// What may leave, all partitions and wallets together: the hot wallet is one. The ledger's own families say what has left, by
// journaled time, so that neither a restart nor a clock gives more away.

using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>The most that withdrawals may take; null for no bound. Mining fees and anchors do not count.</summary>
/// <param name="TransactionSat">By one transaction, and so by one withdrawal.</param>
/// <param name="HourSat">In any 60 minutes.</param>
/// <param name="DaySat">In any 24 hours.</param>
public sealed record OutflowLimits(long? TransactionSat = null, long? HourSat = null, long? DaySat = null)
{
    /// <summary>In milliseconds, as the day is.</summary>
    internal static readonly long Hour = (long)TimeSpan.FromHours(1).TotalMilliseconds;
    private static readonly long Day = (long)TimeSpan.FromDays(1).TotalMilliseconds;

    /// <summary>Larger withdrawals never leave.</summary>
    public long LargestSat => Math.Min(TransactionSat ?? long.MaxValue, Math.Min(HourSat ?? long.MaxValue, DaySat ?? long.MaxValue));

    /// <summary>Whether it counts when something left.</summary>
    public bool HasWindow => HourSat is not null || DaySat is not null;

    /// <summary>Which withdrawals may leave now. One that would pass a bound waits, and those behind it wait with it, so that many
    /// small ones never keep a large one from leaving. One that no bound would ever let through is passed over.</summary>
    /// <param name="due">Oldest first.</param>
    /// <param name="sentWithin">What left in the last so many milliseconds, or may yet by what was opened in them.</param>
    public (IReadOnlyList<Withdrawal> Leaving, Withheld Withheld) Choose(IReadOnlyList<Withdrawal> due, Func<long, Sats> sentWithin)
    {
        var left = Math.Min(Left(HourSat, Hour), Left(DaySat, Day));
        var leaving = new List<Withdrawal>();
        var withheld = new Withheld(0, 0, Sats.Zero);
        var isFull = false;
        foreach (var withdrawal in due)
        {
            var amount = withdrawal.Amount.Value;
            var never = amount > LargestSat;
            isFull |= !never && amount > left;
            if (never || isFull)
            {
                withheld = new Withheld(withheld.Count + 1, withheld.TooLarge + (never ? 1 : 0), withheld.Amount + withdrawal.Amount);
                continue;
            }
            leaving.Add(withdrawal);
            if (left != long.MaxValue) left -= amount;
        }
        return (leaving, withheld);

        long Left(long? limit, long window) => limit is { } sat
            ? sat - sentWithin(window).Value
            : long.MaxValue;
    }
}

/// <summary>Withdrawals that the limits hold back.</summary>
/// <param name="TooLarge">How many of them never leave under these limits.</param>
public sealed record Withheld(int Count, int TooLarge, Sats Amount)
{
    public static Withheld None { get; } = new(0, 0, Sats.Zero);
}

/// <summary>Applies the limits to what is due in all partitions. Owned by the settlement loop.</summary>
public sealed class OutflowGate(PartitionSet partitions, OutflowLimits limits)
{
    private const long Window = 24 * 3_600_000L;

    /// <summary>What the limits held back when they were last asked.</summary>
    public Withheld Withheld { get; private set; } = Withheld.None;

    public bool MayEverLeave(Withdrawal withdrawal) => withdrawal.Amount.Value <= limits.LargestSat;

    /// <summary>Which of the withdrawals may leave now.</summary>
    /// <param name="due">Of all partitions, oldest first.</param>
    public async Task<IReadOnlyList<Withdrawal>> ChooseAsync(IReadOnlyList<Withdrawal> due)
    {
        Withheld = Withheld.None;
        if (due.Count == 0 || limits == new OutflowLimits()) return due;
        // What was opened in the last 24 hours, with its time; of every partition, for the node's wallet is one.
        var views = await partitions.QueryAllAsync(ledger => ledger.OpenedSince(new UnixTime(Math.Max(0, ledger.Time.Milliseconds - Window))));
        // Each by its own partition's time, as what is older than the limits look back is given up there: or by the time of a partition
        // that is ahead something would count no more, and leave all the same.
        var times = await Task.WhenAll(partitions.All.Select(partition => partition.TimeAsync()));
        var opened = views.SelectMany((view, number) => view.Select(o => (Ago: times[number].Now.Milliseconds - o.Opened.Milliseconds, o.Amount))).ToArray();
        (var leaving, Withheld) = limits.Choose(due, window => new Sats(opened.Where(o => o.Ago < window).Sum(o => o.Amount.Value)));
        return leaving;
    }
}
