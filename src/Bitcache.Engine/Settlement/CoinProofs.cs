// What shows, without a node, that a coin was made: its transaction, the block's header, and the path between them. A pruned
// node soon forgets the block, so what was found out is kept beside the list of coins.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>Collects the proofs of coins. Owned by the settlement loop.</summary>
internal sealed class CoinProofs(IBitcoinNode node, EngineSettings settings)
{
    /// <summary>Blocks that one turn asks for.</summary>
    private const int BlocksAtOnce = 100;

    private readonly Dictionary<OutPoint, ReserveCoin> _known = [];
    // Those that were asked for at this height.
    private HashSet<OutPoint> _fresh = [];
    private uint _tip;

    /// <summary>Takes what was proven before.</summary>
    public void Take(IEnumerable<ReserveCoin> coins)
    {
        foreach (var coin in coins) _known[coin.Output] = coin;
    }

    /// <summary>The coins with their proofs; null if there are more to be asked for at the next turn.</summary>
    /// <param name="coins">As they were listed.</param>
    /// <param name="tip">The height of the block at which they were.</param>
    /// <param name="cancel">Ends the questions.</param>
    /// <exception cref="NodeException">The node cannot tell, now or for good.</exception>
    public async Task<IReadOnlyList<ReserveCoin>?> FindAsync(IReadOnlyList<ListedCoin> coins, uint tip, CancellationToken cancel)
    {
        if (tip != _tip) (_tip, _fresh) = (tip, []);
        var asked = 0;
        foreach (var made in coins.Where(c => !IsProven(c, tip)).GroupBy(c => c.Height).OrderBy(group => group.Key).ToArray())
        {
            if (asked++ == BlocksAtOnce) return null;
            await ProveAsync(made.Key, [.. made], cancel);
        }
        var all = coins.Select(c => _known[c.Output]).ToArray();
        // What is spent is not asked for again.
        var listed = coins.Select(c => c.Output).ToHashSet();
        foreach (var output in _known.Keys.Where(output => !listed.Contains(output)).ToArray()) _known.Remove(output);
        return all;
    }

    /// <summary>As long as a reorganisation may move it to another block it is asked for again.</summary>
    private bool IsProven(ListedCoin coin, uint tip) =>
        _known.TryGetValue(coin.Output, out var known) && known.Height == coin.Height
        && (_fresh.Contains(coin.Output) || coin.Height + (uint)settings.FinalityDepth <= tip);

    private async Task ProveAsync(uint height, ListedCoin[] coins, CancellationToken cancel)
    {
        if (await node.GetBlockHashAsync((int)height, cancel) is not { } hash || await node.GetBlockAsync(hash, cancel) is not { } raw)
            throw new NodeException(NodeFailure.Unknown, $"the chain has no block {height} any more, which made coins of the reserves");
        if (!BitcoinBlock.TryParse(raw, out var block) || block.Header.Hash != hash || !block.IsWhole)
            throw new NodeException(NodeFailure.Unknown, $"the node's block {hash} is none");
        var txids = block.Transactions.Select(t => t.Txid).ToList();
        var places = coins.Select(coin => txids.IndexOf(coin.Output.Txid)).ToArray();
        if (Array.IndexOf(places, -1) is var missing and >= 0)
            throw new NodeException(NodeFailure.Unknown, $"coin {coins[missing].Output} is not in block {hash}, where the node said");
        var header = new ByteString(raw.AsSpan(0, BlockHeader.Bytes).ToArray());
        foreach (var (coin, proof) in coins.Zip(BlockProof.BuildAll(txids, places)))
        {
            var made = new ReserveCoin(
                coin.Output, coin.Amount, coin.Script, height, new ByteString(block.Transactions[proof.Position].Stripped), header, proof.Position, proof.Siblings);
            if (made.Check(settings.Network) is { Length: > 0 } wrong) throw new NodeException(NodeFailure.Unknown, $"the node's coins are not what its blocks say: {wrong}");
            _known[coin.Output] = made;
            _fresh.Add(coin.Output);
        }
    }
}
