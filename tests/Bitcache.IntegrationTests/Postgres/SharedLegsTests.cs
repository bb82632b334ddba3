// Credits between partitions that are written by different processes over one PostgreSQL: nothing but the journal carries them,
// whoever writes which partition, and whatever becomes of him.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Snapshots;

namespace Bitcache.IntegrationTests.Postgres;

[Trait("suite", "postgres")]
[Collection(PostgresFixture.Collection)]
public sealed class SharedLegsTests(PostgresFixture postgres)
{
    private static readonly bool IsFull = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1";
    private const int Partitions = 4;
    private const int Clients = 6;
    /// <summary>Far more than anything takes.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private SharedWallets _wallets = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Partition n is written by process n, or the one after it in turn.</summary>
    private async Task<Silos> BeginAsync(int processes, SnapshotSettings? snapshots = null)
    {
        var silos = Silos.Of(postgres.NewDatabase() with { Partitions = Partitions }, snapshots);
        for (var i = 0; i < processes; i++) await silos.StartAsync();
        for (var number = 0; number < Partitions; number++) await silos.PromoteAsync(silos[number % processes], number);
        _wallets = new SharedWallets(silos, Partitions);
        await _wallets.BeginAsync();
        await _wallets.ArriveAsync();
        return silos;
    }

    [Fact]
    public async Task Credits_follow_their_debits_whichever_process_writes_the_two_partitions()
    {
        await using var silos = await BeginAsync(2);
        for (var from = 0; from < Partitions; from++)
        {
            for (var to = 0; to < Partitions; to++)
            {
                if (from != to) await _wallets.PayAsync(silos[(from + to) % 2], _wallets.In(from), _wallets.In(to));
            }
        }
        await _wallets.ArriveAsync();
        await _wallets.AuditAsync();
    }

    [Fact]
    public async Task A_credit_is_there_soon_after_word_of_its_debit()
    {
        await using var silos = await BeginAsync(2);
        var unheard = await MeasureAsync(silos);
        silos[0].Courier!.TellOf(news =>
        {
            foreach (var (partition, sequence) in news) silos[1].Tail.Wake(partition, sequence);
            return Task.CompletedTask;
        });
        var heard = await MeasureAsync(silos);
        TestContext.Current.TestOutputHelper!.WriteLine($"credits after {unheard:0.0} ms without word, {heard:0.0} with it (medians of 50)");
        Assert.True(heard < unheard, $"{heard} ms with word, {unheard} without");
        await _wallets.ArriveAsync();
        await _wallets.AuditAsync();
    }

    /// <summary>Word that comes to nothing, of what is known or of what nobody follows, has nobody look.</summary>
    [Fact]
    public async Task Word_of_what_is_known_wakes_nobody()
    {
        await using var silos = await BeginAsync(2);
        await silos[1].Partitions[0].QueryAsync(_ => true);
        var (before, begun) = (silos[1].Tail.Looks, Stopwatch.GetTimestamp());
        for (var i = 0; i < 100_000; i++)
        {
            silos[1].Tail.Wake(0, silos[1].Partitions[0].DurableSequence);
            silos[1].Tail.Wake(1, silos[1].Partitions[1].DurableSequence - 1);
            silos[1].Tail.Wake(Partitions, long.MaxValue);
        }
        // It looks every 20 ms whatever it is told.
        Assert.InRange(silos[1].Tail.Looks - before, 0, (Stopwatch.GetElapsedTime(begun).Ticks / TimeSpan.FromMilliseconds(20).Ticks) + 2);
    }

