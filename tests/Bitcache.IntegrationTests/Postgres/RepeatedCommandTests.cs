// What becomes of a command whose answer is lost on the way from the process that writes the partition.

using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class RepeatedCommandTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const long Amount = 1;

    private Silos _silos = null!;
    private LossyWay _way = null!;
    private Silo _caller = null!;
    private WalletId _payer;
    private WalletId _payee;

    public async ValueTask InitializeAsync()
    {
        var settings = postgres.NewDatabase() with { Cluster = "tests" };
        _silos = new Silos(settings);
        var writer = await _silos.StartAsync();
        await _silos.PromoteAsync(writer);
        (_payer, _payee) = await writer.BeginAsync();
        _way = new LossyWay(_silos);
        _caller = await Silo.StartAsync(settings, new SnapshotSettings(), _way, TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        await _caller.DisposeAsync();
        await _silos.DisposeAsync();
    }

    [Fact]
    public async Task A_payment_whose_answer_is_lost_is_asked_for_again_and_made_once()
    {
        foreach (var loss in (Loss[])[Loss.Question, Loss.Answer])
        {
            var before = await _caller.BalanceAsync(_payee);
            _way.Losses = new Queue<Loss>([loss, loss, loss]);
            var answer = await _caller.PayAsync(NewId(), _payer, _payee);
            Assert.Equal((Outcome.Accepted, loss == Loss.Answer), (answer.Outcome, answer.IsRetry));
            Assert.Empty(_way.Losses);
            Assert.Equal(before + Amount, await _caller.BalanceAsync(_payee));
        }
    }

    [Fact]
    public async Task A_command_and_each_payment_of_a_block_are_made_once_too()
    {
        _way.Losses = new Queue<Loss>([Loss.Answer]);
        var frozen = await _caller.Partition.SubmitAsync(new SetFrozen(NewId(), _payee, true));
        Assert.Equal((Outcome.Accepted, true), (frozen.Outcome, frozen.IsRetry));
        Assert.Equal(Outcome.Accepted, (await _caller.Partition.SubmitAsync(new SetFrozen(NewId(), _payee, false))).Outcome);

        var before = await _caller.BalanceAsync(_payee);
        var block = new PaymentBlock(3) { Count = 3 };
        foreach (ref var payment in block.Payments) payment = SharedWallets.Transfer(_payer, _payee, Amount);
        _way.Losses = new Queue<Loss>([Loss.Question, Loss.Answer]);
        await _caller.Partition.SubmitAsync(block);
        _caller.Partition.Recall(block);
        Assert.All(block.Results.ToArray(), result => Assert.Equal(Outcome.Accepted, result.Outcome));
        Assert.Equal(before + (3 * Amount), await _caller.BalanceAsync(_payee));
    }

    /// <summary>Busy would say that nothing was done: it says so of the last time alone.</summary>
    [Fact]
    public async Task What_is_unknown_once_stays_unknown_where_nobody_takes_it_again()
    {
        var (before, id) = (await _caller.BalanceAsync(_payee), NewId());
        _way.Losses = new Queue<Loss>([Loss.Answer, Loss.Busy]);
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => _caller.PayAsync(id, _payer, _payee).AsTask());
        Assert.Empty(_way.Losses);
        Assert.Equal(before + Amount, await _caller.BalanceAsync(_payee));

        var again = await _caller.PayAsync(id, _payer, _payee);
        Assert.Equal((Outcome.Accepted, true), (again.Outcome, again.IsRetry));
        // And alone it is what it says.
        _way.Losses = new Queue<Loss>([Loss.Busy]);
        var busy = await Assert.ThrowsAsync<PartitionUnavailableException>(() => _caller.PayAsync(NewId(), _payer, _payee).AsTask());
        Assert.Equal(Unavailable.Busy, busy.Reason);
    }

    /// <summary>The ledger does not know the id any more: whether it was used, it cannot tell.</summary>
    [Fact]
    public async Task What_is_forgotten_before_it_is_asked_for_again_stays_unknown()
    {
        var (before, id) = (await _caller.BalanceAsync(_payee), NewId());
        var floor = new UnixTime(id.Time.Milliseconds + 1);
        _way.Losses = new Queue<Loss>([Loss.Answer]);
        _way.Lost = async () =>
        {
            // The floor stays below the ledger's time.
            while (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() <= floor.Milliseconds) await Task.Yield();
            await _silos[0].Partition.SubmitAsync(new RaiseFloor(floor));
        };
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => _caller.PayAsync(id, _payer, _payee).AsTask());
        Assert.Equal(before + Amount, await _caller.BalanceAsync(_payee));
    }

    [Fact]
    public async Task What_has_no_id_or_is_done_under_a_term_is_asked_for_once()
    {
        foreach (var (command, term) in ((Command, long)[])[(new RaiseFloor(default), 0), (new SetFrozen(NewId(), _payee, true), 1)])
        {
            _way.Losses = new Queue<Loss>([Loss.Question, Loss.Question]);
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => _caller.Partition.SubmitAsync(command, term: term));
            Assert.Single(_way.Losses);
        }
    }

    /// <summary>Neither changes anything when it is asked for twice; and of a question nothing can have been done.</summary>
    [Fact]
    public async Task What_time_it_is_and_whether_the_clock_is_right_is_asked_again()
    {
        foreach (var loss in (Loss[])[Loss.Question, Loss.Answer])
        {
            _way.Losses = new Queue<Loss>([loss, loss]);
            Assert.True((await _caller.Partition.TimeAsync()).IsTrusted);
            Assert.Empty(_way.Losses);
            _way.Losses = new Queue<Loss>([loss, loss]);
            Assert.True(await _caller.Set.ConfirmClockAsync());
            Assert.Empty(_way.Losses);
            _way.Losses = new Queue<Loss>([loss, Loss.Busy]);
            await Assert.ThrowsAsync<PartitionUnavailableException>(_caller.Partition.TimeAsync);
            _way.Losses = new Queue<Loss>([loss, Loss.Busy]);
            await Assert.ThrowsAsync<OutcomeUnknownException>(_caller.Set.ConfirmClockAsync);
        }
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private enum Loss
    {
        /// <summary>It comes to nobody, and whoever asked cannot tell.</summary>
        Question,
        /// <summary>It is done, and whoever asked is not told.</summary>
        Answer,
        /// <summary>Nobody takes it.</summary>
        Busy,
    }

    /// <summary>The way to the writer, on which something is lost as often as a test says.</summary>
    private sealed class LossyWay(IPartitionOwner owner) : IPartitionOwner
    {
        public Queue<Loss> Losses { get; set; } = [];

        /// <summary>Done when an answer was lost.</summary>
        public Func<Task> Lost { get; set; } = () => Task.CompletedTask;

        public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) =>
            LoseAsync(() => owner.SubmitAsync(partition, command, tenant, term));

        public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) =>
            new(LoseAsync(() => owner.SubmitAsync(partition, payment, tenant).AsTask()));

        public ValueTask SubmitAsync(int partition, PaymentBlock block) => new(LoseAsync(async () =>
        {
            await owner.SubmitAsync(partition, block);
            return true;
        }));

        public Task<bool> ConfirmClockAsync(int partition) => LoseAsync(() => owner.ConfirmClockAsync(partition));
        public Task<LedgerTime> TimeAsync(int partition) => LoseAsync(() => owner.TimeAsync(partition));

        private async Task<T> LoseAsync<T>(Func<Task<T>> send)
        {
            if (!Losses.TryDequeue(out var loss)) return await send();
            if (loss == Loss.Busy) throw new PartitionUnavailableException(Unavailable.Busy);
            if (loss == Loss.Answer)
            {
                await send();
                await Lost();
            }
            throw new OutcomeUnknownException(new IOException("the connection was cut"));
        }
    }
}
