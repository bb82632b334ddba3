using Bitcache.Core;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;

namespace Bitcache.Tests.Settlement;

/// <summary>The wallet's history, read in pages while it changes.</summary>
[Trait("suite", "core")]
public sealed class WalletHistoryTests
{
    private const int Page = 4;

    private readonly IBitcoinNode _seam;
    private readonly NodeOfCalls _node;
    // The oldest first, as the wallet came to know them.
    private readonly List<WalletEntry> _wallet = [];
    private Action _between = static () => { };

    public WalletHistoryTests()
    {
        (_seam, _node) = NodeOfCalls.Create();
        _node.On(nameof(IBitcoinNode.ListTransactionsAsync), (int count, int skip) =>
        {
            if (skip > 0) _between();
            return (IReadOnlyList<WalletEntry>)[.. _wallet.AsEnumerable().Reverse().Skip(skip).Take(count).Reverse()];
        });
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0, 1)]
    [InlineData(3, 1)]
    // Nobody knows that a full page is the last one.
    [InlineData(4, 2)]
    [InlineData(7, 3)]
    [InlineData(100, 34)]
    public async Task Every_entry_is_read_once_and_pages_share_one(int entries, int pages)
    {
        Arrive(entries);
        Assert.Equal(Enumerable.Range(0, entries), (await ReadAsync()).Order());
        Assert.Equal(pages, _node.Calls.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_arrives_between_two_pages_hides_nothing(int each)
    {
        Arrive(20);
        var more = 6;
        _between = () => Arrive(more-- > 0 ? each : 0);
        Assert.Empty(Enumerable.Range(0, 20).Except(await ReadAsync()));
    }

    [Fact]
    public async Task What_vanishes_between_two_pages_has_the_walk_begin_anew()
    {
        Arrive(20);
        // Without overlap the next page would begin behind what moved into the first one's place.
        var vanished = false;
        _between = () =>
        {
            if (vanished) return;
            _wallet.RemoveRange(17, 2);
            vanished = true;
        };
        Assert.Empty(Enumerable.Range(0, 17).Except(await ReadAsync()));
        Assert.True(vanished);
    }

    [Fact]
    public async Task The_last_entry_may_vanish_with_all_behind_the_first_page()
    {
        Arrive(Page);
        _between = () => _wallet.Clear();
        Assert.Equal(Page, (await ReadAsync()).Count);
    }

    [Fact]
    public async Task More_than_a_page_that_arrives_at_once_has_the_walk_begin_anew()
    {
        Arrive(20);
        var more = true;
        _between = () =>
        {
            Arrive(more ? 10 : 0);
            more = false;
        };
        Assert.Equal(Enumerable.Range(0, 30), (await ReadAsync()).Distinct().Order());
    }

    [Fact]
    public async Task A_node_that_gives_the_same_page_for_ever_is_left()
    {
        Arrive(20);
        _node.On(nameof(IBitcoinNode.ListTransactionsAsync), (int count, int _) => (IReadOnlyList<WalletEntry>)_wallet[^count..]);
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(ReadAsync)).Failure);
        Assert.InRange(_node.Calls.Count, 2, 10);
    }

    [Fact]
    public async Task A_node_whose_list_shrinks_at_every_page_is_left()
    {
        Arrive(100);
        _between = () => _wallet.RemoveRange(_wallet.Count - 2, 2);
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(ReadAsync)).Failure);
    }

    /// <summary>The numbers of what is read.</summary>
    private async Task<List<int>> ReadAsync()
    {
        var read = new List<int>();
        await foreach (var page in new WalletHistory(_seam, Page).PagesAsync(Cancel)) read.AddRange(page.Select(e => (int)e.Output.Index));
        return read;
    }

    private int _arrived;

    private void Arrive(int entries)
    {
        for (var i = 0; i < entries; i++)
            _wallet.Add(new WalletEntry(WalletEntryCategory.Receive, new OutPoint(default, (uint)_arrived++), null, new Sats(1), 1, default(BlockHash), 1, false));
    }
}
