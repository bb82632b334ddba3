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
internal sealed class SpendingTable : IStateTable
{
    private readonly PagedTable<Spending> _spending = new();

    public int Count => _spending.Count;

    /// <summary>By <see cref="WalletRow.Spending"/>, which is 1 or more.</summary>
    public ref Spending this[int number] => ref _spending[number - 1];

    /// <summary>The same to read only.</summary>
    public ref readonly Spending Peek(int number) => ref _spending.Peek(number - 1);

    public int Add(int wallet) => _spending.Add(new Spending { Wallet = wallet }) + 1;

    public IStateRows View(bool hold) => new Rows(hold ? _spending.Capture() : _spending.View());

    public void Release() => _spending.Release();

    public void Read(StateReader reader)
    {
        for (var left = reader.Section(StateSection.Spending); left > 0; left--)
        {
            var row = reader.Begin();
            _spending.Add(new Spending
            {
                Wallet = (int)row.U32(),
                Limits = new SpendingLimits(row.Msat(), row.Msat(), row.Msat()),
                Hour = row.I64(),
                Day = row.I64(),
                InHour = row.Msat(),
                InDay = row.Msat(),
            });
            reader.End(row);
        }
    }

    private sealed class Rows(PagedRows<Spending> spending) : IStateRows
    {
        private const int RowBytes = sizeof(uint) + (7 * sizeof(long));

        public void Write(StateWriter writer)
        {
            writer.Section(StateSection.Spending, spending.Count);
            for (var slot = 0; slot < spending.Count; slot++)
            {
                ref readonly var spent = ref spending[slot];
                var row = writer.Begin(RowBytes);
                row.U32((uint)spent.Wallet);
                row.Amount(spent.Limits.PerPayment);
                row.Amount(spent.Limits.PerHour);
                row.Amount(spent.Limits.PerDay);
                row.I64(spent.Hour);
                row.I64(spent.Day);
                row.Amount(spent.InHour);
                row.Amount(spent.InDay);
                writer.End(row);
            }
        }
    }
}
