// A partition's grain: that it is active on a silo makes this silo the partition's writer. It holds nothing, decides
// nothing, and forwards; it is reentrant, or each command would wait for the sync of the one before.

using System.Collections.Concurrent;
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
internal sealed class PartitionGrain(IPartitionHost host, PlanCache plans, PartitionsHere here, ISiloStatusOracle silos, ILogger<PartitionGrain> log)
    : Grain, IPartitionGrain
{
    private int Partition => plans.PartitionOf(this.GetGrainId());

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        try
        {
            await host.TakeOverAsync(Partition, cancellationToken);
        }
#pragma warning disable CA1031 // An exception of the database, say, no other silo can read.
        catch (Exception e)
        {
            log.PartitionNotTaken(Partition, silos.SiloName, e);
            throw new PartitionFailedException(e.Message);
        }
#pragma warning restore CA1031
        here.Add(Partition, GrainContext);
        log.PartitionTaken(Partition, silos.SiloName);
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        here.Remove(Partition, GrainContext);
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
#pragma warning disable CA1031 // An exception of the database, say, no other silo can read.
        catch (Exception e) when (e is not PartitionFailedException)
        {
            log.PartitionFailed(Partition, e);
            throw new PartitionFailedException(e.Message);
        }
#pragma warning restore CA1031
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

/// <summary>The partitions that this silo has now.</summary>
internal sealed class PartitionsHere
{
    private readonly ConcurrentDictionary<int, IGrainContext> _grains = new();

    public void Add(int partition, IGrainContext grain) => _grains[partition] = grain;

    public void Remove(int partition, IGrainContext grain) => _grains.TryRemove(KeyValuePair.Create(partition, grain));

    /// <summary>Hands all of them over; done when nothing of them is written here any more.</summary>
    public Task LeaveAsync(string why, CancellationToken cancel) => Task.WhenAll(_grains.Values.Select(grain =>
    {
        grain.Deactivate(new DeactivationReason(DeactivationReasonCode.ShuttingDown, why), cancel);
        return grain.Deactivated;
    }));
}
