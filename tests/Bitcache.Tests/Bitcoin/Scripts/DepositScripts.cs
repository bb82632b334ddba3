// What happens to a deposit, as scripts that any node must answer in the same way. Each says what the algorithms rely on;
// what else differs shows in the traces.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

internal static class DepositScripts
{
    private const int Finality = 3;
    private static readonly Sats Amount = new(123_456);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task A_deposit_waits_and_is_confirmed(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var address = await node.GetNewAddressAsync(Cancel);
        await node.GetAddressInfoAsync(address, Cancel);
        await node.GetAddressInfoAsync(await stage.StrangerAsync(), Cancel);
        await node.ListSinceBlockAsync(null, Finality, Cancel);

        var txid = await stage.PayAsync(address, Amount);
        Assert.Equal(0, (await ListAsync(node, cursor)).Single().Confirmations);
        Assert.NotNull(await node.GetMempoolEntryAsync(txid, Cancel));
        Assert.Equal(Amount, (await node.GetBalancesAsync(Cancel)).UntrustedPending);
        Assert.Empty(await node.ListUnspentAsync(1, Cancel));
        Assert.Single(await node.ListUnspentAsync(0, Cancel));

        for (var depth = 1; depth <= Finality + 1; depth++)
        {
            var block = await stage.MineAsync();
            Assert.Equal(depth, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
            await ListAsync(node, cursor);
            await node.GetBlockInfoAsync(block, Cancel);
            await node.GetBlockchainInfoAsync(Cancel);
        }
        Assert.Null(await node.GetMempoolEntryAsync(txid, Cancel));
        Assert.Equal(Amount, (await node.GetBalancesAsync(Cancel)).Trusted);
        Assert.Equal(txid, Assert.Single(await node.ListUnspentAsync(1, Cancel)).Output.Txid);
        // The cursor's own block counts as seen.
        var next = (await node.ListSinceBlockAsync(cursor, 1, Cancel))!.LastBlock;
        Assert.Empty(await ListAsync(node, next));
    }

    public static async Task A_reorganisation_takes_a_deposit_back_and_brings_it_again(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var txid = await stage.PayAsync(await node.GetNewAddressAsync(Cancel), Amount);
        var first = await stage.MineAsync();
        var second = await stage.MineAsync();

        await stage.InvalidateAsync(first);
        Assert.Equal(0, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        Assert.NotNull(await node.GetMempoolEntryAsync(txid, Cancel));
        for (var i = 0; i < 3; i++) await stage.MineOnlyAsync();
        Assert.Equal(-1, (await node.GetBlockInfoAsync(second, Cancel))!.Confirmations);
        var changes = await node.ListSinceBlockAsync(second, Finality, Cancel);
        Assert.Equal(txid, Assert.Single(changes!.Removed).Output.Txid);
        await ListAsync(node, cursor);

        await stage.MineAsync();
        Assert.Equal(1, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        Assert.Single((await node.ListSinceBlockAsync(second, Finality, Cancel))!.Removed);
        await stage.ReconsiderAsync(first);
        // It has fewer blocks now.
        Assert.Equal(1, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        await ListAsync(node, cursor);
    }

    public static async Task A_double_spend_five_blocks_deep_counts_backwards_until_its_branch_returns(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var txid = await stage.PayAsync(await node.GetNewAddressAsync(Cancel), Amount);
        var other = await stage.ConflictAsync(txid, await stage.StrangerAsync(), new Sats(70_000));
        var first = await stage.MineAsync();
        var tip = first;
        for (var i = 0; i < 4; i++) tip = await stage.MineAsync();
        await ListAsync(node, cursor);

        await stage.InvalidateAsync(first);
        var foreign = await stage.MineOnlyAsync(other);
        Assert.Equal(-1, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        for (var i = 0; i < 4; i++) await stage.MineOnlyAsync();
        Assert.Equal(-5, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        Assert.Empty(await ListAsync(node, cursor));
        Assert.Equal(-5, Assert.Single((await node.ListSinceBlockAsync(tip, Finality, Cancel))!.Removed).Confirmations);
        Assert.Empty(await node.ListUnspentAsync(0, Cancel));

        await stage.InvalidateAsync(foreign);
        Assert.Equal(0, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        await stage.ReconsiderAsync(first);
        Assert.Equal(5, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        await ListAsync(node, cursor);
        await node.GetBalancesAsync(Cancel);
    }

    public static async Task Its_depositor_replaces_a_deposit(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var address = await node.GetNewAddressAsync(Cancel);
        var first = await stage.PayAsync(address, Amount);
        var raw = await stage.ConflictAsync(first, address, new Sats(100_000));
        Assert.Equal(BroadcastOutcome.Accepted, (await node.SendRawTransactionAsync(raw, Cancel)).Outcome);
        await stage.SettleAsync();
        Assert.Equal(0, (await node.GetTransactionAsync(first, Cancel))!.Confirmations);
        Assert.Null(await node.GetMempoolEntryAsync(first, Cancel));
        Assert.Equal(2, (await ListAsync(node, cursor)).Count);

        await stage.MineAsync();
        Assert.Equal(-1, (await node.GetTransactionAsync(first, Cancel))!.Confirmations);
        Assert.Equal(new Sats(100_000), Assert.Single(await ListAsync(node, cursor)).Amount);
        Assert.Equal(new Sats(100_000), (await node.GetBalancesAsync(Cancel)).Trusted);
    }

    public static async Task A_coinbase_matures_and_one_that_left_the_chain_is_an_orphan(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var block = await stage.MineAsync(await node.GetNewAddressAsync(Cancel));
        var txid = Assert.Single(await ListAsync(node, cursor)).Output.Txid;
        for (var depth = 2; depth <= 100; depth++) await stage.MineOnlyAsync();
        Assert.Equal(WalletEntryCategory.Immature, Assert.Single(await ListAsync(node, cursor)).Category);
        Assert.Empty(await node.ListUnspentAsync(1, Cancel));
        await node.GetBalancesAsync(Cancel);
        await stage.MineOnlyAsync();
        Assert.Equal(WalletEntryCategory.Generate, Assert.Single(await ListAsync(node, cursor)).Category);
        Assert.Single(await node.ListUnspentAsync(1, Cancel));

        await stage.InvalidateAsync(block);
        Assert.Equal(WalletEntryCategory.Orphan, Assert.Single(await ListAsync(node, cursor)).Category);
        Assert.Equal(0, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        Assert.Empty(await node.ListUnspentAsync(0, Cancel));
        await stage.ReconsiderAsync(block);
        Assert.Equal(WalletEntryCategory.Generate, Assert.Single(await ListAsync(node, cursor)).Category);
    }

    public static async Task An_evicted_deposit_may_still_be_mined(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var txid = await stage.PayAsync(await node.GetNewAddressAsync(Cancel), Amount);
        var raw = (await node.GetTransactionAsync(txid, Cancel))!.Raw;
        await stage.EvictAsync(txid);
        Assert.Null(await node.GetMempoolEntryAsync(txid, Cancel));
        Assert.Equal(0, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        Assert.Single(await ListAsync(node, cursor));
        await node.GetBalancesAsync(Cancel);
        await stage.MineOnlyAsync(raw);
        Assert.Equal(1, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        await node.GetBalancesAsync(Cancel);
    }

    public static async Task A_wallet_that_forgot_a_deposit_lists_it_nowhere(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var txid = await stage.PayAsync(await node.GetNewAddressAsync(Cancel), Amount);
        var block = await stage.MineAsync();
        await stage.ForgetAsync(txid);
        Assert.Null(await node.GetTransactionAsync(txid, Cancel));
        Assert.Empty(await ListAsync(node, cursor));
        await node.GetBalancesAsync(Cancel);
        // A block that comes again tells it anew.
        await stage.InvalidateAsync(block);
        await stage.ReconsiderAsync(block);
        Assert.Equal(1, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
    }

    public static async Task The_history_is_in_the_order_in_which_the_wallet_came_to_know_it(INodeStage stage)
    {
        var node = stage.Node;
        Assert.Empty(await node.ListTransactionsAsync(10, 0, Cancel));
        var address = await node.GetNewAddressAsync(Cancel);
        var first = await stage.PayAsync(address, new Sats(10_000));
        var height = (await node.GetBlockInfoAsync(await stage.MineAsync(), Cancel))!.Height;
        var second = await stage.PayAsync(address, new Sats(20_000));
        await stage.MineAsync();
        var third = await stage.PayAsync(address, new Sats(30_000));
        Assert.Equal([first, second, third], await PageAsync(10, 0));
        Assert.Equal([second, third], await PageAsync(2, 0));
        Assert.Equal([first, second], await PageAsync(2, 1));
        Assert.Equal([first], await PageAsync(2, 2));
        Assert.Empty(await PageAsync(2, 3));
        Assert.Empty(await PageAsync(2, 9));

        // What is new moves the rest back.
        var fourth = await stage.PayAsync(address, new Sats(40_000));
        Assert.Equal([second, third], await PageAsync(2, 1));
        // What a double spend took the place of is not there any more, and the rest moves forward.
        await stage.MineOnlyAsync(await stage.ConflictAsync(third, await stage.StrangerAsync(), new Sats(70_000)));
        Assert.Equal([second, fourth], await PageAsync(2, 0));
        // What a rescan finds is the newest, however old its block.
        await stage.ForgetAsync(first);
        await node.RescanAsync(height, height, Cancel);
        Assert.Equal([second, fourth, first], await PageAsync(10, 0));

        async Task<IEnumerable<Txid>> PageAsync(int count, int skip) => (await node.ListTransactionsAsync(count, skip, Cancel)).Select(e => e.Output.Txid);
    }

    public static async Task More_than_ten_blocks_that_leave_do_not_give_all_transactions_back(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var deep = await stage.PayAsync(await node.GetNewAddressAsync(Cancel), Amount);
        var first = await stage.MineAsync();
        for (var i = 0; i < 11; i++) await stage.MineAsync();

        await stage.InvalidateAsync(first);
        Assert.Null(await node.GetMempoolEntryAsync(deep, Cancel));
        Assert.Equal(0, (await node.GetTransactionAsync(deep, Cancel))!.Confirmations);
        await ListAsync(node, cursor);
        await stage.ReconsiderAsync(first);
        Assert.Equal(12, (await node.GetTransactionAsync(deep, Cancel))!.Confirmations);
    }

    internal static async Task<IReadOnlyList<WalletEntry>> ListAsync(IBitcoinNode node, BlockHash cursor) =>
        (await node.ListSinceBlockAsync(cursor, Finality, Cancel))!.Entries;
}
