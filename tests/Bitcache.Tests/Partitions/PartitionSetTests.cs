using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>What is set in every partition: with one that is slow, full, or has another answer.</summary>
[Trait("suite", "core")]
public sealed class PartitionSetTests : IAsyncLifetime
{
    private const uint Tenant = 7;
    private TwoPartitions _two = null!;

    private GatedJournal[] Journals => _two.Journals;
    private PartitionSet Set => _two.Set;

    public async ValueTask InitializeAsync() => _two = await TwoPartitions.StartAsync();

    public ValueTask DisposeAsync() => _two.DisposeAsync();

    [Fact]
    public async Task WhoSets_fees_while_they_are_beingSet_waits_his_turn()
    {
        Journals[0].Close();
        Journals[0].AppendBegun.Reset();
        var first = Set.SubmitAsync(Fees(1), Ledger.OperatorTenant);
        Journals[0].AppendBegun.Wait(TestContext.Current.CancellationToken);
        var second = Set.SubmitAsync(Fees(2), Ledger.OperatorTenant);
        Assert.Equal(new Msat(1), await Set[1].QueryAsync(ledger => ledger.FeesOf(Tenant).Flat));
        Journals[0].Open();
        Assert.All(await Task.WhenAll(first, second), answer => Assert.Equal(Outcome.Accepted, answer.Outcome));
        Assert.Equal((long[])[2, 2], await FlatFeesAsync());
    }

    [Fact]
    public async Task A_refusal_of_one_partition_is_the_answer()
    {
        var fees = Fees(1);
        await Set[1].SubmitAsync(fees with { Schedule = new FeeSchedule(new Msat(9), 0, Msat.Zero) });
        Assert.Equal(Outcome.IdReused, (await Set.SubmitAsync(fees, Ledger.OperatorTenant)).Outcome);
        Assert.Equal((long[])[0, 9], await FlatFeesAsync());
    }

    [Fact]
    public async Task With_no_room_in_the_second_to_be_asked_it_is_not_known_and_a_retry_completes_it()
    {
        var fees = Fees(1);
        await FillAsync(0);
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => Set.SubmitAsync(fees, Ledger.OperatorTenant));
        Assert.Equal((long[])[0, 1], await FlatFeesAsync());
        Journals[0].IsFull = false;
        while (Set[0].IsStorageFull) await Set[0].QueryAsync(ledger => ledger.NextSequence);
        Assert.False((await Set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
        Assert.Equal((long[])[1, 1], await FlatFeesAsync());
        Assert.True((await Set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
    }

    [Fact]
    public async Task With_no_room_in_the_first_to_be_asked_nothing_wasSet()
    {
        await FillAsync(1);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => Set.SubmitAsync(Fees(1), Ledger.OperatorTenant));
        Assert.Equal((long[])[0, 0], await FlatFeesAsync());
    }

    [Fact]
    public async Task The_operators_wallet_is_frozen_in_every_partition()
    {
        var freeze = new SetFrozen(NewId(), _two.Operator, Frozen: true);
        var answer = await Set.SubmitAsync(freeze, Ledger.OperatorTenant);
        Assert.Equal((Outcome.Accepted, false), (answer.Outcome, answer.IsRetry));
        Assert.All(await FreezesAsync(), freezes => Assert.Equal(answer.Owner!.Value.Freezes, freezes));
        Assert.NotEqual(Freezes.None, answer.Owner!.Value.Freezes);
        // No account pays for mining now.
        foreach (var partition in Set.All)
            Assert.Equal(Outcome.OperatorFundsLow, (await partition.SubmitAsync(new OpenFamily(1, Sats.Zero, null, []))).Outcome);
        Assert.True((await Set.SubmitAsync(freeze, Ledger.OperatorTenant)).IsRetry);
        Assert.Equal(Outcome.Accepted, (await Set.SubmitAsync(new SetFrozen(NewId(), _two.Operator, Frozen: false), Ledger.OperatorTenant)).Outcome);
        Assert.Equal((Freezes[])[Freezes.None, Freezes.None], await FreezesAsync());
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private static SetFees Fees(long flat) => new(NewId(), Tenant, new FeeSchedule(new Msat(flat), 0, Msat.Zero));

    private async Task<long[]> FlatFeesAsync() => await Set.QueryAllAsync(ledger => ledger.FeesOf(Tenant).Flat.Value);

    private async Task<Freezes[]> FreezesAsync() => await Set.QueryAllAsync(ledger => ledger.OperatorWallet.Freezes);

    /// <summary>The batch that finds the disk full was promised its room before.</summary>
    private async Task FillAsync(int partition)
    {
        Journals[partition].IsFull = true;
        await Set[partition].SubmitAsync(new ConfirmClock());
        Assert.True(Set[partition].IsStorageFull);
    }
}
