using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

/// <summary>What a retry is told while batches are on their way. The test takes the turns of both threads, so that a retry
/// comes at the very moment that is meant.</summary>
[Trait("suite", "core")]
public sealed class RetryTests : IAsyncLifetime
{
    private readonly GatedJournal _journal = new();
    private readonly OwnedPartition _partition;
    private WalletId _payer;
    private WalletId _payee;

    public RetryTests() => _partition = BegunLedger.Over(_journal, TimeProvider.System);

    public async ValueTask InitializeAsync() =>
        (_payer, _payee) = await BegunLedger.BeginAsync(_partition, TimeProvider.System, sat: 1, SettleAsync);

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Theory]
    [InlineData(Way.Command)]
    [InlineData(Way.Payment)]
    [InlineData(Way.Block)]
    public async Task A_retry_of_what_is_durable_is_answered_though_its_batch_was_begun_before(Way way)
    {
        var payment = new Payment { Kind = PaymentKind.Transfer, Id = NewId(), Payer = _payer, Payee = _payee, Amount = new Msat(10) };
        var first = SendAsync(payment, way);
        _partition.TakeOwnerTurn();
        // While the disk is busy with the payment, the next batch is begun.
        var question = _partition.QueryAsync(_ => 0);
        _partition.TakeOwnerTurn();
        var tooEarly = SendAsync(payment, way);
        _partition.TakeOwnerTurn();
        _partition.TakeSyncTurn(TimeSpan.Zero);
        var sequence = (await first).Sequence;
        Assert.Equal(sequence, _partition.DurableSequence);

        var retry = SendAsync(payment, way);
        _partition.TakeOwnerTurn();
        _partition.TakeSyncTurn(TimeSpan.Zero);
        Assert.Equal((Outcome.Accepted, sequence), await retry);
        Assert.Equal((Outcome.IdInFlight, 0), await tooEarly);
        await question;
    }

    public enum Way
    {
        Command,
        Payment,
        Block,
    }

    private async Task<(Outcome Outcome, long Sequence)> SendAsync(Payment payment, Way way)
    {
        switch (way)
        {
            case Way.Command:
                var command = new Transfer(payment.Id, payment.Payer, payment.Payee, payment.Amount, 0, ByteString.Empty);
                var answer = await _partition.SubmitAsync(command);
                return (answer.Outcome, answer.Entry?.Sequence ?? 0);
            case Way.Payment:
                var single = await _partition.SubmitAsync(payment, Ledger.OperatorTenant);
                return (single.Outcome, single.Sequence);
            case Way.Block:
                var block = new PaymentBlock(1) { Count = 1, Tenant = Ledger.OperatorTenant };
                block.Payments[0] = payment;
                await _partition.SubmitAsync(block);
                _partition.Recall(block);
                return (block.Results[0].Outcome, block.Results[0].Sequence);
            default:
                throw new ArgumentOutOfRangeException(nameof(way));
        }
    }

    private async Task<Answer> SettleAsync(Task<Answer> sent)
    {
        _partition.TakeOwnerTurn();
        _partition.TakeSyncTurn(TimeSpan.Zero);
        return await sent;
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