    [Fact]
    public async Task A_leg_does_not_leave_before_its_debit_is_durable_and_never_where_that_is_refused()
    {
        await using var silos = await BeginAsync(2);
        // The source and the destination are written by the same process, and another takes the source over.
        var (here, there, journal) = (silos[0], silos[1], silos[0].Journals[0]);
        journal.Pause();
        var payment = here.Set.SubmitAsync(SharedWallets.Transfer(_wallets.In(0), _wallets.In(2), 5), Ledger.OperatorTenant).AsTask();
        await journal.Reached.WaitAsync(Cancel);
        var before = await ReceivedAsync(there, from: 0, to: 2);
        // What comes after it arrives.
        await _wallets.PayAsync(there, _wallets.In(1), _wallets.In(2));
        await UntilAsync(async () => await ReceivedAsync(there, from: 1, to: 2) == await SentAsync(there, from: 1, to: 2));
        Assert.Equal(before, await ReceivedAsync(there, from: 0, to: 2));

        await silos.PromoteAsync(there, 0);
        journal.GoOn();

        // The one who took it over is asked again: the leg of the first time never left.
        Assert.Equal((Outcome.Accepted, false), ((await payment).Outcome, (await payment).IsRetry));
        await _wallets.ArriveAsync();
        Assert.Equal(before + 1, await SentAsync(here, from: 0, to: 2));
        Assert.Equal(before + 1, await ReceivedAsync(here, from: 0, to: 2));
        await _wallets.AuditAsync();
    }

    [Fact]
    public async Task A_destination_that_is_taken_over_where_the_sources_copy_is_behind_waits_for_it()
    {
        await using var silos = await BeginAsync(3);
        // Process 0 writes the source, 1 the destination. Process 2 comes to no journal's end while somebody has one of its copies.
        using var gate = new ManualResetEventSlim();
        var holding = new TaskCompletionSource<long>();
        var held = silos[2].Partitions[3].QueryAsync(_ =>
        {
            holding.SetResult(silos[2].Tail.Looks);
            gate.Wait(Cancel);
            return true;
        });
        var looks = await holding.Task;
        await UntilAsync(() => Task.FromResult(silos[2].Tail.Looks > looks));
        try
        {
            for (var i = 0; i < 5; i++) await _wallets.PayAsync(silos[0], _wallets.In(0), _wallets.In(1));
            await UntilAsync(async () => await ReceivedAsync(silos[1], from: 0, to: 1) == await SentAsync(silos[0], from: 0, to: 1));
            await silos.PromoteAsync(silos[2], 1);
            for (var i = 0; i < 5; i++) await _wallets.PayAsync(silos[0], _wallets.In(0), _wallets.In(1));
            Assert.Empty(silos[2].Ends);
        }
        finally
        {
            gate.Set();
        }
        await held;
        await _wallets.ArriveAsync();
        await _wallets.AuditAsync();
    }

    [Fact]
    public async Task A_process_that_was_replaced_and_has_nothing_to_write_finds_what_the_other_one_sends()
    {
        await using var silos = await BeginAsync(2);
        // Process 0 goes on to write the destination, and is told nothing.
        await silos.PromoteAsync(silos[1], 0);
        for (var i = 0; i < 5; i++) await _wallets.PayAsync(silos[1], _wallets.In(0), _wallets.In(2));
        await _wallets.ArriveAsync();
        // The same of a destination, whose credits the other one makes.
        await silos.PromoteAsync(silos[1], 2);
        for (var i = 0; i < 5; i++) await _wallets.PayAsync(silos[1], _wallets.In(0), _wallets.In(2));
        await _wallets.ArriveAsync();
        await _wallets.AuditAsync();
        Assert.Equal((1, 1), (silos[0].Partitions[0].StepsDown, silos[0].Partitions[2].StepsDown));
    }

    [Fact]
    public async Task What_nobody_could_take_is_credited_by_whoever_comes_and_acknowledged_to_whoever_is_there_then()
    {
        await using var silos = await BeginAsync(2, new SnapshotSettings { Entries = 20 });
        // Nobody writes the destination; then the source is handed on and everything loaded anew, from snapshots as well.
        await silos[1].Partitions[1].DemoteAsync();
        for (var i = 0; i < 60; i++) await _wallets.PayAsync(silos[0], _wallets.In(0), _wallets.In(1));
        await silos[0].Partitions[0].DemoteAsync();
        await silos.StartAsync();
        await silos.PromoteAsync(silos[2], 1);
        await UntilAsync(async () => await ReceivedAsync(silos[2], from: 0, to: 1) == await SentAsync(silos[2], from: 0, to: 1));
        Assert.Equal(60, silos[2].Set.LegsInFlight);
        await silos.PromoteAsync(silos[1], 0);
        await _wallets.ArriveAsync();
        await _wallets.AuditAsync();
    }

