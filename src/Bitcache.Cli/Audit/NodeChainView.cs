// What the auditor's own node says of its best chain. Asked of one tip: what joins it meanwhile is for the next audit.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Cli.Audit;

internal sealed class NodeChainView : IChainView, IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    private readonly BitcoinRpc _rpc;
    private readonly BitcoinRpcNode _node;
    private readonly CancellationToken _cancel;

    private NodeChainView(BitcoinRpc rpc, BitcoinRpcNode node, uint tip, CancellationToken cancel) => (_rpc, _node, TipHeight, _cancel) = (rpc, node, tip, cancel);

    public uint TipHeight { get; }

    /// <exception cref="CommandFailedException">The node cannot be asked, or is on another network.</exception>
    public static async Task<NodeChainView> OpenAsync(Uri url, string cookie, CancellationToken cancel)
    {
        var rpc = new BitcoinRpc(new BitcoinRpcOptions(url, RpcCredentials.FromCookie(cookie), Timeout));
        var node = new BitcoinRpcNode(rpc, wallet: "");
        try
        {
            var chain = await node.GetBlockchainInfoAsync(cancel);
            if (chain.InitialBlockDownload) throw new CommandFailedException("the node is still downloading the chain");
            return new NodeChainView(rpc, node, (uint)chain.Blocks, cancel);
        }
        catch (NodeException e)
        {
            rpc.Dispose();
            throw new CommandFailedException($"the node cannot be asked: {e.Message}");
        }
    }

    public BlockHash? BlockAt(uint height) => height > TipHeight ? null : Ask(_node.GetBlockHashAsync((int)height, _cancel));

    public BitcoinBlock ReadBlock(BlockHash block)
    {
        var raw = Ask(_node.GetBlockAsync(block, _cancel)) ?? throw new CommandFailedException($"the node has no block {block}");
        return BitcoinBlock.TryParse(raw, out var whole) && whole.IsWhole && whole.Header.Hash == block ? whole : throw new CommandFailedException($"the node's block {block} is none");
    }

    public TransactionOutput? FindUnspent(OutPoint output) =>
        Ask(_node.FindChainCoinAsync(output, _cancel)) is { } coin ? new TransactionOutput(coin.Amount, coin.Script) : null;

    public bool IsSigned(byte[] transaction, IReadOnlyList<SpentCoin> spent) => Ask(_node.IsSignedAsync(transaction, spent, _cancel));

    public void Dispose() => _rpc.Dispose();

    /// <summary>The audit runs on a thread of its own and waits.</summary>
    private static T Ask<T>(Task<T> question)
    {
        try
        {
            return question.GetAwaiter().GetResult();
        }
        catch (NodeException e)
        {
            throw new CommandFailedException($"the node cannot be asked: {e.Message}");
        }
    }
}
