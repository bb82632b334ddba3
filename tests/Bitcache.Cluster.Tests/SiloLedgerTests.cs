using System.Diagnostics;
using Bitcache.Cluster.Grains;
using Bitcache.Cluster.Placement;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.IntegrationTests.Postgres;
using Microsoft.Extensions.DependencyInjection;
using static Bitcache.Cluster.Tests.SiloStage;

namespace Bitcache.Cluster.Tests;

/// <summary>Two silos of this process and the ledger that they share: what goes from one to the other, and what wallets' grains do.</summary>
[Trait("suite", "cluster"), Collection(PostgresFixture.Collection)]
public sealed class SiloLedgerTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Observers_are_told_wherever_they_are_and_come_back_from_the_database()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silos = await StartTwoAsync(database);
        var (first, second) = silos;
        var wallets = await first.Ledger.BeginAsync(2, 1);
        var plans = first.Host.Services.GetRequiredService<PlanCache>();
        var there = second.Host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;
        var active = first.Host.Services.GetRequiredService<ISiloStatusOracle>().GetActiveSilos();
        var partition = plans.For(active).ToList().FindIndex(silo => silo.Equals(there));
        var (wallet, payer) = (wallets[partition], wallets[partition + Partitions]);
        var (heard, again) = (new Ear(), new Ear());
        var (observer, other) = (first.Grains.CreateObjectReference<IWalletObserver>(heard), first.Grains.CreateObjectReference<IWalletObserver>(again));
        var grain = first.Grains.GetGrain<IWalletGrain>(WalletKey.Of(wallet));
        Assert.True(await grain.SubscribeAsync(observer));
        await heard.HearsAsync(1_000);
        await PayAsync(first, payer, wallet);
        await heard.HearsAsync(1_001);

        // Its silo goes, and with it the grain; what it knew comes back with the next subscription.
        await second.Host.StopAsync(Cancel);
        Assert.True(await grain.SubscribeAsync(other));
        await PayAsync(first, payer, wallet);
        await heard.HearsAsync(1_002);
        await again.HearsAsync(1_002);
        await grain.UnsubscribeAsync(observer);
        await grain.UnsubscribeAsync(other);
        Assert.True(first.Host.Services.GetRequiredService<WalletWatch>().IsEmpty);
    }

    [Fact]
    public async Task A_wallets_grain_has_decided_what_the_wallet_asks_for_and_nothing_else()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silos = await StartTwoAsync(database);
        var (first, second) = silos;
        var wallets = await first.Ledger.BeginAsync(2, 1);
        var (payer, payee) = (wallets[0], wallets[Partitions]);
        var way = GrainPartitionOwner.Of(payer, second.Grains, TimeProvider.System);
        var payment = new Payment { Kind = PaymentKind.Transfer, Id = ClientIds.Next(TimeProvider.System), Payer = payer, Payee = payee, Amount = new Msat(7) };
        Assert.Equal((Outcome.Accepted, false), await AskAsync(payment));
        Assert.Equal((Outcome.Accepted, true), await AskAsync(payment));
        Assert.Equal((993, 1_007), ((await FindAsync(first, payer))!.Available, (await FindAsync(second, payee))!.Available));
        var frozen = new SetFrozen(ClientIds.Next(TimeProvider.System), payer, Frozen: true);
        Assert.Equal(Outcome.Accepted, (await way.SubmitAsync(0, frozen, Ledger.OperatorTenant, 0)).Outcome);
        Assert.Equal((Outcome.WalletFrozen, false), await AskAsync(payment with { Id = ClientIds.Next(TimeProvider.System) }));
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => AskAsync(payment with { Payer = payee, Payee = payer }));
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => way.SubmitAsync(0, frozen with { Wallet = payee }, Ledger.OperatorTenant, 0));
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => way.ConfirmClockAsync(0));
        Assert.Null(await first.Grains.GetGrain<IWalletGrain>(Guid.NewGuid()).FindAsync());

        async Task<(Outcome, bool)> AskAsync(Payment asked)
        {
            var answer = await way.SubmitAsync(0, asked, Ledger.OperatorTenant);
            return (answer.Outcome, answer.IsRetry);
        }
    }

    /// <summary>Each silo writes some of the partitions, and asks the other for the rest.</summary>
    [Fact]
    public async Task The_clock_is_confirmed_and_the_time_told_by_whichever_silo_writes_a_partition()
    {
        await using var silos = await StartTwoAsync(postgres.NewDatabase().ConnectionString);
        var (first, second) = silos;
        await first.Ledger.BeginAsync(1, 1);
        foreach (var silo in new[] { first, second })
        {
            Assert.Contains(silo.Ledger.Set.All, partition => !partition.IsOwned);
            var before = await silo.Ledger.Set.QueryAllAsync(ledger => ledger.NextSequence);
            Assert.True(await silo.Ledger.Set.ConfirmClockAsync());
            Assert.Equal(before.Select(next => next + 1), await silo.Ledger.Set.QueryAllAsync(ledger => ledger.NextSequence));
            foreach (var partition in silo.Ledger.Set.All) Assert.True((await partition.TimeAsync()).IsTrusted);
        }
    }

    /// <summary>Two that believe that the other one has it would ask one another for ever.</summary>
    [Fact]
    public async Task What_comes_to_a_silo_that_does_not_have_the_partition_is_not_sent_on()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silos = await StartTwoAsync(database);
        var (first, second) = silos;
        var (here, there) = (new OwnPartitions(first.Ledger.Set.All), new OwnPartitions(second.Ledger.Set.All));
        for (var partition = 0; partition < Partitions; partition++)
        {
            var (has, hasNot) = first.Ledger[partition].IsOwned ? (here, there) : (there, here);
            await Assert.ThrowsAsync<PartitionElsewhereException>(() => hasNot.SubmitAsync(partition, new ConfirmClock(), Ledger.OperatorTenant, term: 0));
            await Assert.ThrowsAsync<PartitionElsewhereException>(() => hasNot.ConfirmClockAsync(partition));
            await Assert.ThrowsAsync<PartitionElsewhereException>(() => hasNot.TimeAsync(partition));
            Assert.Equal(Outcome.Accepted, (await has.SubmitAsync(partition, new Genesis(JoinedLedger.Origin, JoinedLedger.Network, Partitions, new WalletId(4_711), new ByteString([0x51]), []), Ledger.OperatorTenant, term: 0)).Outcome);
        }
    }

    /// <summary>A writer that does not know what came of an append steps down; whoever asks next has it, or another silo, write again.</summary>
    [Fact]
    public async Task Connections_are_cut_under_load_and_every_payment_is_made_once()
    {
        const int Cuts = 5;
        var database = postgres.NewDatabase().ConnectionString;
        await using var silos = await StartTwoAsync(database);
        var (first, second) = silos;
        var wallets = await first.Ledger.BeginAsync(2, 100);
        var made = new int[Partitions];
        using var end = new CancellationTokenSource();
        var paying = Enumerable.Range(0, Partitions).Select(partition => Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                await PayUntilAcceptedAsync(partition % 2 == 0 ? first : second, wallets[partition], wallets[partition + Partitions]);
                Interlocked.Increment(ref made[partition]);
            }
        }, Cancel)).ToArray();
        for (var cut = 0; cut < Cuts; cut++)
        {
            var before = made.ToArray();
            await UntilAsync(() => made.Zip(before).All(pair => pair.First > pair.Second + 5));
            PostgresFixture.Ask(database, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name NOT LIKE 'bitcache silo %'");
        }
        await end.CancelAsync();
        await Task.WhenAll(paying);
        var stepsDown = Enumerable.Range(0, Partitions).Sum(partition => first.Ledger[partition].StepsDown + second.Ledger[partition].StepsDown);
        TestContext.Current.TestOutputHelper?.WriteLine($"{made.Sum()} payments, {stepsDown} times a writer stepped down");
        Assert.InRange(stepsDown, 1, int.MaxValue);
        for (var partition = 0; partition < Partitions; partition++)
        {
            foreach (var silo in new[] { first, second })
                Assert.Equal(100_000 + made[partition], await silo.Ledger.Set[partition].QueryAsync(ledger => ledger.FindWallet(wallets[partition + Partitions])!.Value.Available.Value));
        }
    }

    [Fact]
    public async Task A_block_of_the_largest_size_is_one_call_to_another_silo()
    {
        var database = postgres.NewDatabase().ConnectionString;
        await using var silos = await StartTwoAsync(database);
        var (first, second) = silos;
        var wallets = await first.Ledger.BeginAsync(2, 100);
        var partition = Enumerable.Range(0, Partitions).First(one => first.Ledger[one].IsOwned);
        var block = new PaymentBlock { Count = Limits.BlockPaymentsMax, Tenant = Ledger.OperatorTenant };
        foreach (ref var payment in block.Payments)
        {
            payment = new Payment { Kind = PaymentKind.Transfer, Id = ClientIds.Next(TimeProvider.System), Payer = wallets[partition], Payee = wallets[partition + Partitions], Amount = new Msat(1) };
            payment.SetReference(new byte[Limits.ReferenceBytesMax]);
        }
        var asked = Stopwatch.GetTimestamp();
        await second.Ledger.Set.SubmitAsync(block);
        TestContext.Current.TestOutputHelper?.WriteLine($"{block.Count} payments in {Stopwatch.GetElapsedTime(asked).TotalMilliseconds:0} ms");
        Assert.All(block.Results.ToArray(), result => Assert.Equal(Outcome.Accepted, result.Outcome));
        var sequences = block.Results.ToArray().Select(result => result.Sequence).ToArray();
        await second.Ledger.Set.SubmitAsync(block);
        Assert.All(block.Results.ToArray(), result => Assert.Equal(Outcome.Known, result.Outcome));
        second.Ledger.Set.Recall(block);
        Assert.All(block.Results.ToArray(), result => Assert.Equal((Outcome.Accepted, new Msat(1)), (result.Outcome, result.Amount)));
        Assert.Equal(sequences, block.Results.ToArray().Select(result => result.Sequence));
        Assert.Equal(100_000 + Limits.BlockPaymentsMax, (await FindAsync(second, wallets[partition + Partitions]))!.Available);
    }

    private static async Task PayUntilAcceptedAsync(TestSilo silo, WalletId payer, WalletId payee)
    {
        var id = ClientIds.Next(TimeProvider.System);
        while (true)
        {
            try
            {
                if ((await silo.Ledger.PayAsync(id, payer, payee)).Outcome == Outcome.Accepted) return;
            }
            catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
            {
                // The same id tells.
            }
            await Task.Delay(20, Cancel);
        }
    }
}
