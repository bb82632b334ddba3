// Watches the output that only the next anchor may spend. Whoever else spends it begins a second history of the log, or has
// the wallet's keys: then settlement ends for good, and people must decide. What merely waits in a mempool is an alarm.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>Owned by the settlement loop; the stop itself is in the ledger.</summary>
public sealed class AnchorWatch(SettlementTerm term, IBitcoinNode node, int finalityDepth, ILogger log)
{
    private readonly SpendFinder _spends = new(node, finalityDepth);
    private Txid? _reported;

    /// <summary>What is known of a stranger that spends the output and is not final, in a sentence; null when there is none.</summary>
    public string? Alarm { get; private set; }

    /// <summary>Looks who spends the output now, and stops settlement when a stranger does so for good.</summary>
    /// <returns>Whether settlement is stopped.</returns>
    public async Task<bool> LookAsync(CancellationToken cancel)
    {
        var (stop, anchor, anchorScript) = await term.Partitions.First.QueryAsync(
            ledger => (ledger.SettlementStop, ledger.NewestConfirmedAnchor, ledger.Genesis!.AnchorScript));
        if (stop is not null) return true;
        if (anchor is null || AnchorChain.Tip(anchor, anchorScript) is not { } tip) return false;
        if (await node.IsUnspentAsync(tip.OutPoint, cancel))
        {
            Alarm = null;
            return false;
        }
        var waiting = (await node.GetTxSpendingPrevoutAsync([tip.OutPoint], cancel))[0].SpentBy;
        if (waiting is { } by)
        {
            Warn(await IsOwnAsync(by) ? null : by, tip.OutPoint, "waits in the mempool");
            return false;
        }
        // Of an anchor that left the chain nothing is spent.
        if (await _spends.FindAsync(tip.OutPoint, [], (int)anchor.Confirmation!.Height, cancel) is not { } found || await IsOwnAsync(found.Spend.Spender))
        {
            Alarm = null;
            return false;
        }
        Warn(found.Spend.Spender, tip.OutPoint, $"is {found.Depth} of {finalityDepth} blocks deep");
        if (found.Depth < finalityDepth) return false;
        var answer = await term.SubmitAsync(new StopSettlement(anchor.Number, found.Spend));
        if (answer.Outcome == Outcome.Accepted) log.SettlementStopped(tip.OutPoint, found.Spend.Spender, found.Spend.Height);
        Alarm = null;
        return true;
    }

    private Task<bool> IsOwnAsync(Txid transaction) => term.Partitions.First.QueryAsync(ledger => ledger.IsOwn(transaction));

    private void Warn(Txid? stranger, OutPoint output, string where)
    {
        Alarm = stranger is { } by ? $"{by}, which is not ours, spends the anchor's output {output} and {where}" : null;
        if (stranger is not null && stranger != _reported) log.AnchorOutputTaken(output, stranger.Value, where);
        _reported = stranger;
    }
}
