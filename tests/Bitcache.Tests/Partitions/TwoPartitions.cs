using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>A ledger of two partitions over journals in memory, begun and running.</summary>
internal sealed class TwoPartitions : IAsyncDisposable
{
    private TwoPartitions(Func<Partition, WorkItem, bool> hand, TimeProvider[] clocks)
    {
        Ledger[] ledgers = [new(0), new(1)];
        var courier = new LegCourier(TimeProvider.System, hand);
        OwnedPartition[] partitions = [.. ledgers.Select(ledger => new OwnedPartition(
            ledger, Journals[ledger.Partition], new BatchClock(clocks[ledger.Partition], null), NullLogger.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause), courier: courier))];
        courier.Connect(partitions, ledgers);
        foreach (var partition in partitions) partition.Start();
        Set = new PartitionSet(partitions, courier);
    }

    public WalletId Operator { get; } = ClientIds.NextWallet(0, 2);
    public GatedJournal[] Journals { get; } = [new(), new()];
    public PartitionSet Set { get; }

    /// <param name="hand">Puts what the courier brings into a partition's queue; false if it takes none now.</param>
    /// <param name="clocks">Of each partition; the system's if they are not given.</param>
    public static async Task<TwoPartitions> StartAsync(Func<Partition, WorkItem, bool>? hand = null, TimeProvider[]? clocks = null)
    {
        var two = new TwoPartitions(hand ?? ((partition, item) => partition.TryEnqueue(item)), clocks ?? [TimeProvider.System, TimeProvider.System]);
        foreach (var partition in two.Set.All) await partition.SubmitAsync(new Genesis("test/log", 3, 2, two.Operator, new ByteString([0x51]), []));
        return two;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var journal in Journals) journal.Open();
        await Set.DisposeAsync();
    }
}
