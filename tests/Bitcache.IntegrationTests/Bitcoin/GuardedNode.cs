using System.Reflection;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>A real node whose line can be cut before a call is made: nothing of the call is executed then.</summary>
public class GuardedNode : DispatchProxy
{
    private IBitcoinNode? _node;

    /// <summary>Of a call, by its name and arguments, whether it is stopped.</summary>
    public Func<string, object?[], bool> Stops { get; set; } = (_, _) => false;

    /// <summary>Of a call whose answer tells nothing, whether it is left out as if it had been made.</summary>
    public Func<string, object?[], bool> Skips { get; set; } = (_, _) => false;

    /// <summary>What it estimates; a regtest node has none of its own.</summary>
    public FeeRate? Estimate { get; set; }

    public static (IBitcoinNode Seam, GuardedNode Guard) Create(IBitcoinNode node)
    {
        var seam = Create<IBitcoinNode, GuardedNode>();
        var guard = (GuardedNode)(object)seam;
        guard._node = node;
        return (seam, guard);
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (Stops(targetMethod!.Name, args!)) throw new NodeException(NodeFailure.Unreachable, "the line is cut");
        if (Estimate is not null && targetMethod.Name == nameof(IBitcoinNode.EstimateSmartFeeAsync)) return Task.FromResult(Estimate);
        return Skips(targetMethod.Name, args!) ? Task.CompletedTask : targetMethod.Invoke(_node, args);
    }
}
