using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>What a ledger takes before it holds anything.</summary>
[Trait("suite", "core")]
public sealed class FootprintTests
{
    private const long EmptyBytesMax = 64 << 10;

    [Fact]
    public void An_empty_ledger_is_small_and_a_replay_needs_no_room_of_its_own()
    {
        _ = new Ledger(0);
        var ledger = new Ledger(0);
        Assert.InRange(Allocated(() => ledger = new Ledger(0)), 1, EmptyBytesMax);

        var book = new Book();
        var (record, scratch) = (book.Records[0], new byte[Limits.RecordBytesMax]);
        Assert.InRange(Allocated(() => ledger.ReplayBatch(record, scratch)), 1, EmptyBytesMax);
        Assert.Equal(book.Ledger.StateHash(), ledger.StateHash());
        Assert.Equal(0, Allocated(() => ledger.ReplayBatch([], scratch)));
    }

    [Fact]
    public void What_is_checked_after_every_batch_allocates_nothing()
    {
        var ledger = new Book().Ledger;
        ledger.CheckConservation();
        Assert.Equal(0, Allocated(ledger.CheckConservation));
    }

    private static long Allocated(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
