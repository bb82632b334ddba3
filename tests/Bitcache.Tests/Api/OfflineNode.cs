using System.Reflection;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Api;

/// <summary>A node that gives addresses and says how many blocks there are, and cannot be reached for anything else: enough to begin a ledger. What needs
/// a chain is tested with a real node.</summary>
public class OfflineNode : DispatchProxy
{
    /// <summary>More than any test needs.</summary>
    private static readonly WalletDescriptor Descriptor = new("tr(offline)", Active: true, Internal: false, new DescriptorRange(0, 100_000), 0);

    private static readonly byte[] Secret = RandomNumberGenerator.GetBytes(16);

    /// <summary>Blocks that it knows by their height.</summary>
    public const int Blocks = 100;

    // One for all, as the addresses are, in whichever process of a test.
    private static volatile string? _label;

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

    private Task<IReadOnlyList<string>> Give(uint first, uint last)
    {
        AddressesGiven += (int)(last - first) + 1;
        return Task.FromResult<IReadOnlyList<string>>([.. Enumerable.Range((int)first, (int)(last - first) + 1).Select(Derived)]);
    }

    private static Task Note(string label)
    {
        _label = label;
        return Task.CompletedTask;
    }

    private static string Derived(int index) => Bech32m.EncodeSegwit(BitcoinNetwork.Regtest.Hrp(), 0, [.. Secret, .. BitConverter.GetBytes(index)]);

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
    {
        nameof(IBitcoinNode.LoadWalletAsync) => Task.FromResult(true),
        nameof(IBitcoinNode.GetBlockchainInfoAsync) => Task.FromResult(new BlockchainInfo("regtest", Blocks, Blocks, default, InitialBlockDownload: false)),
        nameof(IBitcoinNode.GetNewAddressAsync) when GivesAddresses => Give(),
        nameof(IBitcoinNode.ListDescriptorsAsync) when GivesAddresses => Task.FromResult<IReadOnlyList<WalletDescriptor>>([Descriptor]),
        nameof(IBitcoinNode.GetAddressInfoAsync) when GivesAddresses => Task.FromResult(new AddressInfo(IsMine: true, IsChange: false, [], _label)),
        nameof(IBitcoinNode.GetBlockHashAsync) when GivesAddresses && (int)args![0]! > 0 => Task.FromResult<BlockHash?>((int)args[0]! < Blocks ? default(BlockHash) : null),
        nameof(IBitcoinNode.GetBlockTxidsAsync) when GivesAddresses => Task.FromResult<IReadOnlyList<Txid>?>([]),
        nameof(IBitcoinNode.SetLabelAsync) when GivesAddresses => Note((string)args![1]!),
        nameof(IBitcoinNode.DeriveAddressesAsync) when GivesAddresses => Give((uint)args![1]!, (uint)args[2]!),
        _ => throw new NodeException(NodeFailure.Unreachable, "there is no node"),
    };
}
