// The way to whoever writes a partition, by its grain.

using Bitcache.Core;
using Bitcache.Cluster.Placement;
using Bitcache.Engine.Partitions;
using Orleans.Concurrency;

namespace Bitcache.Cluster.Grains;

/// <summary>Of whatever fails on the way only that a silo could not take the partition over says that nothing was applied: what
/// Orleans rejects or gives up may have come to the writer.</summary>
internal static class GrainPartitionOwner
{
    /// <summary>How long callers wait while a partition is between two silos.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static IPartitionOwner Over(IGrainFactory grains, TimeProvider time) =>
        new RemoteOwner((partition, question) => CarryAsync(partition, grains.GetGrain<IPartitionGrain>(partition).AskAsync, question), time, Patience);

    /// <summary>The same by way of a wallet's grain, which sends on what the wallet asks for.</summary>
    public static IPartitionOwner Of(WalletId wallet, IGrainFactory grains, TimeProvider time) =>
        new RemoteOwner((partition, question) => CarryAsync(partition, grains.GetGrain<IWalletGrain>(WalletKey.Of(wallet)).AskAsync, question), time, Patience);

    private static async Task<byte[]> CarryAsync(int partition, Func<Immutable<byte[]>, Task<Immutable<byte[]>>> ask, byte[] question)
    {
        try
        {
            return (await ask(new Immutable<byte[]>(question))).Value;
        }
        catch (PartitionNotTakenException)
        {
            throw new PartitionElsewhereException(partition);
        }
    }
}
