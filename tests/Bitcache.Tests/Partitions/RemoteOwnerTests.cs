using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>A partition that another process has: whoever asks from here is told what whoever asks there is, and learns from
/// what goes wrong on the way what he may conclude.</summary>
[Trait("suite", "core")]
public sealed class RemoteOwnerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly GatedJournal _journal = new();
    private readonly OwnedPartition _partition;
    private readonly RemoteOwner _remote;
    private WalletId _payer;
    private WalletId _payee;

    public RemoteOwnerTests()
    {
        _partition = BegunLedger.Over(_journal, TimeProvider.System);
        var own = new OwnPartitions([_partition]);
        _remote = new RemoteOwner((partition, question) => own.AnswerAsync(partition, question), TimeProvider.System, Patience);
    }

    public async ValueTask InitializeAsync()
    {
        _partition.Start();
        (_payer, _payee) = await BegunLedger.BeginAsync(_partition, TimeProvider.System, sat: 1);
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task A_payment_is_answered_as_it_is_where_the_partition_is()
    {
        var payment = Payment(10);
        var answer = await _remote.SubmitAsync(0, payment, Ledger.OperatorTenant);
        Assert.Equal((Outcome.Accepted, new Msat(10), new Msat(990), false), (answer.Outcome, answer.Amount, answer.Payer!.Value.Available, answer.IsRetry));
        Assert.Equal(await _partition.SubmitAsync(payment, Ledger.OperatorTenant), await _remote.SubmitAsync(0, payment, Ledger.OperatorTenant));
    }

    [Fact]
    public async Task A_command_is_answered_as_it_is_where_the_partition_is()
    {
        Command[] commands =
        [
            new SetFrozen(NewId(), _payee, Frozen: true),
            new Split(NewId(), _payer, [new SplitPart(_payee, new Msat(3), 1, ByteString.FromUtf8("a"), Salt: 1), new SplitPart(_payer, new Msat(2), 2, ByteString.Empty, Salt: 2)]),
            new Split(NewId(), _payer, [new SplitPart(_payee, new Msat(3), 1, ByteString.FromUtf8("a"), Salt: 1)]),
            new SetFrozen(NewId(), new WalletId(4_711), Frozen: true),
        ];
        foreach (var command in commands)
        {
            var first = await _remote.SubmitAsync(0, command, Ledger.OperatorTenant, term: 0);
            var here = await _partition.SubmitAsync(command);
            var there = await _remote.SubmitAsync(0, command, Ledger.OperatorTenant, term: 0);
            Assert.Equal(AnyValue.Show(here), AnyValue.Show(there));
            Assert.Equal(AnyValue.Show(here.Entry), AnyValue.Show(first.Entry));
            Assert.Equal(here.Outcome, first.Outcome);
            Assert.Equal(here.Record.ToArray(), first.Record.ToArray());
        }
    }

    [Fact]
    public async Task A_block_is_answered_as_it_is_where_the_partition_is()
    {
        PaymentBlock Block(Payment[] payments)
        {
            var block = new PaymentBlock(payments.Length) { Count = payments.Length, Tenant = Ledger.OperatorTenant };
            payments.CopyTo(block.Payments);
            return block;
        }

        var again = Payment(1);
        Payment[] payments = [again, Payment(2), Payment(5_000), again, Payment(3) with { Payee = new WalletId(4_711) }];
        var (there, here) = (Block(payments), Block(payments));
        await _remote.SubmitAsync(0, there);
        Assert.Equal([Outcome.Accepted, Outcome.Accepted, Outcome.InsufficientFunds, Outcome.IdInFlight, Outcome.PayeeNotFound], Outcomes(there));
        await _remote.SubmitAsync(0, there);
        await _partition.SubmitAsync(here);
        Assert.Equal(here.Results.ToArray(), there.Results.ToArray());
        _partition.Recall(there);
        Assert.Equal([Outcome.Accepted, Outcome.Accepted, Outcome.InsufficientFunds, Outcome.Accepted, Outcome.PayeeNotFound], Outcomes(there));
        await _remote.SubmitAsync(0, Block([]));
    }

    [Fact]
    public async Task A_command_of_a_term_that_is_over_is_refused()
    {
        await _partition.SubmitAsync(new BeginTerm(2, ByteString.Empty));
        Assert.Equal(Outcome.TermOver, (await _remote.SubmitAsync(0, new LogCut(1, [1]), Ledger.OperatorTenant, term: 1)).Outcome);
        Assert.Equal(Outcome.Accepted, (await _remote.SubmitAsync(0, new MoveCursor(1, default), Ledger.OperatorTenant, term: 2)).Outcome);
    }

    [Fact]
    public async Task The_clock_is_confirmed_and_the_time_told_where_the_partition_is()
    {
        var clocks = new TwoClocks();
        await using var partition = BegunLedger.Over(new GatedJournal(), clocks);
        partition.Start();
        await BegunLedger.BeginAsync(partition, clocks, sat: 1);
        var own = new OwnPartitions([partition]);
        var remote = new RemoteOwner((number, question) => own.AnswerAsync(number, question), TimeProvider.System, Patience);
        var first = await remote.TimeAsync(0);
        Assert.Equal((await partition.TimeAsync(), true), (first, first.IsTrusted));

        clocks.Jump = TimeSpan.FromHours(-2);
        Assert.Equal(first with { IsTrusted = false }, await remote.TimeAsync(0));
        Assert.False(await remote.ConfirmClockAsync(0));
        clocks.Jump = TimeSpan.FromHours(2);
        Assert.True(await remote.ConfirmClockAsync(0));
        Assert.True(partition.IsClockTrusted);
        Assert.Equal(new LedgerTime(new UnixTime(first.Now.Milliseconds + 7_200_000), IsTrusted: true), await remote.TimeAsync(0));
    }

    [Fact]
    public async Task Nothing_was_applied_says_who_takes_nothing_and_unknown_says_everybody_else()
    {
        Assert.Equal(Unavailable.Busy, await ReasonAsync(new PartitionUnavailableException(Unavailable.Busy)));
        Assert.Equal(Unavailable.StorageFull, await ReasonAsync(new PartitionUnavailableException(Unavailable.StorageFull)));
        foreach (var failure in new Exception[] { new OutcomeUnknownException(new IOException("cut")), new InvalidOperationException("cut"), new FormatException("cut") })
        {
            var unknown = await Assert.ThrowsAsync<OutcomeUnknownException>(() => AskFailingAsync(failure));
            Assert.Equal("cut", Assert.IsType<PartitionOwnerException>(unknown.InnerException).Message);
        }
    }

    /// <summary>The question may have come to whoever has the partition.</summary>
    [Fact]
    public async Task What_was_not_answered_or_not_in_a_form_that_is_known_is_unknown()
    {
        QuestionCarrier[] carriers = [(_, _) => throw new TimeoutException(), (_, _) => Task.FromResult<byte[]>([2, 1]), (_, _) => Task.FromResult<byte[]>([1, 1, 2])];
        foreach (var carrier in carriers)
        {
            var remote = new RemoteOwner(carrier, TimeProvider.System, Patience);
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => remote.ConfirmClockAsync(0));
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => remote.TimeAsync(0));
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => remote.SubmitAsync(0, Payment(1), Ledger.OperatorTenant).AsTask());
        }
    }

    [Fact]
    public async Task A_question_that_is_not_in_a_form_that_is_known_is_not_put()
    {
        var own = new OwnPartitions([_partition]);
        var remote = new RemoteOwner((partition, question) => own.AnswerAsync(partition, new byte[] { 2 }.Concat(question[1..]).ToArray()), TimeProvider.System, Patience);
        var refused = await Assert.ThrowsAsync<PartitionUnavailableException>(() => remote.SubmitAsync(0, Payment(1), Ledger.OperatorTenant).AsTask());
        Assert.Equal(Unavailable.Busy, refused.Reason);
    }

    [Fact]
    public async Task While_a_partition_is_handed_on_whoever_asks_waits_for_the_next_one_who_has_it()
    {
        var own = new OwnPartitions([_partition]);
        var handedOn = BegunLedger.Over(new GatedJournal(), TimeProvider.System);
        handedOn.Start();
        await handedOn.DisposeAsync();
        var asked = 0;
        QuestionCarrier carrier = (partition, question) => Interlocked.Increment(ref asked) switch
        {
            1 => throw new PartitionElsewhereException(partition),
            2 => new OwnPartitions([handedOn]).AnswerAsync(partition, question),
            _ => own.AnswerAsync(partition, question),
        };
        var remote = new RemoteOwner(carrier, TimeProvider.System, Patience);
        Assert.Equal(Outcome.Accepted, (await remote.SubmitAsync(0, Payment(1), Ledger.OperatorTenant)).Outcome);
        Assert.Equal(3, asked);

        var impatient = new RemoteOwner((partition, _) => throw new PartitionElsewhereException(partition), TimeProvider.System, TimeSpan.Zero);
        var refused = await Assert.ThrowsAsync<PartitionUnavailableException>(() => impatient.SubmitAsync(0, Payment(1), Ledger.OperatorTenant).AsTask());
        Assert.Equal(Unavailable.Busy, refused.Reason);
    }

    private static async Task<Unavailable> ReasonAsync(PartitionUnavailableException failure) =>
        (await Assert.ThrowsAsync<PartitionUnavailableException>(() => AskFailingAsync(failure))).Reason;

    private static Task<Answer> AskFailingAsync(Exception failure)
    {
        var own = new FailingOwner(failure);
        var remote = new RemoteOwner((partition, question) => OwnerMessages.AnswerAsync(own, partition, question), TimeProvider.System, Patience);
        return remote.SubmitAsync(0, new ConfirmClock(), Ledger.OperatorTenant, term: 0);
    }

    private static Outcome[] Outcomes(PaymentBlock block) => [.. block.Results.ToArray().Select(result => result.Outcome)];

    private Payment Payment(long msat) => new() { Kind = PaymentKind.Transfer, Id = NewId(), Payer = _payer, Payee = _payee, Amount = new Msat(msat) };

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private sealed class FailingOwner(Exception failure) : IPartitionOwner
    {
        public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) => Task.FromException<Answer>(failure);
        public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) => throw failure;
        public ValueTask SubmitAsync(int partition, PaymentBlock block) => throw failure;
        public Task<bool> ConfirmClockAsync(int partition) => throw failure;
        public Task<LedgerTime> TimeAsync(int partition) => throw failure;
    }
}
