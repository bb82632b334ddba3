using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Cluster.Grains;

/// <summary>What a wallet asks for, on its way to its partition, with what must be found out in others before. Nothing else goes
/// this way: what belongs to no wallet, or to another one, is refused.</summary>
internal sealed class WalletRoute(WalletId wallet, PartitionSet partitions) : IPartitionOwner
{
    public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) => command is ClientCommand { IsUnderTerm: false } asked && asked.Owner == wallet
        ? partitions.SubmitAsync(asked, tenant)
        : throw new ArgumentException($"{command.GetType().Name} is no command of wallet {wallet}", nameof(command));

    public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) => payment.Payer == wallet
        ? partitions.SubmitAsync(payment, tenant)
        : throw new ArgumentException($"a payment of wallet {payment.Payer} is none of wallet {wallet}", nameof(payment));

    public ValueTask SubmitAsync(int partition, PaymentBlock block) => throw new ArgumentException("a block is no single wallet's", nameof(block));

    public Task<bool> ConfirmClockAsync(int partition) => throw new NotSupportedException("the clock is no wallet's");

    public Task<LedgerTime> TimeAsync(int partition) => throw new NotSupportedException("the time is no wallet's");
}
