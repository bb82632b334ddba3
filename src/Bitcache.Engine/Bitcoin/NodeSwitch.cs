namespace Bitcache.Engine.Bitcoin;

/// <summary>How one of our nodes is reached, and its wallet that is ours.</summary>
/// <param name="Name">What the operator calls it: its RPC address.</param>
/// <param name="Rpc">The connection; its owner disposes of it.</param>
/// <param name="Wallet">The name of the wallet there. The wallets of all our nodes have the same keys.</param>
public sealed record NodeEndpoint(string Name, BitcoinRpc Rpc, string Wallet)
{
    /// <summary>Where it announces its blocks (<see cref="BlockAnnouncements"/>); null if it does not.</summary>
    public Uri? Announcements { get; init; }

    /// <summary>Calls to this node, whichever is in use.</summary>
    public IBitcoinNode Direct => new BitcoinRpcNode(new NodeSwitch([this]));
}

/// <summary>The nodes that hold the hot wallet, of which one is in use. The settlement loop alone decides which, and only
/// between two turns: what one turn reads never comes from two nodes.</summary>
/// <param name="all">At least one. The first is in use to begin with.</param>
public sealed class NodeSwitch(IReadOnlyList<NodeEndpoint> all)
{
    private volatile NodeEndpoint _used = all[0];

    public NodeEndpoint Used => _used;

    public IReadOnlyList<NodeEndpoint> All => all;

    /// <summary>Has calls go to another node from now on. One that is under way stays with the node that it was made to.</summary>
    public void Use(NodeEndpoint node) => _used = node;
}
