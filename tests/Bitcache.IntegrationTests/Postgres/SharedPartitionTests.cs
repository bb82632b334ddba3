// Two processes that share a partition over one PostgreSQL: what a copy shows, how the partition moves, and what becomes of a writer
// that was replaced, or that cannot tell what became of its last append.

using System.Diagnostics;
using System.Globalization;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class SharedPartitionTests(PostgresFixture postgres)
{
    private static readonly bool IsFull = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1";
    private const int Clients = 8;

    private WalletId _payer;
    private WalletId _payee;
    private long _start;
    private long _paid;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private async Task<Silos> BeginAsync(SnapshotSettings? snapshots = null, long runBytes = 64 << 20)
    {
        var silos = Silos.Of(postgres.NewDatabase() with { RunBytes = runBytes }, snapshots);
        await silos.StartAsync();
        await silos.StartAsync();
        await silos.PromoteAsync(silos[0]);
        (_payer, _payee) = await silos[0].BeginAsync();
        _start = await silos[0].BalanceAsync(_payee);
        return silos;
    }

    [Fact]
    public async Task A_copy_shows_every_write_that_was_acknowledged_before_it_was_asked()
    {
        await using var silos = await BeginAsync();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++)
            {
                // Sent to either, decided by the one that has the partition.
                Assert.Equal(Outcome.Accepted, (await silos[(client + i) % 2].PayAsync(NewId(), _payer, _payee)).Outcome);
                var acknowledged = Interlocked.Increment(ref _paid);
                Assert.InRange(await silos[1].BalanceAsync(_payee) - _start, acknowledged, Clients * 50);
            }
        }, Cancel)));
        Assert.True(silos[0].Partition.IsOwned && !silos[1].Partition.IsOwned);
        await CheckAsync(silos);
    }

    [Fact]
    public async Task Questions_that_come_together_share_a_look()
    {
        await using var silos = await BeginAsync();
        var before = silos[1].Tail.Looks;
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(_ => silos[1].BalanceAsync(_payee)));
        Assert.All(answers, balance => Assert.Equal(_start, balance));
        Assert.InRange(silos[1].Tail.Looks - before, 1, 500);
        var begun = Stopwatch.GetTimestamp();
        for (var i = 0; i < 200; i++) await silos[1].BalanceAsync(_payee);
        TestContext.Current.TestOutputHelper!.WriteLine($"a question alone took {Stopwatch.GetElapsedTime(begun).TotalMilliseconds / 200:0.00} ms");
    }

    [Fact]
    public async Task What_a_copy_is_told_by_the_writer_it_finds_in_the_journal()
    {
        await using var silos = await BeginAsync();
        var id = NewId();
        var first = await silos[1].PayAsync(id, _payer, _payee);
        Assert.Equal((Outcome.Accepted, false), (first.Outcome, first.IsRetry));
        Assert.Equal(id, ((PaymentCommand)silos[1].Partition.ReadEntry(first.Sequence).Command).Id);
        foreach (var silo in new[] { silos[0], silos[1] })
        {
            var again = await silo.PayAsync(id, _payer, _payee);
            Assert.Equal((Outcome.Accepted, first.Sequence, true), (again.Outcome, again.Sequence, again.IsRetry));
            Assert.Equal(first.Sequence, silo.Partition.FindForgottenId(_payer, id));
        }
        Assert.Equal([null, Ledger.OperatorTenant], await silos[1].Partition.OwnersAsync([new WalletId(4_711), _payee]));
        var made = new CreateWallet(NewId(), Ledger.OperatorTenant, new WalletId(4_711));
        await silos[0].Partition.SubmitAsync(made);
        Assert.Equal([Ledger.OperatorTenant], await silos[1].Partition.OwnersAsync([made.Wallet]));
        _paid = 1;
        await CheckAsync(silos);
    }

    [Fact]
    public async Task A_copy_finds_an_id_by_the_filters_that_the_writer_has_made()
    {
        await using var silos = await BeginAsync(runBytes: 10_000);
        var id = NewId();
        var first = await silos[0].PayAsync(id, _payer, _payee);
        _paid = 1;
        // More runs than are read without a filter, each of which the writer closes when he comes to it.
        while ((long)PostgresFixture.Ask(silos.ConnectionString, "SELECT count(*) FROM bitcache.runs")! <= Limits.SegmentsScannedMax + 1) await PayAsync(silos[0]);
        Assert.Equal(first.Sequence, silos[1].Partition.FindForgottenId(_payer, id));
        Assert.Null(silos[1].Partition.FindForgottenId(_payer, NewId()));
    }

    [Fact]
    public async Task A_writer_whose_clock_is_behind_goes_on_from_the_ledgers_time_and_lets_nothing_expire()
    {
        await using var silos = await BeginAsync();
        var late = await silos.StartAsync(new LateClock());
        var time = await silos[1].Partition.QueryAsync(ledger => ledger.Time);
        await silos.MoveAsync(silos[0], late);
        await PayAsync(silos[1]);
        Assert.Equal(new LedgerTime(time, IsTrusted: false), await late.Partition.TimeAsync());
        // Whoever asks elsewhere is told the same.
        Assert.Equal(new LedgerTime(time, IsTrusted: false), await silos[1].Partition.TimeAsync());
        // It is the next one's clock that counts then.
        await silos.MoveAsync(late, silos[1]);
        await PayAsync(late);
        Assert.True((await late.Partition.TimeAsync()).IsTrusted);
        await CheckAsync(silos);
    }

    private sealed class LateClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - TimeSpan.FromHours(1);
    }

    /// <summary>Also from a snapshot that a writer took on the way.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_partition_moves_in_the_middle_of_traffic_and_every_payment_is_made_once(bool isHandedOn)
    {
        var moves = IsFull ? 200 : 10;
        var took = new List<double>();
        await using var silos = await BeginAsync(new SnapshotSettings { Entries = 200 });
        using var stop = new CancellationTokenSource();
        var paying = Enumerable.Range(0, Clients).Select(client => Task.Run(() => PayUntilAsync(silos, client, stop.Token), Cancel)).ToArray();
        for (var move = 0; move < moves; move++)
        {
            var (from, to) = (silos[move % 2], silos[(move + 1) % 2]);
            // A few payments between two moves.
            for (var next = Volatile.Read(ref _paid) + 20; Volatile.Read(ref _paid) < next && paying.All(p => !p.IsCompleted);) await Task.Yield();
            var begun = Stopwatch.GetTimestamp();
            if (isHandedOn) await silos.MoveAsync(from, to);
            else await silos.PromoteAsync(to);
            took.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
        await stop.CancelAsync();
        await Task.WhenAll(paying);
        TestContext.Current.TestOutputHelper!.WriteLine($"moves took {string.Join(' ', took.Order().Select(ms => ms.ToString("0.0", CultureInfo.InvariantCulture)))} ms; {_paid} payments");
        await CheckAsync(silos);
        // The last one that was replaced has learnt of it by now.
        Assert.Equal(isHandedOn ? 0 : moves, silos[0].Partition.StepsDown + silos[1].Partition.StepsDown);
        // Whoever starts now comes to the same.
        await silos.StartAsync();
        await CheckAsync(silos);
    }

    [Fact]
    public async Task A_ledger_that_comes_back_after_it_was_handed_on_is_captured_again()
    {
        await using var silos = await BeginAsync(new SnapshotSettings { Entries = 5 });
        for (var move = 0; move < 4; move++)
        {
            for (var i = 0; i < 20; i++) await PayAsync(silos[move % 2]);
            await silos.MoveAsync(silos[move % 2], silos[(move + 1) % 2]);
        }
        await CheckAsync(silos);
    }

    /// <summary>F12, where a copy goes on in place of the process that ends.</summary>
    /// <summary>Callers would be told that it is busy, for ever.</summary>
    [Fact]
    public async Task A_partition_that_was_handed_on_and_cannot_be_followed_ends_the_process()
    {
        await using var silos = Silos.Of(postgres.NewDatabase());
        var silo = await silos.StartAsync();
        await silos.PromoteAsync(silo);
        await silo.BeginAsync();
        silo.Journal.FailsAtEnd = new InvalidOperationException("it cannot be closed");

        var thrown = await Assert.ThrowsAsync<InvalidOperationException>(silo.Partition.DemoteAsync);

        Assert.Same(silo.Journal.FailsAtEnd, thrown);
        Assert.Same(thrown, Assert.Single(silo.Ends));
    }

    [Fact]
    public async Task A_writer_that_was_paused_while_another_took_over_writes_nothing_and_answers_from_the_journal()
    {
        await using var silos = await BeginAsync();
        for (var pause = 0; pause < (IsFull ? 500 : 20); pause++)
        {
            var (paused, next) = (silos[pause % 2], silos[(pause + 1) % 2]);
            var steps = paused.Partition.StepsDown;
            paused.Journal.Pause();
            // In turn it is paused before an append and before the question who writes the journal.
            var payment = pause % 2 == 0 ? paused.PayAsync(NewId(), _payer, _payee).AsTask() : null;
            var asked = paused.BalanceAsync(_payee);
            await paused.Journal.Reached.WaitAsync(Cancel);
            await silos.PromoteAsync(next);
            for (var i = 0; i <= pause % 3; i++) await PayAsync(next);

            paused.Journal.GoOn();

            // What it did not come to write, the next one is asked for.
            if (payment is not null)
            {
                Assert.Equal(Outcome.Accepted, (await payment).Outcome);
                _paid++;
            }
            // What it would have answered was true once, and is not any more; the payment may come behind the question.
            Assert.InRange(await asked, _start + _paid - (payment is null ? 0 : 1), _start + _paid);
            Assert.Equal(_start + _paid, await paused.BalanceAsync(_payee));
            Assert.Equal((steps + 1, false), (paused.Partition.StepsDown, paused.Partition.IsOwned));
        }
        await CheckAsync(silos);
    }

    /// <summary>F11, of connections, and once of the server: whether the append before is durable, only a new look at the journal tells.</summary>
    [Fact]
    public async Task With_connections_cut_under_load_the_writer_loads_again_and_nothing_is_lost_or_made_twice()
    {
        var cuts = IsFull ? 200 : 6;
        await using var silos = await BeginAsync(new SnapshotSettings { Entries = 200 });
        using var stop = new CancellationTokenSource();
        var paying = Enumerable.Range(0, Clients).Select(client => Task.Run(() => PayUntilAsync(silos, client, stop.Token), Cancel)).ToArray();
        for (var cut = 0; cut < cuts; cut++)
        {
            for (var next = Volatile.Read(ref _paid) + 20; Volatile.Read(ref _paid) < next && paying.All(p => !p.IsCompleted);)
            {
                // Once nobody has it the cluster gives it to one of the two, perhaps to the same.
                if (!silos.HasOwner) await silos.PromoteAgainAsync(silos[cut % 3 == 0 ? 0 : 1]);
                await Task.Yield();
            }
            if (cut == cuts / 2) await RestartServerAsync();
            else PostgresFixture.Ask(silos.ConnectionString, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
        }
        await stop.CancelAsync();
        while (paying.Any(p => !p.IsCompleted)) if (!silos.HasOwner) await silos.PromoteAgainAsync(silos[0]); else await Task.Yield();
        await Task.WhenAll(paying);
        // What is cut while nobody writes stops nobody.
        Assert.InRange(silos[0].Partition.StepsDown + silos[1].Partition.StepsDown, cuts / 2, int.MaxValue);
        await CheckAsync(silos);
    }

    private async Task RestartServerAsync()
    {
        await postgres.Server.KillAsync();
        await postgres.Server.StartAsync(Cancel);
    }

    private async Task PayAsync(Silo silo)
    {
        Assert.Equal(Outcome.Accepted, (await silo.PayAsync(NewId(), _payer, _payee)).Outcome);
        Interlocked.Increment(ref _paid);
    }

    /// <summary>Pays through either process, each payment until it is acknowledged.</summary>
    private async Task PayUntilAsync(Silos silos, int client, CancellationToken stop)
    {
        for (var i = client; !stop.IsCancellationRequested; i++)
        {
            var id = NewId();
            while (!await TryPayAsync(silos[i % 2], id)) await Task.Yield();
            var acknowledged = Interlocked.Increment(ref _paid);
            if (await TryBalanceAsync(silos[(i / 2) % 2]) is { } balance) Assert.True(balance - _start >= acknowledged, $"{balance - _start} is shown, {acknowledged} were acknowledged");
        }
    }

    private async Task<bool> TryPayAsync(Silo silo, OperationId id)
    {
        try
        {
            return (await silo.PayAsync(id, _payer, _payee)).Outcome switch
            {
                Outcome.Accepted => true,
                Outcome.IdInFlight => false,
                var other => throw new InvalidOperationException($"a payment was answered {other}"),
            };
        }
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
        {
            return false;
        }
    }

    private async Task<long?> TryBalanceAsync(Silo silo)
    {
        try
        {
            return await silo.BalanceAsync(_payee);
        }
        catch (PartitionUnavailableException)
        {
            return null;
        }
    }

    /// <summary>All processes have the same state at the same sequence, and everything that was acknowledged, once.</summary>
    private async Task CheckAsync(Silos silos)
    {
        var states = new List<(long, Hash256)>();
        for (var number = 0; number < silos.Count; number++)
        {
            Assert.Empty(silos[number].Ends);
            states.Add(await silos[number].StateAsync());
            Assert.Equal(_start + _paid, await silos[number].BalanceAsync(_payee));
            Assert.True(await silos[number].Partition.QueryAsync(ledger => ledger.Totals.IsConserved));
        }
        Assert.Single(states.Distinct());
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
