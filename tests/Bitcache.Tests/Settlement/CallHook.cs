using System.Reflection;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>A node before one call to which something else happens.</summary>
public class CallHook : DispatchProxy
{
    private IBitcoinNode? _node;
    private Func<Task>? _before;
    private int _left;

    public static (IBitcoinNode Seam, CallHook Hook) Over(IBitcoinNode node)
    {
        var seam = Create<IBitcoinNode, CallHook>();
        ((CallHook)(object)seam)._node = node;
        return (seam, (CallHook)(object)seam);
    }

    /// <summary>Has something happen before the call after so many others, and while it lasts nothing else.</summary>
    public void Before(int call, Func<Task> happens) => (_left, _before) = (call, happens);

    public bool HasHappened => _before is null;

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (_before is { } before && _left-- == 0)
        {
            _before = null;
            Task.Run(before).GetAwaiter().GetResult();
        }
        return targetMethod!.Invoke(_node, args);
    }
}
