using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>Holds that expire by the partition's own clock: each an entry, none on a clock that cannot be trusted.</summary>
[Trait("suite", "core")]
public sealed class HoldExpiryTests : IAsyncLifetime
{
    private const int ExpiriesPerBatchMax = 256;
    private readonly GatedJournal _journal = new();
    private readonly TwoClocks _clocks = new();
    private OwnedPartition _partition = null!;
    private WalletId _payer;
    private WalletId _payee;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _partition = BegunLedger.Over(_journal, _clocks);
        _partition.Start();
        (_payer, _payee) = await BegunLedger.BeginAsync(_partition, _clocks, sat: 1);
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task What_is_left_of_a_hold_goes_back_when_its_time_has_come_and_not_before()
    {
        var hold = await HoldAsync(TimeSpan.FromMinutes(1), 100);
        Assert.Equal(Outcome.Accepted, (await CaptureAsync(hold, 30)).Outcome);
        _clocks.Pass(TimeSpan.FromMilliseconds(59_999));
        Assert.Equal((1, 900), await LookAsync());
        _clocks.Pass(TimeSpan.FromMilliseconds(1));
        // The question is asked in the same batch, behind the expiry.
        Assert.Equal((0, 970), await LookAsync());
        var entry = _partition.ReadEntry(_partition.DurableSequence);
        Assert.Equal((EntryType.HoldExpired, new Msat(70), _payee, At(60)), (entry.Type, entry.Released, entry.Payee, entry.Time));
        Assert.Equal(new ExpireHold(_payer, hold.Id), entry.Command);
        Assert.Equal(Outcome.HoldNotFound, (await CaptureAsync(hold, 1)).Outcome);
    }

    [Theory]
    [InlineData(3_600)]
    [InlineData(-3_600)]
    public async Task After_a_jump_of_the_clock_nothing_expires_until_it_is_right_again(int seconds)
    {
        await HoldAsync(TimeSpan.FromMinutes(1), 100);
        _clocks.Jump = TimeSpan.FromSeconds(seconds);
        Assert.Equal((1, 900), await LookAsync());
        Assert.False(_partition.IsClockTrusted);
        // Its time would have come, but nobody knows that while the wall clock is wrong.
        _clocks.Pass(TimeSpan.FromMinutes(2));
        Assert.Equal((1, 900), await LookAsync());

        _clocks.Jump = TimeSpan.Zero;
        Assert.Equal((0, 1_000), await LookAsync());
    }

    [Fact]
    public async Task After_a_jump_an_operators_word_lets_holds_expire()
    {
        await HoldAsync(TimeSpan.FromMinutes(30), 100);
        _clocks.Jump = TimeSpan.FromHours(1);
        Assert.Equal((1, 900), await LookAsync());
        await _partition.ConfirmClockAsync();
        Assert.Equal((0, 1_000), await LookAsync());
    }

    [Fact]
    public async Task Many_that_expire_at_once_are_spread_over_batches_the_first_first()
    {
        const int holds = ExpiriesPerBatchMax + 100;
        await Task.WhenAll(Enumerable.Range(0, holds).Select(i => HoldAsync(TimeSpan.FromSeconds(holds - i), 1)));
        var placed = _partition.DurableSequence;
        _journal.Batches.Clear();
        _clocks.Pass(TimeSpan.FromSeconds(holds));
        // With whatever comes next, or with the alarm: a batch takes no more than its share.
        while ((await LookAsync()).Open > 0) Cancel.ThrowIfCancellationRequested();
        Assert.Equal((0, 1_000), await LookAsync());
        Assert.Equal(holds, _partition.DurableSequence - placed);
        Assert.Equal([ExpiriesPerBatchMax, holds - ExpiriesPerBatchMax], _journal.Batches);
        var times = new List<UnixTime>();
        for (var i = 0; i < holds; i++)
        {
            var expired = (ExpireHold)_partition.ReadEntry(_partition.DurableSequence - holds + 1 + i).Command;
            times.Add(((PlaceHold)_partition.ReadEntry(_partition.FindForgottenId(_payer, expired.Hold)!.Value).Command).Expires);
        }
        Assert.Equal(times.Order(), times);
        Assert.Equal(holds, times.Distinct().Count());
    }

    [Fact]
    public async Task A_hold_expires_though_nobody_asks_for_anything()
    {
        await HoldAsync(TimeSpan.FromMinutes(1), 100);
        var (placed, appends) = (_partition.DurableSequence, _journal.Appends);
        await PassWhenAsleepAsync(wakes: 58, TimeSpan.FromSeconds(58));
        await PassWhenAsleepAsync(wakes: 59, TimeSpan.FromSeconds(1));
        await PassWhenAsleepAsync(wakes: 60, TimeSpan.FromMilliseconds(999));
        Assert.Equal(appends, _journal.Appends);
        _clocks.Pass(TimeSpan.FromMilliseconds(1));
        await DurableAsync(placed + 1);
        var entry = _partition.ReadEntry(placed + 1);
        Assert.Equal((EntryType.HoldExpired, At(60)), (entry.Type, entry.Time));
        // Until the wall clock may show the time, by however little it is set, nobody looks at it.
        Assert.Equal([58, 59, 60], _clocks.TimersSet.Select(t => t.TotalSeconds).Distinct());
    }

