// All that the wallet ever lists, a page at a time from the newest entry back, for a list since a block may be longer than an
// answer may be. The wallet's order is that in which it came to know: what a rescan finds stands among the newest, however
// old its block. So no height says where to stop, and the walk goes to the end.
//
// What arrives between two pages moves the rest back, and a page then begins with what was seen; what vanishes, as deposits of
// a double-spent transaction do, moves the rest forward, and a page without overlap would pass over as many. So each page
// must begin with an entry of the page before it.

using System.Runtime.CompilerServices;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <param name="node">Whose wallet it is.</param>
/// <param name="page">Entries to ask for at once.</param>
internal sealed class WalletHistory(IBitcoinNode node, int page)
{
    /// <summary>How often a walk begins anew because something vanished; that takes a block, after which everything is looked at again.</summary>
    private const int WalksMax = 3;

    /// <summary>Every entry that is in the wallet from the first page to the last, at least once; new ones may be among them.</summary>
    /// <exception cref="NodeException">The node's; or the list changes faster than it can be read.</exception>
    public async IAsyncEnumerable<IReadOnlyList<WalletEntry>> PagesAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var (walks, skip) = (1, 0);
        var before = new HashSet<(OutPoint, bool)>();
        while (true)
        {
            // The oldest comes first.
            var entries = await node.ListTransactionsAsync(page, skip, cancel);
            WalletEntry[] more = [.. entries.Where(e => skip == 0 || !before.Contains(NameOf(e)))];
            var isJoined = skip == 0 || (entries.Count > 0 && before.Contains(NameOf(entries[^1])));
            if (!isJoined || (more.Length == 0 && entries.Count == page))
            {
                if (++walks > WalksMax) throw new NodeException(NodeFailure.Unknown, $"the wallet's list changes while it is read, {WalksMax} times in a row");
                skip = 0;
                continue;
            }
            yield return more;
            if (entries.Count < page) yield break;
            before = [.. entries.Select(NameOf)];
            skip += entries.Count - 1;
        }
    }

    /// <summary>What we pay to ourselves is listed twice.</summary>
    private static (OutPoint, bool) NameOf(WalletEntry entry) => (entry.Output, entry.Category == WalletEntryCategory.Send);
}
