using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Simulation;

/// <summary>What the clients of a simulation talk to: a partition as it is, or one with a mistake in front of it.</summary>
internal class Subject(OwnedPartition partition)
{
    protected OwnedPartition Partition => partition;

    public virtual Task<Answer> SubmitAsync(ClientCommand command, uint tenant, long term) => partition.SubmitAsync(command, tenant, term);

    public virtual ValueTask<PaymentAnswer> SubmitAsync(Payment payment, uint tenant) => partition.SubmitAsync(payment, tenant);

    public virtual ValueTask SubmitAsync(PaymentBlock block) => partition.SubmitAsync(block);

    public virtual Task<T> QueryAsync<T>(Func<Ledger, T> question) => partition.QueryAsync(question);

    public virtual void TakeOwnerTurn() => partition.TakeOwnerTurn();
}
