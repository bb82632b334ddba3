using System.Reflection;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Benchmarks.Http;

/// <summary>A node that gives the one address with which a ledger begins, and cannot be reached for anything else.
/// Payments need no node.</summary>
public class OfflineNode : DispatchProxy
{
    /// <summary>Pays to nobody, and is no script that a benchmark gives to a wallet.</summary>
    private static readonly byte[] WitnessProgram = [.. Enumerable.Repeat((byte)0xff, 20)];

    public static IBitcoinNode Create() => Create<IBitcoinNode, OfflineNode>();

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
    {
        nameof(IBitcoinNode.LoadWalletAsync) => Task.FromResult(true),
        nameof(IBitcoinNode.GetNewAddressAsync) => Task.FromResult(Bech32m.EncodeSegwit(BitcoinNetwork.Regtest.Hrp(), 0, WitnessProgram)),
        _ => throw new NodeException(NodeFailure.Unreachable, "there is no node"),
    };
}
