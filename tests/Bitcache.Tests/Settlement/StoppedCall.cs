using System.Reflection;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>A node of which one call never gets through, or is answered otherwise.</summary>
public class StoppedCall : DispatchProxy
{
    private IBitcoinNode? _node;
    private string? _call;
    private Func<object?[], object>? _answer;

    /// <param name="call">Its name.</param>
    /// <param name="answer">What is answered in the node's place; nothing by default.</param>
    public static IBitcoinNode Of(IBitcoinNode node, string call, Func<object?[], object>? answer = null)
    {
        var seam = Create<IBitcoinNode, StoppedCall>();
        var proxy = (StoppedCall)(object)seam;
        (proxy._node, proxy._call, proxy._answer) = (node, call, answer);
        return seam;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        targetMethod!.Name != _call ? targetMethod.Invoke(_node, args)
        : _answer is not null ? _answer(args!)
        : throw new NodeException(NodeFailure.Unreachable, "the line is cut");
}
