using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>A window of ids that is full, or nearly: what is refused then, and to whom.</summary>
[Trait("suite", "core")]
public sealed class WindowBoundTests : IAsyncLifetime
{
    private const int WindowIds = 160;
    private const int WindowBytes = 48 << 10;
    private readonly GatedJournal _journal = new();
    private readonly TwoClocks _clocks = new();
    private OwnedPartition _partition = null!;
    private WalletId _payer;
    private WalletId _payee;

    public async ValueTask InitializeAsync()
    {
        _partition = BegunLedger.Over(_journal, _clocks, bounds: new PartitionBounds { WindowIds = WindowIds, WindowBytes = WindowBytes });
        _partition.Start();
        (_payer, _payee) = await BegunLedger.BeginAsync(_partition, _clocks, sat: 1_000);
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task The_floor_rises_early_when_the_ids_take_too_much_memory()
    {
        for (var i = 0; i < WindowIds * 3 / 4; i++)
        {
            Assert.Equal(Outcome.Accepted, (await PayAsync(Transfer(NewId()))).Outcome);
            _clocks.Pass(TimeSpan.FromSeconds(2));
        }
        // Each of these ids is alone in its second.
        Assert.InRange(FloorsRaised(), 1, 6);
        Assert.InRange((await _partition.QueryAsync(ledger => ledger.WindowUse)).Bytes, 1, WindowBytes);
    }

    [Fact]
    public async Task With_no_room_for_an_id_what_adds_none_goes_on()
    {
        var paid = Transfer(NewId());
        await PayAsync(paid);
        await FillWhileTheFloorStaysAsync();
        var deposit = new ChangeDeposit(new OutPoint(default, 1), DepositState.Credited, false, BegunLedger.Script, new Sats(1_000), default, 1);
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(deposit)).Outcome);
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(new LogCut(1, [_partition.DurableSequence]))).Outcome);
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(new ConfirmClock())).Outcome);
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(new EpochCut(default, 1))).Outcome);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => _partition.SubmitAsync(new CreateWallet(NewId(), 0, ClientIds.NextWallet())));
        // A retry writes nothing, alone or among others.
        Assert.True((await PayAsync(paid)).IsRetry);
        await AnswerAsync([paid, paid]);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => AnswerAsync([paid, Transfer(NewId())]));
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(new RaiseFloor(Now))).Outcome);
        Assert.Equal(Outcome.Accepted, (await PayAsync(Transfer(NewId(TimeSpan.FromMinutes(10))))).Outcome);
    }

    [Fact]
    public async Task With_no_room_in_the_journal_a_block_of_retries_is_answered()
    {
        var paid = Transfer(NewId());
        await PayAsync(paid);
        _journal.IsFull = true;
        // The batch that finds the disk full was promised its room before.
        await PayAsync(Transfer(NewId()));
        await AnswerAsync([paid, paid]);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => AnswerAsync([paid, Transfer(NewId())]));
        _journal.IsFull = false;
    }

    [Fact]
    public async Task Ids_that_are_ahead_of_time_push_nobody_elses_out()
    {
        var floors = FloorsRaised();
        var honest = new List<Payment>();
        var outcomes = new List<Outcome>();
        for (var i = 0; i < 30; i++)
        {
            honest.Add(Transfer(NewId()));
            Assert.Equal(Outcome.Accepted, (await PayAsync(honest[^1])).Outcome);
            _clocks.Pass(TimeSpan.FromMilliseconds(300));
            for (var j = 0; j < 20; j++) outcomes.Add((await PayAsync(Transfer(NewId(TimeSpan.FromSeconds(120 + j))))).Outcome);
        }
        Assert.Equal([Outcome.Accepted, Outcome.IdAhead], outcomes.Distinct());
        Assert.Equal(Outcome.IdAhead, outcomes[^1]);
        foreach (var payment in honest) Assert.True((await PayAsync(payment)).IsRetry);
        Assert.Equal(floors, FloorsRaised());
        // Clocks that are a little fast harm nobody, and are not refused.
        Assert.Equal(Outcome.Accepted, (await PayAsync(Transfer(NewId(TimeSpan.FromSeconds(5))))).Outcome);
        // When their time comes there is room again.
        _clocks.Pass(TimeSpan.FromSeconds(150));
        Assert.Equal(Outcome.Accepted, (await PayAsync(Transfer(NewId(TimeSpan.FromSeconds(120))))).Outcome);
    }

    [Fact]
    public async Task Ids_of_any_time_do_not_fill_the_window_while_the_clock_is_not_trusted()
    {
        _clocks.Jump = TimeSpan.FromHours(30);
        var outcomes = new List<Outcome>();
        // Refused for want of funds, and remembered, each alone in its second.
        for (var i = 1; i <= 2 * WindowIds; i++)
            outcomes.Add((await PayAsync(Transfer(NewId(TimeSpan.FromDays(i))) with { Amount = new Msat(Limits.SupplyMsatMax) })).Outcome);
        Assert.Equal([Outcome.InsufficientFunds, Outcome.IdAhead], outcomes.Distinct());
        Assert.True(await _partition.ConfirmClockAsync());
        // The floor will never pass them. The rest of the window is everybody's.
        for (var i = 0; i < 2 * WindowIds; i++)
        {
            Assert.Equal(Outcome.Accepted, (await PayAsync(Transfer(NewId()))).Outcome);
            _clocks.Pass(TimeSpan.FromSeconds(2));
        }
        Assert.InRange((await _partition.QueryAsync(ledger => ledger.WindowUse)).Bytes, 1, WindowBytes);
    }

    /// <summary>With a clock that is not trusted the floor does not rise.</summary>
    private async Task FillWhileTheFloorStaysAsync()
    {
        _clocks.Jump = TimeSpan.FromMinutes(-10);
        for (var i = 0; i <= 2 * WindowIds; i++)
        {
            try
            {
                await PayAsync(Transfer(NewId(TimeSpan.FromMinutes(9))));
            }
            catch (PartitionUnavailableException e)
            {
                Assert.Equal(Unavailable.Busy, e.Reason);
                return;
            }
        }
        Assert.Fail("The window has no end.");
    }

    private UnixTime Now => new((_clocks.GetUtcNow() - _clocks.Jump).ToUnixTimeMilliseconds());

    private OperationId NewId(TimeSpan ahead = default) =>
        OperationId.Create(new UnixTime((_clocks.GetUtcNow() + ahead).ToUnixTimeMilliseconds()), ClientIds.DrawSalt());

    private Payment Transfer(OperationId id) => new() { Kind = PaymentKind.Transfer, Id = id, Payer = _payer, Payee = _payee, Amount = new Msat(1) };

    private async Task<PaymentAnswer> PayAsync(Payment payment) => await _partition.SubmitAsync(payment, Ledger.OperatorTenant);

    private async Task AnswerAsync(Payment[] payments)
    {
        var block = new PaymentBlock(payments.Length) { Count = payments.Length, Tenant = Ledger.OperatorTenant };
        payments.CopyTo(block.Payments);
        await _partition.SubmitAsync(block);
        _partition.Recall(block);
        foreach (var result in block.Results.ToArray()) Assert.Equal(Outcome.Accepted, result.Outcome);
    }

    private int FloorsRaised()
    {
        var count = 0;
        _partition.ReadRecords(0, _partition.DurableSequence + 1, record => count += Entry.Read(record).Type == EntryType.FloorRaised ? 1 : 0);
        return count;
    }
}