    [Fact]
    public async Task Without_holds_nothing_wakes_an_idle_partition()
    {
        await LookAsync();
        Assert.Empty(_clocks.TimersSet);
        // What is closed in time asks for nothing more: what was set rings once.
        var hold = await HoldAsync(TimeSpan.FromMinutes(1), 100);
        await AsleepAsync(wakes: 58);
        await CaptureAsync(hold, 100);
        var batches = _journal.Batches.Count;
        _clocks.Pass(TimeSpan.FromMinutes(2));
        Assert.Equal((0, 900), await LookAsync());
        Assert.Equal(batches, _journal.Batches.Count);
        Assert.Equal([58], _clocks.TimersSet.Select(t => t.TotalSeconds).Distinct());
    }

    [Fact]
    public async Task What_is_due_while_the_clock_is_wrong_expires_within_a_second_of_its_being_right()
    {
        await HoldAsync(TimeSpan.FromMinutes(1), 100);
        var placed = _partition.DurableSequence;
        _clocks.Jump = TimeSpan.FromHours(1);
        Assert.Equal((1, 900), await LookAsync());
        await PassWhenAsleepAsync(wakes: 58, TimeSpan.FromSeconds(58));
        for (var second = 59; second < 65; second++) await PassWhenAsleepAsync(wakes: second, TimeSpan.FromSeconds(1));
        Assert.Equal(placed, _partition.DurableSequence);

        await AsleepAsync(wakes: 65);
        _clocks.Jump = TimeSpan.Zero;
        _clocks.Pass(TimeSpan.FromSeconds(1));
        await DurableAsync(placed + 1);
        Assert.Equal(EntryType.HoldExpired, _partition.ReadEntry(placed + 1).Type);
    }

    [Fact]
    public async Task What_is_due_while_the_disk_is_full_expires_within_a_second_of_there_being_room()
    {
        await HoldAsync(TimeSpan.FromMinutes(1), 100);
        _journal.IsFull = true;
        await HoldAsync(TimeSpan.FromMinutes(1), 100);
        var placed = _partition.DurableSequence;
        Assert.True(_partition.IsStorageFull);
        await PassWhenAsleepAsync(wakes: 58, TimeSpan.FromSeconds(58));
        for (var second = 59; second < 65; second++) await PassWhenAsleepAsync(wakes: second, TimeSpan.FromSeconds(1));
        Assert.Equal(placed, _partition.DurableSequence);

        await AsleepAsync(wakes: 65);
        _journal.IsFull = false;
        await UntilAsync(() => !_partition.IsStorageFull);
        _clocks.Pass(TimeSpan.FromSeconds(1));
        await DurableAsync(placed + 2);
    }

    /// <summary>Lets time pass once the partition sleeps until a time, in seconds from the start.</summary>
    private async Task PassWhenAsleepAsync(int wakes, TimeSpan time)
    {
        await AsleepAsync(wakes);
        _clocks.Pass(time);
    }

    private Task AsleepAsync(int wakes) => _clocks.TimerSetAsync(TimeSpan.FromSeconds(wakes)).WaitAsync(Cancel);

    private Task DurableAsync(long sequence) => UntilAsync(() => _partition.DurableSequence >= sequence);

    private static async Task UntilAsync(Func<bool> holds)
    {
        while (!holds())
        {
            Cancel.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static UnixTime At(int seconds) => new(TwoClocks.Start.AddSeconds(seconds).ToUnixTimeMilliseconds());

    private OperationId NewId() => ClientIds.Next(_clocks);

    private Task<(int Open, long Available)> LookAsync() =>
        _partition.QueryAsync(ledger => (ledger.OpenHoldCount, ledger.FindWallet(_payer)!.Value.Available.Value));

    private async Task<Payment> HoldAsync(TimeSpan span, long msat)
    {
        var hold = new Payment
        {
            Kind = PaymentKind.Hold,
            Id = NewId(),
            Payer = _payer,
            Payee = _payee,
            Amount = new Msat(msat),
            Expires = new UnixTime((_clocks.GetUtcNow() + span).ToUnixTimeMilliseconds()),
        };
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(hold, Ledger.OperatorTenant)).Outcome);
        return hold;
    }

    private async Task<PaymentAnswer> CaptureAsync(Payment hold, long msat) => await _partition.SubmitAsync(
        new Payment { Kind = PaymentKind.Capture, Id = NewId(), Payer = _payer, Payee = _payee, Target = hold.Id, Amount = new Msat(msat) },
        Ledger.OperatorTenant);
}
