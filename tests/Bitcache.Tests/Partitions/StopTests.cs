using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>Withdrawals that are stopped in two partitions: the first decides, and the second follows.</summary>
[Trait("suite", "core")]
public sealed class StopTests : IAsyncLifetime
{
    private TwoPartitions _two = null!;

    public async ValueTask InitializeAsync() => _two = await TwoPartitions.StartAsync();

    public ValueTask DisposeAsync() => _two.DisposeAsync();

    [Fact]
    public async Task A_stop_reaches_every_partition_and_so_does_its_end()
    {
        await SetAsync(NewId(), stopped: true);
        Assert.Equal((true, true), await StatesAsync());
        await SetAsync(NewId(), stopped: false);
        Assert.Equal((false, false), await StatesAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_ended_between_two_partitions_is_completed_as_the_first_decided(bool stopped)
    {
        if (!stopped) await SetAsync(NewId(), stopped: true);
        // The process ended when the first had it.
        await _two.Set.First.SubmitAsync(new StopWithdrawals(NewId(), stopped));
        Assert.Equal((stopped, !stopped), await StatesAsync());
        await FollowAsync();
        Assert.Equal((stopped, stopped), await StatesAsync());
        // There is nothing more to write down.
        var entries = await _two.Set.QueryAllAsync(ledger => ledger.NextSequence);
        await FollowAsync();
        Assert.Equal(entries, await _two.Set.QueryAllAsync(ledger => ledger.NextSequence));
    }

    [Fact]
    public async Task A_retry_completes_what_it_began_and_a_late_one_leaves_what_was_decided_since()
    {
        var (stop, resume) = (NewId(), NewId());
        await _two.Set.First.SubmitAsync(new StopWithdrawals(stop, true));
        Assert.True((await SetAsync(stop, stopped: true)).IsRetry);
        Assert.Equal((true, true), await StatesAsync());
        await SetAsync(resume, stopped: false);
        await SetAsync(NewId(), stopped: true);
        Assert.True((await SetAsync(resume, stopped: false)).IsRetry);
        Assert.Equal((true, true), await StatesAsync());
    }

    [Fact]
    public async Task One_partition_that_has_no_room_keeps_no_other_from_stopping()
    {
        GatedJournal[] journals = [new(), new(), new()];
        Ledger[] ledgers = [new(0), new(1), new(2)];
        var courier = new LegCourier(TimeProvider.System, (partition, item) => partition.TryEnqueue(item));
        OwnedPartition[] partitions = [.. ledgers.Select(ledger => new OwnedPartition(
            ledger, journals[ledger.Partition], new BatchClock(TimeProvider.System, null), NullLogger.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause), courier: courier))];
        courier.Connect(partitions, ledgers);
        await using var three = new PartitionSet(partitions, courier);
        foreach (var partition in partitions)
        {
            partition.Start();
            await partition.SubmitAsync(new Genesis("test/log", 3, 3, ClientIds.NextWallet(0, 3), new ByteString([0x51]), []));
        }
        journals[1].IsFull = true;
        var stop = NewId();
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => three.StopWithdrawalsAsync(new StopWithdrawals(stop, true)));
        Assert.Equal((bool[])[true, false, true], await three.QueryAllAsync(ledger => ledger.WithdrawalsStopped));
        journals[1].IsFull = false;
        while (partitions[1].IsStorageFull) await partitions[1].QueryAsync(_ => 0);
        Assert.True((await three.StopWithdrawalsAsync(new StopWithdrawals(stop, true))).IsRetry);
        Assert.Equal((bool[])[true, true, true], await three.QueryAllAsync(ledger => ledger.WithdrawalsStopped));
    }

    private Task FollowAsync() => _two.Set.FollowStopAsync(_two.Set.Term());

    private Task<Answer> SetAsync(OperationId id, bool stopped) => _two.Set.StopWithdrawalsAsync(new StopWithdrawals(id, stopped));

    private async Task<(bool First, bool Second)> StatesAsync()
    {
        var stopped = await _two.Set.QueryAllAsync(ledger => ledger.WithdrawalsStopped);
        return (stopped[0], stopped[1]);
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
