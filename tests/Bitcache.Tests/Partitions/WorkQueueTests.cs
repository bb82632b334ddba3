using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

[Trait("suite", "core")]
public sealed class WorkQueueTests
{
    [Fact]
    public void Only_what_costs_something_is_turned_away()
    {
        using var queue = new WorkQueue(2);
        var large = new PaymentBlock { Count = 3 };
        Assert.True(queue.TryAdd(large));
        Assert.False(queue.TryAdd(NewQuestion()));
        // Credits of other partitions are bounded before they are made.
        Assert.True(queue.TryAdd(new LegParcel([], _ => { })));
        Assert.Equal(3, queue.Cost);
        Assert.True(queue.TryTake(out var first) && first == large);
        Assert.True(queue.TryTake(out var second) && second is LegParcel);
        Assert.True(queue.TryAdd(NewQuestion()) && queue.TryAdd(NewQuestion()));
        Assert.False(queue.TryAdd(NewQuestion()));
    }

    private static FactItem<long> NewQuestion() => new(ledger => ledger.NextSequence);
}
