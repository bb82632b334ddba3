using System.Collections.Concurrent;

namespace Bitcache.Cluster;

/// <summary>The partitions that this silo has now, and the settlement if it has that.</summary>
internal sealed class GrainsHere
{
    private readonly ConcurrentDictionary<int, IGrainContext> _partitions = new();
    private IGrainContext? _settlement;

    /// <summary>The settlement's grain is here; null for not any more.</summary>
    public void Settles(IGrainContext? grain) => Volatile.Write(ref _settlement, grain);

    public void Add(int partition, IGrainContext grain) => _partitions[partition] = grain;

    public void Remove(int partition, IGrainContext grain) => _partitions.TryRemove(KeyValuePair.Create(partition, grain));

    /// <summary>Hands all of them over; done when nothing of them is written here any more. The settlement goes first: it has
    /// commands for the partitions until its end.</summary>
    public async Task LeaveAsync(string why, CancellationToken cancel)
    {
        if (Volatile.Read(ref _settlement) is { } settlement) await LeaveAsync(settlement, why, cancel);
        await Task.WhenAll(_partitions.Values.Select(grain => LeaveAsync(grain, why, cancel)));
    }

    private static Task LeaveAsync(IGrainContext grain, string why, CancellationToken cancel)
    {
        grain.Deactivate(new DeactivationReason(DeactivationReasonCode.ShuttingDown, why), cancel);
        return grain.Deactivated;
    }
}
