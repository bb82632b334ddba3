using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>Holds that expire by the partition's own clock: each an entry, none on a clock that cannot be trusted.</summary>
[Trait("suite", "core")]
public sealed class HoldExpiryTests : IAsyncLifetime
{
    private const int ExpiriesPerBatchMax = 256;
    private readonly GatedJournal _journal = new();
    private readonly TwoClocks _clocks = new();
    private Partition _partition = null!;
    private WalletId _payer;
    private WalletId _payee;

    public async ValueTask InitializeAsync()
    {
        _partition = new Partition(
            new Ledger(0), _journal, new BatchClock(_clocks, null), NullLogger.Instance, (why, cause) => throw new InvalidOperationException(why, cause));
        _partition.Start();
        _payer = ClientIds.NextWallet();
        await _partition.SubmitAsync(new Genesis("test/log", 3, 1, _payer, new ByteString([0x51]), []));
        _payee = (await _partition.SubmitAsync(new CreateWallet(NewId(), 0, ClientIds.NextWallet()))).Owner!.Value.Id;
        var script = new ByteString([0, 20, .. new byte[20]]);
        await _partition.SubmitAsync(new AssignAddress(NewId(), _payer, AddressPurpose.OperatorTopUp, script));
        await _partition.SubmitAsync(new ChangeDeposit(default, DepositState.Credited, false, script, new Sats(1), default, 1));
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
        _clocks.Pass(TimeSpan.FromSeconds(holds));
        // Each look waits for its answer, so that each has a batch of its own.
        Assert.Equal((holds - ExpiriesPerBatchMax, 1_000 - holds + ExpiriesPerBatchMax), await LookAsync());
        Assert.Equal((0, 1_000), await LookAsync());
        var times = new List<UnixTime>();
        for (var i = 0; i < holds; i++)
        {
            var expired = (ExpireHold)_partition.ReadEntry(_partition.DurableSequence - holds + 1 + i).Command;
            times.Add(((PlaceHold)_partition.ReadEntry(_partition.FindForgottenId(_payer, expired.Hold)!.Value).Command).Expires);
        }
        Assert.Equal(times.Order(), times);
        Assert.Equal(holds, times.Distinct().Count());
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
