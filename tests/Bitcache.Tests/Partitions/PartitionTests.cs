using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>Who is answered when, and what callers are told when something is in the way.</summary>
[Trait("suite", "core")]
public sealed class PartitionTests : IAsyncLifetime
{
    /// <summary>How long a test waits for what must come at once, before it fails.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly GatedJournal _journal = new();
    private readonly TaskCompletionSource<Exception> _fatal = new();
    private OwnedPartition _partition = null!;
    private WalletId _payer;
    private WalletId _payee;

    public async ValueTask InitializeAsync()
    {
        _partition = BegunLedger.Over(_journal, TimeProvider.System, fatal: (_, cause) => _fatal.TrySetResult(cause));
        _partition.Start();
        var (owner, _) = await BegunLedger.BeginAsync(_partition, TimeProvider.System, sat: 1_000);
        (_payer, _payee) = (await CreateAsync(), await CreateAsync());
        await _partition.SubmitAsync(new Transfer(NewId(), owner, _payer, new Msat(500_000), 0, ByteString.Empty));
    }

    [Fact]
    public async Task An_answer_leaves_only_when_its_entry_is_durable_and_reads_wait_too()
    {
        Close();
        var payment = PayAsync(NewId(), 1_000);
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        var read = _partition.QueryAsync(ledger => ledger.FindWallet(_payer)!.Value.Available);
        Assert.False(payment.IsCompleted);
        Assert.False(read.IsCompleted);

        _journal.Open();
        Assert.Equal(Outcome.Accepted, (await payment).Outcome);
        Assert.Equal(new Msat(499_000), await read);
        Assert.Equal(499_000, (await payment).Owner!.Value.Available.Value);
        Assert.Equal(1_000, (await payment).Payee!.Value.Available.Value);
    }

    [Fact]
    public async Task A_retry_gets_the_first_answer_with_todays_balances()
    {
        var id = NewId();
        var first = await PayAsync(id, 1_000);
        await PayAsync(NewId(), 2_000);
        var again = await PayAsync(id, 1_000);
        Assert.Equal((first.Outcome, first.Entry!.Sequence, first.Entry.Time), (again.Outcome, again.Entry!.Sequence, again.Entry.Time));
        Assert.Equal(new Msat(497_000), again.Owner!.Value.Available);
    }

    [Fact]
    public async Task A_refusal_from_state_is_remembered_when_the_state_has_changed()
    {
        var id = NewId();
        Assert.Equal(Outcome.InsufficientFunds, (await PayAsync(id, 600_000)).Outcome);
        await _partition.SubmitAsync(new Transfer(
            NewId(), (await _partition.QueryAsync(l => l.OperatorWallet)).Id, _payer, new Msat(400_000), 0, ByteString.Empty));
        Assert.Equal(Outcome.InsufficientFunds, (await PayAsync(id, 600_000)).Outcome);
        Assert.Equal(Outcome.Accepted, (await PayAsync(NewId(), 600_000)).Outcome);
    }

    [Fact]
    public async Task A_forgotten_id_is_found_in_the_journal_or_callers_are_told_to_come_back()
    {
        var id = NewId();
        var entry = (await PayAsync(id, 1_000)).Entry!;
        Assert.Equal(entry.Sequence, _partition.FindForgottenId(_payer, id));
        Assert.Null(_partition.FindForgottenId(_payee, id));
        Assert.Null(_partition.FindForgottenId(_payer, NewId()));

        _journal.IsUnindexed = true;
        Assert.Equal(Unavailable.Busy, Assert.Throws<PartitionUnavailableException>(() => _partition.FindForgottenId(_payer, id)).Reason);
        (_journal.IsUnindexed, _journal.IsDamaged) = (false, true);
        Assert.Throws<JournalCorruptException>(() => _partition.FindForgottenId(_payer, id));
        Assert.IsType<JournalCorruptException>(await _fatal.Task);
    }

