using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>The way to the process that has a partition now. A call is carried out there as
/// <see cref="Partition"/> says, or refused: where nobody has the partition, or whoever was asked does not have it any more, nothing
/// was applied (<see cref="PartitionUnavailableException"/>). What went out and was not answered may have been applied
/// (<see cref="OutcomeUnknownException"/>).</summary>
public interface IPartitionOwner
{
    Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term);

    ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant);

    ValueTask SubmitAsync(int partition, PaymentBlock block);

    /// <summary>As <see cref="Partition.ConfirmClockAsync"/>; said twice it is the same.</summary>
    Task<bool> ConfirmClockAsync(int partition);

    /// <summary>As <see cref="Partition.TimeAsync"/>.</summary>
    Task<LedgerTime> TimeAsync(int partition);
}
