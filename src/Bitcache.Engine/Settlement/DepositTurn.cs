// The part of a turn that is about deposits, in its order: the wallet looks for every address that was given away, it has
// looked through every block for them, and only then it is believed. Before, it might not know what was credited already.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Settlement;

/// <summary>Owned by the settlement loop.</summary>
/// <inheritdoc cref="DepositWatcher"/>
internal sealed class DepositTurn(
    SettlementTerm term, IBitcoinNode node, AddressAllocator addresses, EngineSettings settings, ILogger log,
    int listedAtOnce = Limits.WalletEntriesAtOnceMax)
{
    private const int LooksMax = 2;

    private readonly WalletRescan _rescan = new(term, node, addresses);
    private readonly DepositWatcher _deposits = new(term, node, settings, log, listedAtOnce);
    private int _isAnew;

    /// <summary>A rescan that is under way begins anew: keys may have come to the wallet since. From any thread.</summary>
    public void RescanAnew() => Interlocked.Exchange(ref _isAnew, 1);

    /// <inheritdoc cref="DepositWatcher.LookedAt"/>
    public BlockHash? LookedAt => _deposits.LookedAt;

    /// <inheritdoc cref="DepositWatcher.LookAnew"/>
    public void LookAnew() => _deposits.LookAnew();

    /// <summary>Looks for deposits, or has the wallet go on with a rescan.</summary>
    /// <param name="tip">The height of the chain when the turn began.</param>
    /// <returns>Where the rescan stands that has to be over before deposits are looked for; null if they were.</returns>
    /// <exception cref="NodeException">The node's.</exception>
    /// <exception cref="WalletMismatchException">The wallet is not the one that our addresses come from.</exception>
    /// <exception cref="CursorLostException">The node knows none of the blocks that were looked at before.</exception>
    public async Task<RescanProgress?> TakeAsync(int tip, CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _isAnew, 0) != 0) _rescan.BeginAnew();
        for (var looks = 0; looks < LooksMax; looks++)
        {
            if (await addresses.CheckAsync(cancel) is not { } note) break;
            var rescan = await _rescan.AdvanceAsync(note, cancel);
            if (rescan is { IsOver: false }) return rescan;
            // What it does not find may be a reason to rescan.
            if (!await _deposits.LookAsync(rescan?.From, cancel)) continue;
            if (rescan is not { } over) return null;
            // Another copy may have come in between.
            if (await addresses.EndRunsAsync(over.Run, cancel) is null) continue;
            await _rescan.FinishAsync(over);
            log.RescanFinished(over.From, over.Last);
            return null;
        }
        return await term.Partitions.First.QueryAsync(ledger => ledger.Rescan) is { } from ? new RescanProgress(from, (int)from, tip, "") : null;
    }
}