    [Fact]
    public async Task Other_terms_under_a_known_id_are_refused()
    {
        var id = NewId();
        await PayAsync(id, 1_000);
        Assert.Equal(Outcome.IdReused, (await PayAsync(id, 1_001)).Outcome);
        Assert.Equal(Outcome.IdReused, (await _partition.SubmitAsync(
            new RequestWithdrawal(id, _payer, new ByteString([0, 20, .. new byte[19], 1]), new Sats(300), false), tenant: 1)).Outcome);
        Assert.Equal(new Msat(499_000), (await _partition.QueryAsync(l => l.FindWallet(_payer)!.Value)).Available);
    }

    [Fact]
    public async Task The_same_id_while_the_first_is_on_its_way_is_in_flight()
    {
        Close();
        var id = NewId();
        var first = PayManyAsync(id);
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        var second = PayAsync(id, 1);
        // The question is applied behind the second payment, so that one was before the gate opened.
        var third = _partition.QueryAsync(_ => _journal.DurableSequence);
        while (_partition.QueuedItems > 0) await Task.Yield();
        _journal.Open();
        Assert.Equal(Outcome.Accepted, (await first)[0]);
        await third;
        Assert.Equal(Outcome.IdInFlight, (await second).Outcome);
        Assert.Equal(Outcome.Accepted, (await PayAsync(id, 1)).Outcome);
    }

    [Fact]
    public async Task A_few_payments_are_made_durable_where_they_were_applied_and_many_beside_the_next()
    {
        await PayAsync(NewId(), 1);
        Assert.Equal("partition 0 owner", _journal.AppendedBy);
        await PayManyAsync(NewId());
        Assert.Equal("partition 0 sync", _journal.AppendedBy);
        await PayAsync(NewId(), 1);
        Assert.Equal("partition 0 owner", _journal.AppendedBy);
    }

    [Fact]
    public async Task The_same_id_while_few_are_on_their_way_waits_for_the_first_answer()
    {
        Close();
        var id = NewId();
        var first = PayAsync(id, 1_000);
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        var second = PayAsync(id, 1_000);
        _journal.Open();
        Assert.Equal((Outcome.Accepted, false), ((await first).Outcome, (await first).IsRetry));
        Assert.Equal((Outcome.Accepted, true), ((await second).Outcome, (await second).IsRetry));
    }

    [Fact]
    public async Task With_no_room_in_the_journal_writes_are_refused_reads_go_on_and_room_mends_it()
    {
        _journal.IsFull = true;
        // The batch that finds the disk full was promised its room before.
        Assert.Equal(Outcome.Accepted, (await PayAsync(NewId(), 1_000)).Outcome);
        var refused = await Assert.ThrowsAsync<PartitionUnavailableException>(() => PayAsync(NewId(), 1_000));
        Assert.Equal(Unavailable.StorageFull, refused.Reason);
        Assert.Equal(new Msat(499_000), await _partition.QueryAsync(l => l.FindWallet(_payer)!.Value.Available));

        _journal.IsFull = false;
        // Also while questions keep coming.
        while (_partition.IsStorageFull) await _partition.QueryAsync(_ => 0);
        Assert.Equal(Outcome.Accepted, (await PayAsync(NewId(), 1_000)).Outcome);
    }

