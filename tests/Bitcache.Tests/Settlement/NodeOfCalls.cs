using System.Reflection;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>A node that answers the calls that a test gives answers for. Any other call fails the test.</summary>
public class NodeOfCalls : DispatchProxy
{
    private readonly List<string> _calls = [];
    private readonly Dictionary<string, Func<object?[], object?>> _answers = [];

    /// <summary>The names of the calls that were made, in order.</summary>
    public IReadOnlyList<string> Calls => _calls;

    public static (IBitcoinNode Seam, NodeOfCalls Node) Create()
    {
        var seam = Create<IBitcoinNode, NodeOfCalls>();
        return (seam, (NodeOfCalls)(object)seam);
    }

    /// <summary>Answers a call from its first argument; what is thrown is the node's failure.</summary>
    public void On<TArgument, TAnswer>(string call, Func<TArgument, TAnswer> answer) => _answers[call] = arguments =>
    {
        try
        {
            return Task.FromResult(answer((TArgument)arguments[0]!));
        }
        catch (NodeException e)
        {
            return Task.FromException<TAnswer>(e);
        }
    };

    /// <summary>Answers a call from its first two arguments.</summary>
    public void On<TFirst, TSecond, TAnswer>(string call, Func<TFirst, TSecond, TAnswer> answer) =>
        _answers[call] = arguments => Task.FromResult(answer((TFirst)arguments[0]!, (TSecond)arguments[1]!));

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        _calls.Add(targetMethod!.Name);
        return _answers.TryGetValue(targetMethod.Name, out var answer)
            ? answer(args!)
            : throw new InvalidOperationException($"{targetMethod.Name} was not expected");
    }
}
