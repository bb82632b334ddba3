using System.Reflection;

namespace Bitcache.Cluster.Tests;

/// <summary>In which order a silo that ends gives its grains up. Orleans gives them up meanwhile, too, in an order of its own: so
/// these are seen alone.</summary>
[Trait("suite", "cluster")]
public sealed class GrainsHereTests
{
    private readonly List<string> _told = [];
    private readonly TaskCompletionSource _settlementEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _partitionTold = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly GrainsHere _here = new(TimeProvider.System);

    public GrainsHereTests()
    {
        _here.Settles(Grain("settlement", () => { }, _settlementEnded.Task));
        _here.Add(0, Grain("partition", _partitionTold.SetResult, Task.CompletedTask));
    }

    [Fact]
    public async Task The_settlement_ends_before_the_partitions_are_handed_on()
    {
        var leaving = _here.LeaveAsync("the test ends", TestContext.Current.CancellationToken);
        Assert.Equal(["settlement"], _told);
        _settlementEnded.SetResult();
        await leaving;
        Assert.Equal(["settlement", "partition"], _told);
    }

    [Fact]
    public async Task Partitions_do_not_wait_for_a_settlement_that_takes_long_to_end_and_the_silo_does()
    {
        var leaving = _here.LeaveAsync("the test ends", TestContext.Current.CancellationToken);
        await _partitionTold.Task.WaitAsync(SiloStage.Patience, TestContext.Current.CancellationToken);
        Assert.False(leaving.IsCompleted);
        _settlementEnded.SetResult();
        await leaving;
    }

    private IGrainContext Grain(string name, Action told, Task deactivated)
    {
        var grain = DispatchProxy.Create<IGrainContext, EndingGrain>();
        var ending = (EndingGrain)grain;
        (ending.Told, ending.Deactivated) = (() =>
        {
            _told.Add(name);
            told();
        }, deactivated);
        return grain;
    }
}

/// <summary>A grain that ends when a test says so.</summary>
#pragma warning disable CA1812, CA1852 // The proxy is made of a class that inherits this one.
internal class EndingGrain : DispatchProxy
#pragma warning restore CA1812, CA1852
{
    public Action Told { get; set; } = () => { };
    public Task Deactivated { get; set; } = Task.CompletedTask;

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod?.Name == "get_" + nameof(IGrainContext.Deactivated)) return Deactivated;
        if (targetMethod?.Name != nameof(IGrainContext.Deactivate)) throw new NotSupportedException(targetMethod?.Name);
        Told();
        return null;
    }
}
