// What a wallet that only watches tells of coins that are kept elsewhere, as scripts that any node must answer in the same way.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

internal static class WatchScripts
{
    private const string Watch = "cold";
    private static readonly Sats Amount = new(250_000);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task A_watching_wallet_counts_coins_in_blocks_also_those_from_before_it_was_made(INodeStage stage)
    {
        var node = stage.Node;
        var (first, second) = (await stage.StrangerAsync(), await stage.StrangerAsync());
        // Both before they are in a block, so that the second cannot spend what the first paid: strangers share a wallet.
        var early = await stage.PayAsync(first, Amount);
        await stage.PayAsync(second, Amount);
        var block = await stage.MineAsync();
        Assert.False(await node.LoadWatchWalletAsync(Watch, Cancel));
        await RefusedAsync(() => node.GetWatchWalletInfoAsync(Watch, Cancel));
        await node.CreateWatchWalletAsync(Watch, Cancel);
        await RefusedAsync(() => node.CreateWatchWalletAsync(Watch, Cancel));
        Assert.True(await node.LoadWatchWalletAsync(Watch, Cancel));
        Assert.False((await node.GetWatchWalletInfoAsync(Watch, Cancel)).PrivateKeys);
        Assert.Empty(await node.ListWatchedAsync(Watch, Cancel));

        string[] descriptors = [await stage.DescribeAsync(first), await stage.DescribeAsync(second)];
        Assert.Equal([null, null], await node.WatchAsync(Watch, descriptors, default, Cancel));
        Assert.Equal(descriptors.Order(), (await node.ListWatchedAsync(Watch, Cancel)).Order());
        Assert.Equal(Amount + Amount, await node.GetWatchedBalanceAsync(Watch, Cancel));
        // What is watched is no deposit of ours.
        Assert.Null(await node.GetTransactionAsync(early, Cancel));
        Assert.Equal(Sats.Zero, (await node.GetBalancesAsync(Cancel)).Trusted);

        // What waits does not count.
        await stage.InvalidateAsync(block);
        Assert.Equal(Sats.Zero, await node.GetWatchedBalanceAsync(Watch, Cancel));
        await stage.ReconsiderAsync(block);
        await stage.RestartAsync();
        Assert.True(await node.LoadWatchWalletAsync(Watch, Cancel));
        Assert.Equal(Amount + Amount, await node.GetWatchedBalanceAsync(Watch, Cancel));
    }

    public static async Task A_watching_wallet_refuses_what_is_no_descriptor_and_takes_the_others(INodeStage stage)
    {
        var node = stage.Node;
        await node.CreateWatchWalletAsync(Watch, Cancel);
        var good = await stage.DescribeAsync(await stage.StrangerAsync());
        var answers = await node.WatchAsync(Watch, ["addr(nobody)#00000000", good, good[..^9]], default, Cancel);
        Assert.NotNull(answers[0]);
        Assert.Null(answers[1]);
        Assert.NotNull(answers[2]);
        Assert.Single(await node.ListWatchedAsync(Watch, Cancel));
    }

    private static async Task RefusedAsync(Func<Task> call) => await Assert.ThrowsAsync<NodeException>(call);
}
