// The engine, as grains see it: what a silo does with the partitions and the settlement that come to it.

namespace Bitcache.Cluster.Grains;

/// <summary>
/// The ledger on one silo. A partition's grain calls <see cref="TakeOverAsync"/>, then <see cref="SubmitAsync"/> any number of
/// times and side by side, then <see cref="HandOverAsync"/>. Two silos may be between the first and the last for a moment, since
/// Orleans allows two activations: the journal lets only the one append that took over last.
/// </summary>
internal interface IPartitionHost
{
    /// <summary>Makes this silo the partition's writer: raises its writer epoch, and has all that is durable when it returns.</summary>
    Task TakeOverAsync(int partition, CancellationToken cancel);

    /// <summary>Applies commands or payments, and answers when they are durable.</summary>
    /// <exception cref="PartitionFencedException">Another silo writes this partition now.</exception>
    /// <exception cref="PartitionFailedException">Perhaps they were applied.</exception>
    ValueTask<byte[]> SubmitAsync(int partition, ReadOnlyMemory<byte> items);

    /// <summary>Takes no more, finishes what was taken, and writes nothing from then on.</summary>
    Task HandOverAsync(int partition);
}

/// <summary>The chain's side of the ledger: one loop in the whole cluster, fenced by a term of its own.</summary>
internal interface ISettlementHost
{
    /// <summary>Makes this silo the settlement's owner; commands of the one before are refused from then on.</summary>
    Task TakeOverAsync(CancellationToken cancel);

    /// <summary>Looks at the chain and does what is due now.</summary>
    Task TakeTurnAsync();

    Task HandOverAsync();
}

/// <summary>Another silo writes this partition now. Whether what was submitted was applied is unknown: a retry with the same
/// id tells.</summary>
[GenerateSerializer]
public sealed class PartitionFencedException(string message) : Exception(message);

/// <summary>Something else went wrong. Whether what was submitted was applied is unknown: a retry with the same id tells.</summary>
/// <remarks>It stands for exceptions that cannot travel between silos.</remarks>
[GenerateSerializer]
public sealed class PartitionFailedException(string message) : Exception(message);
