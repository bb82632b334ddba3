// Partitions with one wrong rule each.

using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Simulation;

/// <summary>A mistake in how single payments are answered.</summary>
internal abstract class WrongAnswer(OwnedPartition partition) : Subject(partition)
{
    public override async ValueTask<PaymentAnswer> SubmitAsync(Payment payment, uint tenant) =>
        await Change(payment, tenant, await base.SubmitAsync(payment, tenant));

    protected abstract ValueTask<PaymentAnswer> Change(Payment payment, uint tenant, PaymentAnswer answer);

    /// <summary>The same payment once more, under an id of its own.</summary>
    protected ValueTask<PaymentAnswer> PayAnew(Payment payment, uint tenant)
    {
        var random = payment.Id.Value ^ 0x5555;
        var anew = new Payment
        {
            Kind = payment.Kind,
            Flags = payment.Flags,
            Id = OperationId.Create(Partition.BatchTime, random),
            Payer = payment.Payer,
            Payee = payment.Payee,
            Target = payment.Target,
            Amount = payment.Amount,
            OriginalAmount = payment.OriginalAmount,
            Expires = payment.Expires,
            Code = payment.Code,
        };
        return Partition.SubmitAsync(anew, tenant);
    }
}

internal sealed class RefusalForgotten(OwnedPartition partition, HashSet<OperationId> refused) : WrongAnswer(partition)
{
    protected override async ValueTask<PaymentAnswer> Change(Payment payment, uint tenant, PaymentAnswer answer) =>
        answer.IsRetry && refused.Contains(payment.Id) ? await PayAnew(payment, tenant) : answer;
}

internal sealed class RetryPaysAgain(OwnedPartition partition) : WrongAnswer(partition)
{
    protected override async ValueTask<PaymentAnswer> Change(Payment payment, uint tenant, PaymentAnswer answer)
    {
        if (answer.IsRetry && answer.Outcome == Outcome.Accepted) await PayAnew(payment, tenant);
        return answer;
    }
}

internal sealed class ForgettingWithoutFloor(OwnedPartition partition) : WrongAnswer(partition)
{
    protected override async ValueTask<PaymentAnswer> Change(Payment payment, uint tenant, PaymentAnswer answer) =>
        answer.Outcome == Outcome.IdBelowFloor ? await PayAnew(payment, tenant) : answer;
}

/// <summary>A mistake that answers from the journal what should be refused.</summary>
internal abstract class AnswersFromJournal(OwnedPartition partition, Outcome instead) : WrongAnswer(partition)
{
    protected override ValueTask<PaymentAnswer> Change(Payment payment, uint tenant, PaymentAnswer answer) =>
        ValueTask.FromResult(answer.Outcome == instead ? FromJournal(payment, answer) : answer);

    private PaymentAnswer FromJournal(in Payment payment, in PaymentAnswer answer)
    {
        try
        {
            if (Partition.FindForgottenId(payment.Payer, payment.Id) is not { } sequence) return answer;
            var entry = Partition.ReadEntry(sequence);
            return PaymentCommand.From(payment).HasSameTerms((ClientCommand)entry.Command)
                ? answer with { Outcome = entry.Outcome, Sequence = sequence, IsRetry = true }
                : answer;
        }
        catch (PartitionUnavailableException)
        {
            // The journal's filters are not made yet.
            return answer;
        }
    }
}

internal sealed class FloorWithoutForgetting(OwnedPartition partition) : AnswersFromJournal(partition, Outcome.IdBelowFloor);

internal sealed class InFlightAsKnown(OwnedPartition partition) : AnswersFromJournal(partition, Outcome.IdInFlight);

internal sealed class OldBalances(OwnedPartition partition) : WrongAnswer(partition)
{
    private readonly Dictionary<OperationId, PaymentAnswer> _first = [];

    protected override ValueTask<PaymentAnswer> Change(Payment payment, uint tenant, PaymentAnswer answer)
    {
        if (!answer.IsRetry) _first.TryAdd(payment.Id, answer);
        return ValueTask.FromResult(answer.IsRetry && _first.TryGetValue(payment.Id, out var first) ? answer with { Payer = first.Payer } : answer);
    }
}

internal sealed class BlockHalfLost(OwnedPartition partition) : Subject(partition)
{
    public override async ValueTask SubmitAsync(PaymentBlock block)
    {
        await base.SubmitAsync(block);
        // The time of a block is that of the batch of its last payment: another than that of the first, if it straddles.
        var first = -1L;
        for (var i = 0; i < block.Count; i++)
        {
            if (!block.Results[i].IsJournaled) continue;
            if (first < 0) first = Partition.ReadEntry(block.Results[i].Sequence).Time.Milliseconds;
            if (Partition.ReadEntry(block.Results[i].Sequence).Time.Milliseconds != first) block.Results[i] = default;
        }
    }
}

internal sealed class ExpiredWithoutTrust(OwnedPartition partition, Ledger ledger) : Subject(partition)
{
    public override void TakeOwnerTurn()
    {
        if (!Partition.IsClockTrusted && ledger.NextHoldToExpire(Partition.BatchTime) is { } due && Partition.QueuedItems == 0) _ = Partition.SubmitAsync(due);
        base.TakeOwnerTurn();
    }
}

internal sealed class DirtyRead(OwnedPartition partition, Ledger ledger) : Subject(partition)
{
    public override Task<T> QueryAsync<T>(Func<Ledger, T> question) => Task.FromResult(question(ledger));
}

internal sealed class QueueDrops(OwnedPartition partition) : Subject(partition)
{
    private readonly TaskCompletionSource _never = new();

    public override async ValueTask SubmitAsync(PaymentBlock block)
    {
        try
        {
            await base.SubmitAsync(block);
        }
        catch (PartitionUnavailableException)
        {
            await _never.Task;
        }
    }
}

internal sealed class UnknownCalledBusy(OwnedPartition partition) : Subject(partition)
{
    public override async ValueTask<PaymentAnswer> SubmitAsync(Payment payment, uint tenant)
    {
        try
        {
            return await base.SubmitAsync(payment, tenant);
        }
        catch (OutcomeUnknownException)
        {
            throw new PartitionUnavailableException(Unavailable.Busy);
        }
    }
}

internal sealed class StrangersPay(OwnedPartition partition, Ledger ledger) : Subject(partition)
{
    public override ValueTask<PaymentAnswer> SubmitAsync(Payment payment, uint tenant) =>
        base.SubmitAsync(payment, ledger.FindWallet(payment.Payer)?.Tenant ?? tenant);
}

internal sealed class OneMsatMore(OwnedPartition partition) : Subject(partition)
{
    public override Task<Answer> SubmitAsync(ClientCommand command, uint tenant, long term) =>
        base.SubmitAsync(command is Transfer { Amount.Value: > 100_000 } t ? t with { Amount = t.Amount + new Msat(1) } : command, tenant, term);
}
