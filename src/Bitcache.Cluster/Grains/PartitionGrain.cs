// A partition's grain: that it is active on a silo makes this silo the partition's writer. It holds nothing, decides
// nothing, and forwards; it is reentrant, or each command would wait for the sync of the one before.

using Bitcache.Cluster.Placement;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Bitcache.Cluster.Grains;

/// <summary>The key is the partition's number.</summary>
internal interface IPartitionGrain : IGrainWithIntegerKey
{
    /// <inheritdoc cref="IPartitionHost.SubmitAsync"/>
    Task<Immutable<byte[]>> SubmitAsync(Immutable<byte[]> items);

    /// <summary>Makes sure that somebody writes the partition, and that it is who should.</summary>
    /// <returns>Where it is.</returns>
    Task<SiloAddress> KeepAsync();
}

[Reentrant, KeepAlive, BesidePartition]
internal sealed class PartitionGrain(IPartitionHost host, PlanCache plans, ISiloStatusOracle silos, ILogger<PartitionGrain> log)
    : Grain, IPartitionGrain
{
    private int Partition => plans.PartitionOf(this.GetGrainId());

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        await host.TakeOverAsync(Partition, cancellationToken);
        log.PartitionTaken(Partition, silos.SiloName);
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await host.HandOverAsync(Partition);
        log.PartitionLeft(Partition, silos.SiloName, reason.Description);
    }

    public async Task<Immutable<byte[]>> SubmitAsync(Immutable<byte[]> items)
    {
        try
        {
            return new Immutable<byte[]>(await host.SubmitAsync(Partition, items.Value));
        }
        catch (PartitionFencedException)
        {
            // The next call finds, or makes, the one that may write.
            DeactivateOnIdle();
            throw;
        }
    }

    public Task<SiloAddress> KeepAsync()
    {
        if (silos.CurrentStatus == SiloStatus.Active && !plans.SiloOf(Partition, silos.GetActiveSilos()).Equals(silos.SiloAddress))
        {
            // Not just ended: whoever still knows it here would have it made here again.
            this.MigrateOnIdle();
        }
        return Task.FromResult(silos.SiloAddress);
    }
}
