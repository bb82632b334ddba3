using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

/// <summary>What a script may have happen around a wallet, in the simulated network and in a real one.</summary>
internal interface INodeStage
{
    /// <summary>The node with a wallet that is new to it.</summary>
    IBitcoinNode Node { get; }

    /// <summary>An address of somebody else.</summary>
    Task<string> StrangerAsync();

    /// <summary>The descriptor of an address, with its checksum.</summary>
    Task<string> DescribeAsync(string address);

    /// <summary>Pays from outside; in the mempool when this returns.</summary>
    Task<Txid> PayAsync(string address, Sats amount);

    /// <summary>Signs a transaction of the world outside that spends the same coins as a payment of it, at a much higher fee.</summary>
    Task<byte[]> ConflictAsync(Txid payment, string address, Sats amount);

    /// <summary>Mines everything that waits.</summary>
    Task<BlockHash> MineAsync(string? reward = null);

    /// <summary>Mines a block that holds just these.</summary>
    Task<BlockHash> MineOnlyAsync(params byte[][] transactions);

    /// <summary>Returns when the wallet knows what the node knows.</summary>
    Task SettleAsync();

    Task InvalidateAsync(BlockHash block);
    Task ReconsiderAsync(BlockHash block);

    /// <summary>Stops the node in good order and starts it again.</summary>
    Task RestartAsync();

    /// <summary>Takes the wallet out of the node, which goes on without it.</summary>
    Task UnloadAsync();

    /// <summary>Encrypts the wallet, whose keys are then out of reach.</summary>
    Task LockWalletAsync();

    Task UnlockWalletAsync();

    /// <summary>Copies the wallet as it is now.</summary>
    Task<object> BackUpAsync();

    /// <summary>Puts a copy in the wallet's place.</summary>
    Task RestoreAsync(object backup);

    /// <summary>Has the node drop what waits, a transaction among it.</summary>
    Task EvictAsync(Txid txid);

    /// <summary>Has the wallet know nothing of a transaction, as a copy of it from before would.</summary>
    Task ForgetAsync(Txid txid);
}
