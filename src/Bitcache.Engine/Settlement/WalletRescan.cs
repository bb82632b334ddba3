// Has the node's wallet look through the chain again, in runs of blocks that it answers in time: one run in each turn of the
// loop, so that epochs are closed meanwhile. That it has to is in the ledger, and a process that begins anew begins it
// anew; how far it has come is remembered here only. A copy of the wallet that takes its place meanwhile has seen nothing of
// it: so each run has a name, noted in the wallet, one before it and another one after it, and the next one goes on from there
// only where it finds that name.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <summary>Where a rescan stands.</summary>
/// <param name="From">The first block of it.</param>
/// <param name="Next">The next block that the wallet has to look at.</param>
/// <param name="Last">The newest that it has to look at.</param>
/// <param name="Run">The name of the newest run.</param>
internal readonly record struct RescanProgress(uint From, int Next, int Last, string Run)
{
    public bool IsOver => Next > Last;
}

/// <summary>Owned by the settlement loop.</summary>
internal sealed class WalletRescan(SettlementTerm term, IBitcoinNode node, AddressAllocator addresses)
{
    /// <summary>A run to begin with; shorter ones follow if the node does not answer in time, and longer ones again while it does.</summary>
    private const int BlocksMax = 1_000;

    private (uint From, string Run)? _what;
    private int _next;
    private int _blocks = BlocksMax;

    /// <summary>Goes on with the rescan that is due.</summary>
    /// <param name="note">The wallet's, as <see cref="AddressAllocator.CheckAsync"/> read it just before, when it looked for all addresses.</param>
    /// <param name="cancel">Ends the wait for the node.</param>
    /// <returns>Null if none is due.</returns>
    /// <exception cref="NodeException">The node's; the same blocks are looked at again.</exception>
    public async Task<RescanProgress?> AdvanceAsync(WalletNote note, CancellationToken cancel)
    {
        if (await term.Partitions.First.QueryAsync(ledger => ledger.Rescan) is not { } from)
        {
            _what = null;
            return null;
        }
        // Asked for now: what comes later the wallet sees by itself, but a block that came before it was told what to look for it
        // has passed over.
        var tip = (await node.GetBlockchainInfoAsync(cancel)).Blocks;
        if (_what is not { } what || what != (from, note.Run)) (_what, _next) = (null, (int)from);
        var isDue = _next <= tip;
        if (isDue || _what is null) _what = (from, await NameAsync(note.Run, cancel));
        if (isDue)
        {
            var last = Math.Min(tip, _next + _blocks - 1);
            try
            {
                await node.RescanAsync(_next, last, cancel);
            }
            catch (NodeException e) when (e.Failure == NodeFailure.Unknown)
            {
                // It goes on in the node, which says so until it is done; then once more, and less at once.
                _blocks = Math.Max(1, _blocks / 2);
                throw;
            }
            _what = (from, await NameAsync(_what!.Value.Run, cancel));
            _next = last + 1;
            _blocks = Math.Min(2 * _blocks, BlocksMax);
        }
        return new RescanProgress(from, _next, tip, _what!.Value.Run);
    }

    /// <summary>Whatever was rescanned counts no more.</summary>
    public void BeginAnew() => _what = null;

    private async Task<string> NameAsync(string? before, CancellationToken cancel) =>
        await addresses.NameRunAsync(before, cancel) ?? throw new NodeException(NodeFailure.Unknown, "the wallet's note says that it is another copy now");

    /// <summary>What the rescan found is booked.</summary>
    public async Task FinishAsync(RescanProgress rescan)
    {
        await term.SubmitAsync(new MarkRescan(rescan.From, Done: true));
        _what = null;
    }
}
