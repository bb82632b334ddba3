using System.Reflection;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Api;

/// <summary>A node that gives addresses and cannot be reached for anything else: enough to begin a ledger. What needs
/// a chain is tested with a real node.</summary>
public class OfflineNode : DispatchProxy
{
    /// <summary>Whether it gives addresses.</summary>
    public bool GivesAddresses { get; set; } = true;

    /// <summary>How many addresses it was asked for.</summary>
    public int AddressesGiven { get; private set; }

    public static IBitcoinNode Create() => Create<IBitcoinNode, OfflineNode>();

    /// <summary>An address of nobody.</summary>
    public static string NewAddress(BitcoinNetwork network = BitcoinNetwork.Regtest) =>
        Bech32m.EncodeSegwit(network.Hrp(), 0, RandomNumberGenerator.GetBytes(20));

    private Task<string> Give()
    {
        AddressesGiven++;
        return Task.FromResult(NewAddress());
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
    {
        nameof(IBitcoinNode.LoadWalletAsync) => Task.FromResult(true),
        nameof(IBitcoinNode.GetNewAddressAsync) when GivesAddresses => Give(),
        _ => throw new NodeException(NodeFailure.Unreachable, "there is no node"),
    };
}
