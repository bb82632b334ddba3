// Which withdrawals would pay the hot wallet itself. What attempts pay to it the ledger knows, and refuses to withdraw to; but
// the operator may have moved coins by hand, and the change of that anybody can see, too. The money would be nobody's; and the
// node takes such a payment for the transaction's own change, so that it could not be replaced by one that pays more.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>Owned by the settlement loop.</summary>
internal sealed class OwnScripts(IBitcoinNode node, BitcoinNetwork network)
{
    // Of what waited when somebody last asked.
    private Dictionary<ByteString, bool> _known = [];

    /// <summary>Which of the scripts are the wallet's own. Each is asked for once, for as long as something to it waits.</summary>
    /// <exception cref="NodeException">The node's; what is known by then is not asked for again.</exception>
    public async Task<IReadOnlySet<ByteString>> FindAsync(IEnumerable<ByteString> scripts, CancellationToken cancel)
    {
        var asked = scripts.ToHashSet();
        _known = _known.Where(k => asked.Contains(k.Key)).ToDictionary();
        foreach (var script in asked.Where(s => !_known.ContainsKey(s)).ToArray()) _known[script] = await IsOwnAsync(script, cancel);
        return _known.Where(k => k.Value).Select(k => k.Key).ToHashSet();
    }

    private async Task<bool> IsOwnAsync(ByteString script, CancellationToken cancel)
    {
        try
        {
            return BitcoinAddress.FromScript(script.Span, network) is { } address && (await node.GetAddressInfoAsync(address, cancel)).IsMine;
        }
        catch (NodeException e) when (e.Code == RpcError.InvalidAddressOrKey)
        {
            // It does not know this kind of address.
            return false;
        }
    }
}
