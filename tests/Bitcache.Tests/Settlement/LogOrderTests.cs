using Bitcache.Core;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

/// <summary>The list of the log's cuts over two partitions, on a disk that is full.</summary>
[Trait("suite", "core")]
public sealed class LogOrderTests : IAsyncLifetime
{
    private readonly SimDisk _disk = new(1);
    private TwoPartitions _two = null!;
    private long _rounds;

    public async ValueTask InitializeAsync()
    {
        _disk.MakeDurableFolder("/data");
        _two = await TwoPartitions.StartAsync();
    }

    public ValueTask DisposeAsync() => _two.DisposeAsync();

    [Fact]
    public async Task A_cut_for_which_there_was_no_room_is_looked_for_behind_those_that_are_listed()
    {
        using var order = new LogOrder(_two.Set, _disk, "/data/log");
        order.Follow(await CutAsync(entries: 50), TestContext.Current.CancellationToken);
        var cut = await CutAsync(entries: 5);
        _disk.Full = true;
        for (var turn = 0; turn < 3; turn++)
        {
            var before = _two.Journals[0].RecordsRead;
            Assert.Throws<IOException>(() => order.Follow(cut, TestContext.Current.CancellationToken));
            // The entries of the second round and its cut.
            Assert.Equal(6, _two.Journals[0].RecordsRead - before);
        }
        _disk.Full = false;
        order.Follow(cut, TestContext.Current.CancellationToken);
        var next = await CutAsync(entries: 5);
        Assert.True(order.TryAdd(next, _two.Set.First.DurableSequence));
        // Each statement has a place of its own, and no place is free.
        var places = next.Through.SelectMany((through, partition) => Enumerable.Range(0, (int)through + 1).Select(sequence => order.IndexOf(partition, sequence)!.Value));
        Assert.Equal(Enumerable.Range(0, (int)LogOrder.SizeOf(next)).Select(place => (long)place), places.Order());
        Assert.Equal(LogOrder.SizeOf(next), order.ReadLeaves(0, (int)LogOrder.SizeOf(next)).ToArray().Distinct().Count());
    }

    /// <summary>Cuts the log behind so many entries of each partition.</summary>
    private async Task<LogCut> CutAsync(int entries)
    {
        foreach (var partition in _two.Set.All)
        {
            for (var i = 0; i < entries; i++) await partition.SubmitAsync(new ConfirmClock());
        }
        var cut = new LogCut(++_rounds, [.. _two.Set.All.Select(partition => partition.DurableSequence)]);
        await _two.Set.First.SubmitAsync(cut);
        return cut;
    }
}
