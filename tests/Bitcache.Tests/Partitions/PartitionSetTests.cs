using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;

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
    public async Task Who_sets_fees_while_they_are_being_set_waits_his_turn()
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
        await MakeRoomAsync(0);
        Assert.False((await Set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
        Assert.Equal((long[])[1, 1], await FlatFeesAsync());
        Assert.True((await Set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
    }

    [Fact]
    public async Task With_no_room_in_the_first_to_be_asked_nothing_was_set()
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

    [Fact]
    public async Task A_retry_of_fees_that_reached_one_partition_does_not_bring_them_back_when_others_were_set_since()
    {
        var fees = Fees(1);
        await Set[1].SubmitAsync(fees);
        await Set.SubmitAsync(Fees(2), Ledger.OperatorTenant);
        Assert.True((await Set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
        Assert.Equal((long[])[2, 2], await FlatFeesAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nor_does_that_of_a_freeze(bool frozen)
    {
        if (!frozen) await SetFrozenAsync(NewId(), frozen: true);
        var freeze = NewId();
        await Set[1].SubmitAsync(new SetFrozen(freeze, _two.Operator, frozen));
        await SetFrozenAsync(NewId(), !frozen);
        var since = await FreezesAsync();
        Assert.True((await SetFrozenAsync(freeze, frozen)).IsRetry);
        Assert.Equal(since, await FreezesAsync());
        Assert.Single(since.Distinct());
    }

    [Fact]
    public async Task What_another_process_has_set_since_it_took_settlement_over_a_late_one_leaves_as_it_is()
    {
        var (late, fees, stop, freeze) = (await TakeOverAsync("silo-1"), Fees(1), NewId(), NewId());
        Assert.Equal(Outcome.Accepted, (await late.SubmitAsync(Set[1], fees)).Outcome);
        Assert.Equal(Outcome.Accepted, (await late.SubmitAsync(Set[1], new SetFrozen(freeze, _two.Operator, true))).Outcome);
        Assert.Equal(Outcome.Accepted, (await late.SubmitAsync(Set[0], new StopWithdrawals(stop, true))).Outcome);

        var newest = await TakeOverAsync("silo-2");
        await Set.SubmitAsync(Fees(2), Ledger.OperatorTenant);
        await SetFrozenAsync(NewId(), frozen: false);
        await Set.StopWithdrawalsAsync(new StopWithdrawals(NewId(), false));
        await CheckAsync();

        // What the first one had still to do.
        await Assert.ThrowsAsync<TermOverException>(() => late.SubmitAsync(Set[0], fees));
        await Assert.ThrowsAsync<TermOverException>(() => late.SubmitAsync(Set[0], new SetFrozen(freeze, _two.Operator, true)));
        await Assert.ThrowsAsync<TermOverException>(() => late.SubmitAsync(Set[1], new StopWithdrawals(default, true)));
        // And what it begins.
        Set.Term = () => late;
        await Assert.ThrowsAsync<TermOverException>(() => Set.SubmitAsync(Fees(3), Ledger.OperatorTenant));
        await Assert.ThrowsAsync<TermOverException>(() => SetFrozenAsync(NewId(), frozen: true));
        await Assert.ThrowsAsync<TermOverException>(() => Set.StopWithdrawalsAsync(new StopWithdrawals(NewId(), true)));
        await CheckAsync();

        // Whoever was told that the outcome is unknown asks again, where settlement is now.
        Set.Term = () => newest;
        Assert.True((await Set.SubmitAsync(fees, Ledger.OperatorTenant)).IsRetry);
        Assert.True((await SetFrozenAsync(freeze, frozen: true)).IsRetry);
        Assert.True((await Set.StopWithdrawalsAsync(new StopWithdrawals(stop, true))).IsRetry);
        await CheckAsync();

        async Task CheckAsync()
        {
            Assert.Equal((long[])[2, 2], await FlatFeesAsync());
            Assert.Equal((Freezes[])[Freezes.None, Freezes.None], await FreezesAsync());
            Assert.Equal((bool[])[false, false], await Set.QueryAllAsync(ledger => ledger.WithdrawalsStopped));
        }
    }

    [Fact]
    public async Task A_block_of_which_one_partition_took_its_part_has_an_unknown_outcome_and_is_answered_when_it_comes_again()
    {
        var block = await BlockAcrossAsync();
        await FillAsync(1);
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => Set.SubmitAsync(block).AsTask());

        await MakeRoomAsync(1);
        await Set.SubmitAsync(block);
        Assert.Equal([Outcome.Known, Outcome.InsufficientFunds], block.Results.ToArray().Select(result => result.Outcome));
        Set.Recall(block);
        Assert.Equal([Outcome.InsufficientFunds, Outcome.InsufficientFunds], block.Results.ToArray().Select(result => result.Outcome));
    }

    [Fact]
    public async Task A_block_that_no_partition_took_was_not_applied()
    {
        var block = await BlockAcrossAsync();
        await FillAsync(0);
        await FillAsync(1);
        var refusal = await Assert.ThrowsAsync<PartitionUnavailableException>(() => Set.SubmitAsync(block).AsTask());
        Assert.Equal(Unavailable.StorageFull, refusal.Reason);

        await MakeRoomAsync(0);
        await MakeRoomAsync(1);
        await Set.SubmitAsync(block);
        Assert.Equal([Outcome.InsufficientFunds, Outcome.InsufficientFunds], block.Results.ToArray().Select(result => result.Outcome));
    }

    [Fact]
    public async Task One_id_for_outputs_of_two_partitions_has_one_effect_whenever_they_are_asked_for()
    {
        OutPoint[] outputs = [new(default, 0), new(default, 1)];
        foreach (var partition in Set.All)
        {
            var home = (await partition.SubmitAsync(new CreateWallet(NewId(), Tenant, ClientIds.NextWallet(partition.Number, Set.Count)), Tenant)).Owner!.Value.Id;
            var script = new ByteString([0x51, (byte)partition.Number]);
            await partition.SubmitAsync(new AssignAddress(NewId(), home, AddressPurpose.Deposit, script), Tenant);
            foreach (var state in (DepositState[])[DepositState.Credited, DepositState.Frozen])
                Assert.Equal(Outcome.Accepted, (await partition.SubmitAsync(new ChangeDeposit(outputs[partition.Number], state, false, script, new Sats(1), default, 1))).Outcome);
        }
        // Both have something to write, so that what is asked meanwhile is answered together.
        var busy = Set.All.Select(partition =>
        {
            Journals[partition.Number].Close();
            Journals[partition.Number].AppendBegun.Reset();
            var writing = partition.SubmitAsync(new ConfirmClock());
            Journals[partition.Number].AppendBegun.Wait(TestContext.Current.CancellationToken);
            return writing;
        }).ToArray();
        var id = NewId();
        var both = outputs.Select(output => Set.SubmitAsync(new SettleDeposit(id, output, Released: true, ByteString.Empty, ByteString.Empty), Ledger.OperatorTenant)).ToArray();
        foreach (var journal in Journals) journal.Open();
        await Task.WhenAll(busy);
        Assert.Equal([Outcome.Accepted, Outcome.IdReused], (await Task.WhenAll(both)).Select(answer => answer.Outcome).Order());
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private static SetFees Fees(long flat) => new(NewId(), Tenant, new FeeSchedule(new Msat(flat), 0, Msat.Zero));

    /// <summary>Gives settlement to a process, which is this one from now on.</summary>
    private async Task<SettlementTerm> TakeOverAsync(string silo)
    {
        var term = await SettlementTerm.TakeOverAsync(Set, ByteString.FromUtf8(silo));
        Set.Term = () => term;
        return term;
    }

    private Task<Answer> SetFrozenAsync(OperationId id, bool frozen) => Set.SubmitAsync(new SetFrozen(id, _two.Operator, frozen), Ledger.OperatorTenant);

    private async Task<long[]> FlatFeesAsync() => await Set.QueryAllAsync(ledger => ledger.FeesOf(Tenant).Flat.Value);

    private async Task<Freezes[]> FreezesAsync() => await Set.QueryAllAsync(ledger => ledger.OperatorWallet.Freezes);

    /// <summary>The batch that finds the disk full was promised its room before.</summary>
    private async Task FillAsync(int partition)
    {
        Journals[partition].IsFull = true;
        await Set[partition].SubmitAsync(new ConfirmClock());
        Assert.True(Set[partition].IsStorageFull);
    }

    /// <summary>It looks again when it has rested for a while.</summary>
    private async Task MakeRoomAsync(int partition)
    {
        Journals[partition].IsFull = false;
        while (Set[partition].IsStorageFull)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>Two payments that cannot be paid, one from each partition to the other.</summary>
    private async Task<PaymentBlock> BlockAcrossAsync()
    {
        var wallets = new WalletId[2];
        foreach (var partition in Set.All)
        {
            var made = await partition.SubmitAsync(new CreateWallet(NewId(), Tenant, ClientIds.NextWallet(partition.Number, Set.Count)), Tenant);
            wallets[partition.Number] = made.Owner!.Value.Id;
        }
        var block = new PaymentBlock(2) { Tenant = Tenant, Count = 2 };
        for (var from = 0; from < 2; from++)
            block.Payments[from] = new Payment { Kind = PaymentKind.Transfer, Id = NewId(), Payer = wallets[from], Payee = wallets[1 - from], Amount = new Msat(1) };
        return block;
    }
}
