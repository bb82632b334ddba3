using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>A partition over a journal that another process may take over: what it asks before it answers, and that everybody
/// who waits is told when it has happened.</summary>
[Trait("suite", "core")]
public sealed class SharedJournalTests : IAsyncLifetime
{
    private readonly GatedJournal _journal = new() { IsShared = true };
    private readonly List<Exception> _ends = [];
    private OwnedPartition _partition = null!;
    private WalletId _payer;
    private WalletId _payee;

    public async ValueTask InitializeAsync()
    {
        _partition = BegunLedger.Over(_journal, TimeProvider.System, fatal: (_, cause) => _ends.Add(cause));
        _partition.Start();
        (_payer, _payee) = await BegunLedger.BeginAsync(_partition, TimeProvider.System, 1_000);
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task Questions_are_answered_after_it_was_asked_whose_the_journal_is_and_payments_by_their_append()
    {
        var before = _journal.Confirmations;
        await _partition.QueryAsync(ledger => ledger.NextSequence);
        Assert.Equal(before + 1, _journal.Confirmations);
        await PayAsync();
        Assert.Equal(before + 1, _journal.Confirmations);
    }

    [Fact]
    public async Task That_a_wallet_is_there_is_told_at_once_and_that_it_is_not_after_it_was_asked()
    {
        var before = _journal.Confirmations;
        Assert.Equal([Ledger.OperatorTenant], await _partition.OwnersAsync([_payee]));
        Assert.Equal(before, _journal.Confirmations);
        Assert.Equal([Ledger.OperatorTenant, null], await _partition.OwnersAsync([_payee, new WalletId(4_711)]));
        Assert.Equal(before + 1, _journal.Confirmations);
    }

    [Fact]
    public async Task After_a_takeover_no_question_is_answered()
    {
        _journal.Takeover = new WriterFencedException("planted");
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => _partition.QueryAsync(ledger => ledger.NextSequence));
        Assert.Same(_journal.Takeover, Assert.Single(_ends));
    }

    /// <summary>The process may go on with other partitions: nobody waits for ever for one that has ended.</summary>
    [Fact]
    public async Task Whoever_waits_is_told_wherever_a_failure_finds_his_payment()
    {
        _journal.Close();
        _journal.AppendBegun.Reset();
        var inAppend = PayAsync();
        _journal.AppendBegun.Wait(TestContext.Current.CancellationToken);
        // The next batch is begun and waits for the disk, and what does not fit into it waits in the queue.
        var behind = Enumerable.Range(0, 20).Select(_ => PayAsync()).ToArray();
        _journal.Failure = new IOException("planted");
        _journal.Open();
        foreach (var payment in (Task<PaymentAnswer>[])[inAppend, .. behind]) await Assert.ThrowsAsync<OutcomeUnknownException>(() => payment);
        Assert.Single(_ends);
    }

    private Task<PaymentAnswer> PayAsync() => _partition.SubmitAsync(
        new Payment { Kind = PaymentKind.Transfer, Id = ClientIds.Next(TimeProvider.System), Payer = _payer, Payee = _payee, Amount = new Msat(1) },
        Ledger.OperatorTenant).AsTask();
}