    [Fact]
    public async Task With_no_room_in_the_journal_a_retry_is_still_told_what_came_of_the_first_time()
    {
        var id = NewId();
        var first = await PayAsync(id, 1_000);
        _journal.IsFull = true;
        await PayAsync(NewId(), 1_000);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => PayAsync(NewId(), 1_000));
        Assert.Equal(first.Entry!.Sequence, (await PayAsync(id, 1_000)).Entry!.Sequence);
        Assert.Equal(Outcome.IdReused, (await PayAsync(id, 1_001)).Outcome);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_failed_append_nobody_is_promised_anything_and_the_process_is_told_to_end(bool ofMany)
    {
        _journal.Failure = new IOException("planted");
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => ofMany ? PayManyAsync(NewId()) : PayAsync(NewId(), 1_000));
        Assert.NotNull(await _fatal.Task);
        var appends = _journal.Appends;
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => PayAsync(NewId(), 1_000));
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => _partition.QueryAsync(_ => 0));
        Assert.Equal(appends, _journal.Appends);
    }

    [Fact]
    public async Task After_a_failed_seal_nothing_is_appended_and_no_question_is_answered()
    {
        _journal.SealFailure = new IOException("planted");
        Assert.NotNull(await _fatal.Task);
        var appends = _journal.Appends;
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => PayAsync(NewId(), 1_000));
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => _partition.QueryAsync(_ => 0));
        Assert.Equal(appends, _journal.Appends);
    }

    [Fact]
    public async Task A_broken_rule_of_the_ledger_ends_the_process()
    {
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => _partition.SubmitAsync(new FinishFamily(1)));
        Assert.NotNull(await _fatal.Task);
    }

    [Fact]
    public async Task Damage_met_while_reading_ends_the_process()
    {
        var id = NewId();
        await PayAsync(id, 1_000);
        _journal.IsDamaged = true;
        await Assert.ThrowsAsync<JournalCorruptException>(() => PayAsync(id, 1_000));
        Assert.NotNull(await _fatal.Task);
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => PayAsync(NewId(), 1_000));
    }

    [Fact]
    public async Task A_question_that_throws_is_its_askers_affair()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _partition.QueryAsync<int>(_ => throw new ArgumentException("mine")));
        Assert.Equal(Outcome.Accepted, (await PayAsync(NewId(), 1_000)).Outcome);
    }

    [Fact]
    public async Task A_full_queue_says_so_at_once()
    {
        Close();
        var waiting = new List<Task> { PayAsync(NewId(), 1) };
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        PartitionUnavailableException? refused = null;
        while (refused is null)
        {
            var payment = PayAsync(NewId(), 1);
            if (payment.IsFaulted) refused = await Assert.ThrowsAsync<PartitionUnavailableException>(() => payment);
            else waiting.Add(payment);
        }
        Assert.Equal(Unavailable.Busy, refused.Reason);
        _journal.Open();
        await Task.WhenAll(waiting);
    }

    [Fact]
    public async Task Whoever_goes_on_after_a_block_holds_up_nobody_elses_answer()
    {
        Close();
        var first = PayAsync(NewId(), 1);
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        using var held = new ManualResetEventSlim();
        var block = new PaymentBlock(1) { Count = 1, Tenant = 1 };
        block.Payments[0] = Transfer(NewId());
        var behind = HoldUpAsync();
        var other = _partition.QueryAsync(_ => 0);
        _journal.Open();
        await other.WaitAsync(Patience, TestContext.Current.CancellationToken);
        held.Set();
        await Task.WhenAll(first, behind);

        async Task HoldUpAsync()
        {
            await _partition.SubmitAsync(block).ConfigureAwait(false);
            held.Wait();
        }
    }

    [Fact]
    public async Task A_retry_that_waits_for_the_disk_holds_up_nobody_elses_answer()
    {
        var id = NewId();
        var paid = await _partition.SubmitAsync(Transfer(id), tenant: 1);
        Close();
        var first = PayAsync(NewId(), 1);
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        var again = _partition.SubmitAsync(Transfer(id), tenant: 1).AsTask();
        var other = _partition.QueryAsync(_ => 0);
        _journal.ReadsOpen.Reset();
        _journal.Open();
        await other.WaitAsync(Patience, TestContext.Current.CancellationToken);
        _journal.ReadsOpen.Set();
        Assert.Equal((true, paid.Sequence), ((await again).IsRetry, (await again).Sequence));
        await first;
    }

    [Fact]
    public async Task Payments_that_arrive_together_share_a_sync()
    {
        Close();
        var first = PayAsync(NewId(), 1);
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        var appends = _journal.Appends;
        var rest = Enumerable.Range(0, 1_000).Select(_ => PayAsync(NewId(), 1)).ToArray();
        _journal.Open();
        await Task.WhenAll(rest.Append(first));
        Assert.InRange(_journal.Appends - appends, 2, 10);
    }

    [Fact]
    public async Task An_overspend_race_of_many_payers_stops_at_zero()
    {
        var payments = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => PayAsync(NewId(), 10_000))));
        Assert.Equal(50, payments.Count(p => p.Outcome == Outcome.Accepted));
        Assert.Equal(14, payments.Count(p => p.Outcome == Outcome.InsufficientFunds));
        Assert.Equal(Msat.Zero, (await _partition.QueryAsync(l => l.FindWallet(_payer)!.Value)).Available);
    }

    [Fact]
    public async Task An_ending_partition_finishes_what_it_took_and_seals()
    {
        Close();
        var payment = PayAsync(NewId(), 1);
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        var ending = _partition.DisposeAsync();
        var refused = await Assert.ThrowsAsync<PartitionUnavailableException>(() => PayAsync(NewId(), 1));
        Assert.Equal(Unavailable.Stopping, refused.Reason);
        _journal.Open();
        Assert.Equal(Outcome.Accepted, (await payment).Outcome);
        await ending;
        Assert.True(_journal.Seals > 0);
    }

    [Fact]
    public async Task What_comes_in_behind_the_last_look_of_an_ending_partition_is_told_so()
    {
        var late = new LateItem(() => _partition.DisposeAsync().AsTask().Wait(Patience, TestContext.Current.CancellationToken));
        _partition.Enqueue(late);
        var told = Assert.IsType<PartitionUnavailableException>(await late.Told.WaitAsync(Patience, TestContext.Current.CancellationToken));
        Assert.Equal(Unavailable.Stopping, told.Reason);
    }

    /// <summary>Does something between the queue's look whether it takes anything and its taking of the item.</summary>
    private sealed class LateItem(Action meanwhile) : WorkItem
    {
        private readonly TaskCompletionSource<Exception> _told = new();
        private Action? _meanwhile = meanwhile;

        public Task<Exception> Told => _told.Task;

        internal override int Cost
        {
            get
            {
                Interlocked.Exchange(ref _meanwhile, null)?.Invoke();
                return 1;
            }
        }

        internal override bool Run(Ledger ledger, Batch batch) => throw new InvalidOperationException("There is no owner any more.");
        internal override void Complete() => throw new InvalidOperationException("It was not run.");
        internal override void Fail(Exception reason) => _told.TrySetResult(reason);
    }

    public async ValueTask DisposeAsync() => await _partition.DisposeAsync();

    private void Close()
    {
        _journal.Close();
        _journal.AppendBegun.Reset();
    }

    private async Task<WalletId> CreateAsync() =>
        (await _partition.SubmitAsync(new CreateWallet(NewId(), 1, ClientIds.NextWallet()), tenant: 1)).Owner!.Value.Id;

    private Task<Answer> PayAsync(OperationId id, long msat) =>
        _partition.SubmitAsync(new Transfer(id, _payer, _payee, new Msat(msat), 0, ByteString.Empty), tenant: 1);

    /// <summary>More than the owner makes durable itself; the first of them under an id that the test knows.</summary>
    private async Task<Outcome[]> PayManyAsync(OperationId first)
    {
        var block = new PaymentBlock(OwnedPartition.AloneEntriesMax + 1) { Count = OwnedPartition.AloneEntriesMax + 1, Tenant = 1 };
        for (var i = 0; i < block.Count; i++) block.Payments[i] = Transfer(i == 0 ? first : NewId());
        await _partition.SubmitAsync(block);
        return [.. block.Results.ToArray().Select(result => result.Outcome)];
    }

    private Payment Transfer(OperationId id) => new() { Kind = PaymentKind.Transfer, Id = id, Payer = _payer, Payee = _payee, Amount = new Msat(1) };

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
