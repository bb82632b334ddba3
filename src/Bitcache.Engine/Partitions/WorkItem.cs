// What waits in a partition's queue: a command to apply or a question to answer. Both are completed once the batch they
// were part of is durable: by the thread pool, to which the sync thread hands them (Answers). Only a question about what
// nothing can take back is answered at once.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Something that waits in a partition's queue.</summary>
public abstract class WorkItem
{
    private protected WorkItem()
    {
    }

    /// <summary>What it takes of the queue's bound.</summary>
    internal virtual int Cost => 1;

    /// <summary>Of what is neither a command nor payments, whether running it may write an entry.</summary>
    internal virtual bool Writes => false;

    /// <summary>Whether nobody waits for the batch once it was run.</summary>
    internal virtual bool IsAnsweredAtOnce => false;

    /// <summary>Runs on the owner thread, in the order of the queue. False if the batch had no room for all of it: it
    /// goes on in the next one.</summary>
    internal abstract bool Run(Ledger ledger, Batch batch);

    /// <summary>Everything the item saw or did is durable.</summary>
    internal abstract void Complete();

    internal abstract void Fail(Exception reason);
}

internal sealed class CommandItem(Command command, uint tenant, long term) : WorkItem
{
    // Continuations run elsewhere: the sync thread has the next batch to write.
    private readonly TaskCompletionSource<Applied> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Applied _applied;

    public Command Command => command;
    public Task<Applied> Done => _done.Task;

    internal override bool Run(Ledger ledger, Batch batch)
    {
        var result = batch.Apply(ledger, command, tenant, term);
        var record = result.IsJournaled ? batch.Payload[^result.BytesWritten..].ToArray() : null;
        if (result.Outcome == Outcome.Known && !batch.IsDurable(result.Sequence))
        {
            // The first request under this id is still on its way to the disk.
            result = new ApplyResult(Outcome.IdInFlight, 0, 0);
        }
        _applied = new Applied(
            result.Outcome, result.Sequence, record,
            command is ClientCommand named ? ledger.FindWallet(named is CreateWallet c ? c.Wallet : named.Owner) : null,
            command is PaymentCommand payment ? ledger.FindWallet(payment.Payee) : null,
            command is Split split ? [.. split.Parts.Select(part => ledger.FindWallet(part.Payee))] : []);
        return true;
    }

    internal override void Complete() => _done.TrySetResult(_applied);
    internal override void Fail(Exception reason) => _done.TrySetException(reason);
}

/// <param name="Record">The journal record that was written, if any.</param>
internal readonly record struct Applied(Outcome Outcome, long Sequence, byte[]? Record, Wallet? Owner, Wallet? Payee, Wallet?[] Payees);

/// <summary>A question whose answer nothing can take back: it is given at once, not after the next sync.</summary>
internal sealed class FactItem<T>(Func<Ledger, T> question) : WorkItem
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Done => _done.Task;

    internal override bool IsAnsweredAtOnce => true;

    internal override bool Run(Ledger ledger, Batch batch)
    {
        _done.TrySetResult(question(ledger));
        return true;
    }

    internal override void Complete()
    {
    }

    internal override void Fail(Exception reason) => _done.TrySetException(reason);
}

/// <param name="question">With the batch at whose time it is asked.</param>
internal sealed class QueryItem<T>(Func<Ledger, Batch, T> question) : WorkItem
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T _answer = default!;

    public Task<T> Done => _done.Task;

    internal override bool Run(Ledger ledger, Batch batch)
    {
        try
        {
            _answer = question(ledger, batch);
        }
#pragma warning disable CA1031 // A question changes nothing: what it throws is its asker's affair.
        catch (Exception e)
        {
            _done.TrySetException(e);
        }
#pragma warning restore CA1031
        return true;
    }

    internal override void Complete() => _done.TrySetResult(_answer);
    internal override void Fail(Exception reason) => _done.TrySetException(reason);
}
