// A partition's grain: that it is active on a silo makes this silo the partition's writer. It holds nothing, decides
// nothing, and forwards; it is reentrant, or each command would wait for the sync of the one before. Two silos may have it
// active for a moment, since Orleans allows that: the journal lets only the one write that took the partition over last, and
// the other steps down.

using Bitcache.Cluster.Placement;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Bitcache.Cluster.Grains;

/// <summary>The key is the partition's number.</summary>
internal interface IPartitionGrain : IGrainWithIntegerKey
{
    /// <summary>Puts another process's question to the partition's writer; see <see cref="OwnPartitions.AnswerAsync"/>.</summary>
    /// <exception cref="PartitionNotTakenException">Nobody can take it now: nothing was applied.</exception>
    Task<Immutable<byte[]>> AskAsync(Immutable<byte[]> question);

    /// <summary>Makes sure that somebody writes the partition, and that it is who should.</summary>
    /// <returns>Where it is.</returns>
    Task<SiloAddress> KeepAsync();
}

/// <summary>A silo could not take over what came to it; nothing of it was done there.</summary>
/// <remarks>It stands for exceptions that cannot travel between silos.</remarks>
[GenerateSerializer]
public sealed class PartitionNotTakenException(string message) : Exception(message);

[Reentrant, KeepAlive, BesidePartition]
internal sealed class PartitionGrain(SiloLedger ledger, PlanCache plans, GrainsHere here, ISiloStatusOracle silos, ILogger<PartitionGrain> log)
    : Grain, IPartitionGrain
{
    private int Number => plans.PartitionOf(this.GetGrainId());
    private SharedPartition Partition => ledger[Number];

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Partition.PromoteAsync();
        }
#pragma warning disable CA1031 // An exception of the database, say, no other silo can read.
        catch (Exception e)
        {
            log.PartitionNotTaken(Number, silos.SiloName, e);
            throw new PartitionNotTakenException(e.Message);
        }
#pragma warning restore CA1031
        here.Add(Number, GrainContext);
        log.PartitionTaken(Number, silos.SiloName);
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        here.Remove(Number, GrainContext);
        await Partition.DemoteAsync();
        log.PartitionLeft(Number, silos.SiloName, reason.Description);
    }

    public async Task<Immutable<byte[]>> AskAsync(Immutable<byte[]> question)
    {
        var answer = await ledger.Own.AnswerAsync(Number, question.Value);
        LeaveIfSteppedDown();
        return new Immutable<byte[]>(answer);
    }

    public Task<SiloAddress> KeepAsync()
    {
        LeaveIfSteppedDown();
        if (silos.CurrentStatus == SiloStatus.Active && !plans.SiloOf(Number, silos.GetActiveSilos()).Equals(silos.SiloAddress))
        {
            // Not just ended: whoever still knows it here would have it made here again.
            this.MigrateOnIdle();
        }
        return Task.FromResult(silos.SiloAddress);
    }

    /// <summary>Where the writer was replaced, or does not know whether he was, the next call finds, or makes, the one who writes.</summary>
    private void LeaveIfSteppedDown()
    {
        if (!Partition.IsOwned) DeactivateOnIdle();
    }
}