    /// <summary>All the ways in which partitions move, at random, under load.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_moves_and_breaks_every_debit_has_one_credit(int processes)
    {
        var seed = Random.Shared.Next();
        var (random, moves, onTheWay) = (new Random(seed), IsFull ? 600 : 18, 0L);
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}");
        await using var silos = await BeginAsync(processes, new SnapshotSettings { Entries = 300 });
        using var stop = new CancellationTokenSource();
        var paying = Enumerable.Range(0, Clients).Select(client => Task.Run(() => _wallets.PayUntilAsync(new Random(seed + client), stop.Token), Cancel)).ToArray();
        for (var move = 0; move < moves; move++)
        {
            await PaidAsync(silos, random, 20, paying);
            var (partition, to) = (random.Next(Partitions), silos[random.Next(processes)]);
            switch (move % 6)
            {
                case 0 or 1:
                    if (silos.Owner(partition) is { } from) await from.Partitions[partition].DemoteAsync();
                    await silos.PromoteAgainAsync(to, partition);
                    break;
                case 2 or 3:
                    await silos.PromoteAgainAsync(to, partition);
                    break;
                case 4:
                    PostgresFixture.Ask(silos.ConnectionString, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
                    break;
                default:
                    onTheWay += await RestAsync(silos, random);
                    break;
            }
        }
        await stop.CancelAsync();
        while (paying.Any(p => !p.IsCompleted)) await OwnAsync(silos, random);
        await Task.WhenAll(paying);
        await OwnAsync(silos, random);
        await _wallets.ArriveAsync();
        await _wallets.AuditAsync();
        TestContext.Current.TestOutputHelper!.WriteLine($"{_wallets.Acknowledged} payments, {onTheWay} legs on their way while nobody wrote");
    }

    /// <summary>Nobody writes anything: everybody's money is there, and on its way.</summary>
    private async Task<long> RestAsync(Silos silos, Random random)
    {
        for (var number = 0; number < silos.Count; number++)
        {
            foreach (var partition in silos[number].Partitions) await partition.DemoteAsync();
        }
        var onTheWay = await _wallets.CheckAsync();
        await OwnAsync(silos, random);
        return onTheWay;
    }

    /// <summary>Waits for some payments. A partition that nobody has any more is given to somebody.</summary>
    private async Task PaidAsync(Silos silos, Random random, int payments, Task[] paying)
    {
        var begun = Stopwatch.GetTimestamp();
        for (var next = _wallets.Acknowledged + payments; _wallets.Acknowledged < next && paying.All(p => !p.IsCompleted);)
        {
            await OwnAsync(silos, random);
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail($"Nothing is paid any more. {_wallets.Described()}");
        }
    }

    private async Task OwnAsync(Silos silos, Random random)
    {
        Assert.Equal("", _wallets.Described());
        for (var number = 0; number < Partitions; number++)
        {
            if (silos.Owner(number) is null) await silos.PromoteAgainAsync(silos[random.Next(silos.Count)], number);
        }
        await Task.Delay(1);
    }

    private static Task<long> ReceivedAsync(Silo silo, int from, int to) => silo.Partitions[to].QueryAsync(ledger => ledger.LegsReceivedFrom(from));

    private static Task<long> SentAsync(Silo silo, int from, int to) => silo.Partitions[from].QueryAsync(ledger => ledger.LegsAcknowledgedBy(to) + ledger.LegsTo(to).Count);

    private async Task<double> MeasureAsync(Silos silos)
    {
        var took = new List<double>();
        for (var i = 0; i < 50; i++)
        {
            await _wallets.PayAsync(silos[0], _wallets.In(0), _wallets.In(1));
            var begun = Stopwatch.GetTimestamp();
            var sent = await SentAsync(silos[0], from: 0, to: 1);
            await UntilAsync(async () => await ReceivedAsync(silos[1], from: 0, to: 1) == sent);
            took.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
        return took.Order().ElementAt(took.Count / 2);
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var begun = Stopwatch.GetTimestamp(); !await isSo(); await Task.Yield()) Assert.True(Stopwatch.GetElapsedTime(begun) < Patience, "It does not come.");
    }
}
