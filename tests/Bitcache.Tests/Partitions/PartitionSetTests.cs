using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>What is set in every partition: with one that is slow, full, or has another answer.</summary>
[Trait("suite", "core")]
public sealed class PartitionSetTests : IAsyncLifetime
{
    private const uint Tenant = 7;
    private static readonly WalletId Operator = ClientIds.NextWallet(0, 2);
    private readonly GatedJournal[] _journals = [new(), new()];
    private readonly LegCourier _courier = new(TimeProvider.System);
    private PartitionSet _set = null!;

    public async ValueTask InitializeAsync()
    {
        Ledger[] ledgers = [new(0), new(1)];
        Partition[] partitions = [.. ledgers.Select(ledger => new Partition(
            ledger, _journals[ledger.Partition], new BatchClock(TimeProvider.System, null), NullLogger.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause), courier: _courier))];
        _courier.Connect(partitions, ledgers);
        foreach (var partition in partitions) partition.Start();
        _set = new PartitionSet(partitions, _courier);
        foreach (var partition in partitions) await partition.SubmitAsync(new Genesis("test/log", 3, 2, Operator, new ByteString([0x51]), []));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var journal in _journals) journal.Open();
        await _set.DisposeAsync();
    }

    [Fact]
    public async Task Who_sets_fees_while_they_are_being_set_waits_his_turn()
    {
        _journals[0].Close();
        _journals[0].AppendBegun.Reset();
        var first = _set.SubmitAsync(Fees(1), Ledger.OperatorTenant);
        _journals[0].AppendBegun.Wait(TestContext.Current.CancellationToken);
        var second = _set.SubmitAsync(Fees(2), Ledger.OperatorTenant);
        Assert.Equal(new Msat(1), await _set[1].QueryAsync(ledger => ledger.FeesOf(Tenant).Flat));
        _journals[0].Open();
        Assert.All(await Task.WhenAll(first, second), answer => Assert.Equal(Outcome.Accepted, answer.Outcome));
        Assert.Equal((long[])[2, 2], await FlatFeesAsync());
    }

    [Fact]
    public async Task A_refusal_of_one_partition_is_the_answer()
    {
        var fees = Fees(1);
        await _set[1].SubmitAsync(fees with { Schedule = new FeeSchedule(new Msat(9), 0, Msat.Zero) });
        Assert.Equal(Outcome.IdReused, (await _set.SubmitAsync(fees, Ledger.OperatorTenant)).Outcome);
        Assert.Equal((long[])[0, 9], await FlatFeesAsync());
    }

    [Fact]
    public async Task With_no_room_in_the_second_to_be_asked_it_is_not_known_and_a_retry_completes_it()
    {
        var fees = Fees(1);
        await FillAsync(0);
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => _set.SubmitAsync(fees, Ledger.OperatorTenant));
        Assert.Equal((long[])[0, 1], await FlatFeesAsync());
        _journals[0].IsFull = false;
        while (_set[0].IsStorageFull) await _set[0].QueryAsync(ledger => ledger.NextSequence);
        Assert.False((await _set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
        Assert.Equal((long[])[1, 1], await FlatFeesAsync());
        Assert.True((await _set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
    }

    [Fact]
    public async Task With_no_room_in_the_first_to_be_asked_nothing_was_set()
    {
        await FillAsync(1);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => _set.SubmitAsync(Fees(1), Ledger.OperatorTenant));
        Assert.Equal((long[])[0, 0], await FlatFeesAsync());
    }

    [Fact]
    public async Task The_operators_wallet_is_frozen_in_every_partition()
    {
        var freeze = new SetFrozen(NewId(), Operator, Frozen: true);
        var answer = await _set.SubmitAsync(freeze, Ledger.OperatorTenant);
        Assert.Equal((Outcome.Accepted, false), (answer.Outcome, answer.IsRetry));
        Assert.All(await FreezesAsync(), freezes => Assert.Equal(answer.Owner!.Value.Freezes, freezes));
        Assert.NotEqual(Freezes.None, answer.Owner!.Value.Freezes);
        // No account pays for mining now.
        foreach (var partition in _set.All)
            Assert.Equal(Outcome.OperatorFundsLow, (await partition.SubmitAsync(new OpenFamily(1, Sats.Zero, null, []))).Outcome);
        Assert.True((await _set.SubmitAsync(freeze, Ledger.OperatorTenant)).IsRetry);
        Assert.Equal(Outcome.Accepted, (await _set.SubmitAsync(new SetFrozen(NewId(), Operator, Frozen: false), Ledger.OperatorTenant)).Outcome);
        Assert.Equal((Freezes[])[Freezes.None, Freezes.None], await FreezesAsync());
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private static SetFees Fees(long flat) => new(NewId(), Tenant, new FeeSchedule(new Msat(flat), 0, Msat.Zero));

    private async Task<long[]> FlatFeesAsync() => await _set.QueryAllAsync(ledger => ledger.FeesOf(Tenant).Flat.Value);

    private async Task<Freezes[]> FreezesAsync() => await _set.QueryAllAsync(ledger => ledger.OperatorWallet.Freezes);

    /// <summary>The batch that finds the disk full was promised its room before.</summary>
    private async Task FillAsync(int partition)
    {
        _journals[partition].IsFull = true;
        await _set[partition].SubmitAsync(new ConfirmClock());
        Assert.True(_set[partition].IsStorageFull);
    }
}
