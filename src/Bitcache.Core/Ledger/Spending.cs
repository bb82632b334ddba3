namespace Bitcache.Core;

/// <summary>What a wallet may spend: by one payment, in one clock hour and in one day of journaled time (UTC). Zero is
/// no limit. Counted are transfers, splits and holds, without their fees; a hold counts wholly when it is placed, and
/// what is not captured of it is not given back. Withdrawals and refunds are not counted.</summary>
public readonly record struct SpendingLimits(Msat PerPayment, Msat PerHour, Msat PerDay);

/// <summary>One wallet's limits, and what it spent of them.</summary>
internal struct Spending
{
    private const long HourMilliseconds = 3_600_000;
    private const long DayMilliseconds = 24 * HourMilliseconds;

    /// <summary>The wallet's slot.</summary>
    public int Wallet;
    public SpendingLimits Limits;
    /// <summary>The clock hour and day since 1970 in which something was spent last, and how much in each.</summary>
    public long Hour;
    public long Day;
    public Msat InHour;
    public Msat InDay;

    /// <summary>The largest amount that one payment may have now.</summary>
    /// <returns>In msat; without limits more than all the money there is.</returns>
    public readonly long Room(UnixTime now)
    {
        var perPayment = Left(Limits.PerPayment, Msat.Zero);
        var inHour = Left(Limits.PerHour, now.Milliseconds / HourMilliseconds == Hour ? InHour : Msat.Zero);
        var inDay = Left(Limits.PerDay, now.Milliseconds / DayMilliseconds == Day ? InDay : Msat.Zero);
        return Math.Min(perPayment, Math.Min(inHour, inDay));
    }

    public void Count(Msat amount, UnixTime now)
    {
        var (hour, day) = (now.Milliseconds / HourMilliseconds, now.Milliseconds / DayMilliseconds);
        if (hour != Hour) (Hour, InHour) = (hour, Msat.Zero);
        if (day != Day) (Day, InDay) = (day, Msat.Zero);
        InHour = Add(InHour, amount);
        InDay = Add(InDay, amount);
    }

    private static long Left(Msat limit, Msat spent) => limit.IsZero ? long.MaxValue : Math.Max(0, limit.Value - spent.Value);

    /// <summary>Money that goes round may be spent more than once: above the supply, where no limit lies, counting ends.</summary>
    private static Msat Add(Msat a, Msat b) => new(Math.Min(Core.Limits.SupplyMsatMax, a.Value + b.Value));
}

/// <summary>The wallets that were ever given limits, in the order in which they were. Most have none, and are not here.</summary>
internal sealed class SpendingTable
{
    private const int CapacityMin = 64;
    private Spending[] _spending = new Spending[CapacityMin];

    public int Count { get; private set; }

    public ReadOnlySpan<Spending> All => _spending.AsSpan(0, Count);

    /// <summary>By <see cref="Wallet.Spending"/>, which is 1 or more. The reference is good until the next <see cref="Add"/>.</summary>
    public ref Spending this[int number] => ref _spending[number - 1];

    public int Add(int wallet)
    {
        if (Count == _spending.Length) Array.Resize(ref _spending, 2 * Count);
        _spending[Count] = new Spending { Wallet = wallet };
        return ++Count;
    }
}
