// The hot wallet's copy at a node that is not in use. It looks for what is given away as well, or all of it would have to be
// rescanned when that node takes over; and its note says so, as far as it is true.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

internal sealed class StandbyWallet(PartitionSet partitions, BitcoinNetwork network)
{
    /// <summary>Has the wallet look for everything that was given away, and for some more, or for so many of them as it makes at once;
    /// notes in it that it has, if it missed nothing. One that did is rescanned once its node is in use.</summary>
    /// <returns>False while there are more to look for.</returns>
    /// <exception cref="NodeException">The node's.</exception>
    /// <exception cref="WalletMismatchException">It cannot be told to.</exception>
    public async Task<bool> FollowAsync(IBitcoinNode node, CancellationToken cancel)
    {
        var keys = new WalletKeys(node, network);
        var highest = await HighestAsync();
        var descriptor = await keys.FindAsync(cancel);
        var note = await keys.ReadNoteAsync(descriptor, cancel);
        var reached = descriptor.Range!.Value.Last;
        if (highest is { } index) descriptor = await keys.WatchAsync(descriptor, index + Limits.AddressesAhead, cancel);
        if (descriptor.Range!.Value.Last < highest) return false;
        if (highest is not null && !(note.UpTo >= highest)) return true;
        // What is given away in these moments it must have looked for before them.
        if (await HighestAsync() > reached) return true;
        var last = descriptor.Range!.Value.Last;
        if (note.UpTo != last) await keys.WriteNoteAsync(descriptor, note with { UpTo = last }, cancel);
        return true;
    }

    private async Task<uint?> HighestAsync() =>
        (await partitions.QueryAllAsync(ledger => ledger.HighestAddress?.Origin?.Index)).Max();
}
