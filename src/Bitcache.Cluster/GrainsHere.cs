using System.Collections.Concurrent;

namespace Bitcache.Cluster;

/// <summary>The partitions that this silo has now, and the settlement if it has that.</summary>
internal sealed class GrainsHere(TimeProvider time)
{
    /// <summary>How long partitions wait for a settlement that ends: it may be in the middle of a turn, and wait for the node.</summary>
    private static readonly TimeSpan SettlementPatience = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<int, IGrainContext> _partitions = new();
    private IGrainContext? _settlement;

    /// <summary>The settlement's grain is here; null for not any more.</summary>
    public void Settles(IGrainContext? grain) => Volatile.Write(ref _settlement, grain);

    public void Add(int partition, IGrainContext grain) => _partitions[partition] = grain;

    public void Remove(int partition, IGrainContext grain) => _partitions.TryRemove(KeyValuePair.Create(partition, grain));

    /// <summary>Hands all of them over; done when nothing of them is written here any more. The settlement goes first: it has
    /// commands for the partitions until its end. Where that takes long they go before it has ended, and its last commands go to
    /// whoever writes them then.</summary>
    public async Task LeaveAsync(string why, CancellationToken cancel)
    {
        var settlement = Volatile.Read(ref _settlement) is { } grain ? LeaveAsync(grain, why, cancel) : Task.CompletedTask;
        await Task.WhenAny(settlement, Task.Delay(SettlementPatience, time, cancel));
        await Task.WhenAll([settlement, .. _partitions.Values.Select(partition => LeaveAsync(partition, why, cancel))]);
    }

    private static Task LeaveAsync(IGrainContext grain, string why, CancellationToken cancel)
    {
        grain.Deactivate(new DeactivationReason(DeactivationReasonCode.ShuttingDown, why), cancel);
        return grain.Deactivated;
    }
}
