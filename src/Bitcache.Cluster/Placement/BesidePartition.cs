// Where grains are made: a partition's where the plan says, and a wallet's beside its partition, so that the way from one to
// the other stays in the process.

using Bitcache.Core;
using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace Bitcache.Cluster.Placement;

/// <summary>Of grains whose key is a partition's number or a wallet's id.</summary>
[GenerateSerializer, Immutable]
internal sealed class BesidePartition : PlacementStrategy;

[AttributeUsage(AttributeTargets.Class)]
internal sealed class BesidePartitionAttribute() : PlacementAttribute(new BesidePartition());

/// <summary>Remembers the plan for the silos that it saw last. Any thread may ask.</summary>
internal sealed class PlanCache(ClusterSettings settings)
{
    private Made? _last;

    /// <param name="silos">At least one.</param>
    public SiloAddress SiloOf(int partition, IReadOnlyList<SiloAddress> silos) => For(silos)[partition];

    /// <summary>The silo of each partition.</summary>
    public IReadOnlyList<SiloAddress> For(IReadOnlyList<SiloAddress> silos)
    {
        var last = Volatile.Read(ref _last);
        if (last is null || !last.Silos.SequenceEqual(silos))
        {
            var plan = PartitionPlan.Of(settings.Partitions, [.. silos.Select(silo => PartitionPlan.Identity(silo.ToParsableString()))]);
            last = new Made([.. silos], Array.ConvertAll(plan, at => silos[at]));
            Volatile.Write(ref _last, last);
        }
        return last.Owners;
    }

    /// <summary>The partition that a grain stands for or beside.</summary>
    public int PartitionOf(GrainId grain) => grain.TryGetIntegerKey(out var number, out _)
        ? checked((int)number)
        : PartitionOf(WalletKey.Read(grain.GetGuidKey()));

    public int PartitionOf(WalletId wallet) => wallet.PartitionOf(settings.Partitions);

    private sealed record Made(SiloAddress[] Silos, SiloAddress[] Owners);
}

internal sealed class BesidePartitionDirector(PlanCache plans) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context) =>
        Task.FromResult(plans.SiloOf(plans.PartitionOf(target.GrainIdentity), context.GetCompatibleSilos(target)));
}

/// <summary>A wallet's id as the key of its grain: the same 16 bytes.</summary>
internal static class WalletKey
{
    public static Guid Of(WalletId wallet)
    {
        Span<byte> bytes = stackalloc byte[WalletId.Bytes];
        wallet.Write(bytes);
        return new Guid(bytes, bigEndian: true);
    }

    public static WalletId Read(Guid key)
    {
        Span<byte> bytes = stackalloc byte[WalletId.Bytes];
        key.TryWriteBytes(bytes, bigEndian: true, out _);
        return WalletId.Read(bytes);
    }
}
