// Grains of which each silo has one: the key says whose it is.

using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace Bitcache.Cluster.Placement;

/// <summary>Of grains whose key is the address of their silo. Where that is gone there is none.</summary>
[GenerateSerializer, Immutable]
internal sealed class AtSilo : PlacementStrategy;

[AttributeUsage(AttributeTargets.Class)]
internal sealed class AtSiloAttribute() : PlacementAttribute(new AtSilo());

internal sealed class AtSiloDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var silo = SiloAddress.FromParsableString(target.GrainIdentity.Key.ToString()!);
        return context.GetCompatibleSilos(target).Contains(silo)
            ? Task.FromResult(silo)
            : throw new SiloUnavailableException($"there is no silo {silo} any more");
    }
}
