using Bitcache.Engine.Bitcoin;
using Bitcache.Server.Settings;

namespace Bitcache.Cli.Commands;

/// <summary>The Bitcoin nodes of a server's settings.</summary>
internal sealed class NodeConnections : IDisposable
{
    private readonly List<BitcoinRpc> _connections = [];

    public NodeConnections(ServerSettings settings)
    {
        // Of two nodes one call may take as long as of one.
        NodeSettings[] nodes = settings.Standby is { } standby ? [settings.Node, standby] : [settings.Node];
        Switch = new NodeSwitch([.. nodes.Select(node => Connect(node, settings.Node.Timeout))]);
        Node = new BitcoinRpcNode(Switch);
    }

    public NodeSwitch Switch { get; }

    /// <summary>Makes calls to the one in use.</summary>
    public IBitcoinNode Node { get; }

    public void Dispose() => _connections.ForEach(connection => connection.Dispose());

    private NodeEndpoint Connect(NodeSettings node, TimeSpan timeout)
    {
        var rpc = new BitcoinRpc(new BitcoinRpcOptions(node.Url, Credentials(node), timeout));
        _connections.Add(rpc);
        return new NodeEndpoint(node.Url.GetLeftPart(UriPartial.Authority), rpc, node.Wallet) { Announcements = node.ZmqBlock };
    }

    private static RpcCredentials Credentials(NodeSettings node) => node.CookieFile is { } cookie
        ? RpcCredentials.FromCookie(cookie)
        : RpcCredentials.FromPasswordFile(node.User!, node.PasswordFile!);
}
