// What happens to a transaction of the wallet's own, as scripts that any node must answer in the same way.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

internal static class PayoutScripts
{
    private static readonly Sats Funds = new(500_000);
    private static readonly Sats Amount = new(90_000);
    private static readonly FeeRate Rate = new(2_500);
    private static readonly FeeRate HigherRate = new(9_000);
    // Of a change of about 409,200.
    private static readonly Sats NearlyAll = new(408_900);
    private static readonly Sats Less = new(380_000);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task A_payout_is_bumped_and_its_first_attempt_confirms(INodeStage stage)
    {
        var node = stage.Node;
        var coin = await FundAsync(stage);
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var (first, raw) = await BuildAsync(stage, [coin], new DataOutput(new byte[36]));
        Assert.Contains(coin, await node.ListLockUnspentAsync(Cancel));
        Assert.Empty(await node.ListUnspentAsync(1, Cancel));
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        // A coin that is being spent is not locked any more.
        Assert.Empty(await node.ListLockUnspentAsync(Cancel));
        await node.GetTxSpendingPrevoutAsync([coin], Cancel);
        await DepositScripts.ListAsync(node, cursor);

        var bump = await node.PsbtBumpFeeAsync(first, HigherRate, Cancel);
        var second = await node.DecodePsbtAsync(bump.Psbt, Cancel);
        var bumped = (await node.WalletProcessPsbtAsync(bump.Psbt, Cancel)).Transaction!;
        await SendAsync(stage, bumped, BroadcastOutcome.Accepted);
        await SendAsync(stage, raw, BroadcastOutcome.Refused);
        await node.GetTxSpendingPrevoutAsync([coin], Cancel);
        await node.GetMempoolEntryAsync(first, Cancel);
        await node.GetMempoolEntryAsync(second.Txid, Cancel);
        await node.GetTransactionAsync(first, Cancel);

        await stage.MineOnlyAsync(raw);
        Assert.Equal(1, (await node.GetTransactionAsync(first, Cancel))!.Confirmations);
        Assert.Equal(-1, (await node.GetTransactionAsync(second.Txid, Cancel))!.Confirmations);
        await SendAsync(stage, raw, BroadcastOutcome.AlreadyInChain);
        await SendAsync(stage, bumped, BroadcastOutcome.Ambiguous);
        await node.GetTxSpendingPrevoutAsync([coin], Cancel);
        await DepositScripts.ListAsync(node, cursor);
        await RefusedAsync(() => node.PsbtBumpFeeAsync(first, HigherRate, Cancel));
    }

    public static async Task A_payout_that_left_the_chain_waits_again(INodeStage stage)
    {
        var node = stage.Node;
        var coin = await FundAsync(stage);
        var (txid, raw) = await BuildAsync(stage, [coin]);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        var block = await stage.MineAsync();
        await node.GetTransactionAsync(txid, Cancel);
        await stage.InvalidateAsync(block);
        Assert.Equal(0, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        await stage.MineOnlyAsync();
        await stage.MineAsync();
        Assert.Equal(1, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
    }

    public static async Task A_payout_spent_again_is_not_bumped(INodeStage stage)
    {
        var node = stage.Node;
        var (txid, raw) = await BuildAsync(stage, [await FundAsync(stage)]);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        var change = Assert.Single(await node.ListUnspentAsync(0, Cancel));
        Assert.True(change.Safe);
        var (_, child) = await BuildAsync(stage, [change.Output]);
        await SendAsync(stage, child, BroadcastOutcome.Accepted);
        await node.GetMempoolEntryAsync(txid, Cancel);
        await RefusedAsync(() => node.PsbtBumpFeeAsync(txid, HigherRate, Cancel));
    }

    public static async Task A_payout_whose_coin_another_one_took_says_how_deep_that_is(INodeStage stage)
    {
        var node = stage.Node;
        var coin = await FundAsync(stage);
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var (lost, raw) = await BuildAsync(stage, [coin]);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        Assert.False(await node.IsUnspentAsync(coin, Cancel));
        // All of it goes to the wallet's own, so that it is listed with change only.
        var taker = await SignAsync(stage, coin, await node.GetNewAddressAsync(Cancel), Less);
        await SendAsync(stage, taker, BroadcastOutcome.Accepted);
        Assert.Equal(0, (await node.GetTransactionAsync(lost, Cancel))!.Confirmations);
        await node.GetTxSpendingPrevoutAsync([coin], Cancel);
        await SendAsync(stage, raw, BroadcastOutcome.Refused);
        await stage.MineAsync();
        foreach (var _ in (int[])[1, 2])
        {
            await LookAsync(stage, lost, taker, coin, cursor);
            await SendAsync(stage, raw, BroadcastOutcome.Ambiguous);
            await stage.MineAsync();
        }
        Assert.Equal(-3, (await node.GetTransactionAsync(lost, Cancel))!.Confirmations);
        await stage.RestartAsync();
        await LookAsync(stage, lost, taker, coin, cursor);
    }

    public static async Task What_is_built_on_a_payout_that_lost_is_lost_with_it(INodeStage stage)
    {
        var node = stage.Node;
        var coin = await FundAsync(stage);
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var (first, raw) = await BuildAsync(stage, [coin]);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        var block = await stage.MineAsync();
        var change = Assert.Single(await node.ListUnspentAsync(1, Cancel)).Output;
        var (second, rawSecond) = await BuildAsync(stage, [change]);
        await SendAsync(stage, rawSecond, BroadcastOutcome.Accepted);
        await stage.InvalidateAsync(block);
        Assert.Equal(0, (await node.GetTransactionAsync(first, Cancel))!.Confirmations);
        Assert.Equal(0, (await node.GetTransactionAsync(second, Cancel))!.Confirmations);
        var taker = await SignAsync(stage, coin, await stage.StrangerAsync(), Less);
        await stage.MineOnlyAsync(taker);
        await stage.MineAsync();
        await LookAsync(stage, first, taker, coin, cursor);
        var lost = (await node.GetTransactionAsync(second, Cancel))!;
        Assert.Equal(-2, lost.Confirmations);
        // Nothing spends the same as it: what names the spender is the one that it was built on.
        Assert.Empty(lost.Conflicts);
        await SendAsync(stage, rawSecond, BroadcastOutcome.Ambiguous);
        await stage.RestartAsync();
        Assert.Equal(-2, (await node.GetTransactionAsync(second, Cancel))!.Confirmations);
        await LookAsync(stage, first, taker, coin, cursor);
    }

    public static async Task A_child_pays_for_a_payout(INodeStage stage)
    {
        var node = stage.Node;
        var (parent, raw) = await BuildAsync(stage, [await FundAsync(stage)]);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        var change = Assert.Single(await node.ListUnspentAsync(0, Cancel)).Output;
        var address = await node.GetNewAddressAsync(Cancel);
        var child = await SignAsync(stage, change, address, NearlyAll);
        await SendAsync(stage, child, BroadcastOutcome.Accepted);
        var alone = (await node.GetMempoolEntryAsync(parent, Cancel))!;
        var with = (await node.GetMempoolEntryAsync(TxidOf(child), Cancel))!;
        Assert.Equal(
            (alone.Fee + with.Fee, alone.VirtualBytes + with.VirtualBytes, alone.Fee, alone.VirtualBytes),
            (with.AncestorFees, with.AncestorVirtualBytes, alone.AncestorFees, alone.AncestorVirtualBytes));
        await RefusedAsync(() => node.PsbtBumpFeeAsync(parent, HigherRate, Cancel));

        // A child takes the place of another one, and the one that it took cannot come back.
        var next = await SignAsync(stage, change, address, Less);
        await SendAsync(stage, next, BroadcastOutcome.Accepted);
        await SendAsync(stage, child, BroadcastOutcome.Refused);
        await node.GetTxSpendingPrevoutAsync([change], Cancel);
        await stage.MineOnlyAsync(raw);
        await node.GetTransactionAsync(parent, Cancel);
        await node.GetMempoolEntryAsync(TxidOf(next), Cancel);
        await stage.MineAsync();
        Assert.Equal(1, (await node.GetTransactionAsync(TxidOf(next), Cancel))!.Confirmations);
        Assert.Equal(-1, (await node.GetTransactionAsync(TxidOf(child), Cancel))!.Confirmations);
    }

    public static async Task Locks_are_lost_when_the_node_restarts(INodeStage stage)
    {
        var node = stage.Node;
        var coin = await FundAsync(stage);
        await node.LockUnspentAsync([coin], Cancel);
        await node.ListLockUnspentAsync(Cancel);
        Assert.Empty(await node.ListUnspentAsync(1, Cancel));
        await RefusedAsync(() => node.LockUnspentAsync([coin], Cancel));
        await RefusedAsync(() => BuildAsync(stage, []));
        await stage.RestartAsync();
        Assert.Empty(await node.ListLockUnspentAsync(Cancel));
        await BuildAsync(stage, []);
        Assert.Contains(coin, await node.ListLockUnspentAsync(Cancel));
        await node.UnlockAllAsync(Cancel);
        Assert.Empty(await node.ListLockUnspentAsync(Cancel));
    }

    public static async Task An_evicted_payout_is_sent_again(INodeStage stage)
    {
        var node = stage.Node;
        var coin = await FundAsync(stage);
        var (txid, raw) = await BuildAsync(stage, [coin]);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        await stage.EvictAsync(txid);
        Assert.Equal(0, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        await node.GetMempoolEntryAsync(txid, Cancel);
        await node.GetTxSpendingPrevoutAsync([coin], Cancel);
        // The wallet keeps its coin for it.
        Assert.Empty(await node.ListUnspentAsync(1, Cancel));
        await RefusedAsync(() => node.LockUnspentAsync([coin], Cancel));
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        await stage.MineAsync();
        Assert.Equal(1, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
    }

    public static async Task A_restart_sends_again_what_the_wallet_knows(INodeStage stage)
    {
        var node = stage.Node;
        var (txid, raw) = await BuildAsync(stage, [await FundAsync(stage)]);
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        await stage.EvictAsync(txid);
        await node.GetMempoolEntryAsync(txid, Cancel);
        await stage.RestartAsync();
        await node.GetMempoolEntryAsync(txid, Cancel);
        await node.GetTransactionAsync(txid, Cancel);
    }

    public static async Task A_broadcast_is_refused_in_different_ways(INodeStage stage)
    {
        var node = stage.Node;
        var (_, raw) = await BuildAsync(stage, [await FundAsync(stage)]);
        // Version, marker and flag, count of inputs: then the txid of the first.
        var missing = (byte[])raw.Clone();
        missing[7] ^= 1;
        await SendAsync(stage, missing, BroadcastOutcome.Ambiguous);
        // The last four bytes are the lock time, before them stands a signature.
        var forged = (byte[])raw.Clone();
        forged[^10] ^= 1;
        await SendAsync(stage, forged, BroadcastOutcome.Refused);
        await RefusedAsync(() => node.SendRawTransactionAsync([1, 2, 3], Cancel));
        await SendAsync(stage, raw, BroadcastOutcome.Accepted);
        await stage.MineAsync();
        await SendAsync(stage, raw, BroadcastOutcome.AlreadyInChain);
        await node.GetTransactionAsync(new Txid(new Hash256(1, 2)), Cancel);
        await node.GetMempoolEntryAsync(new Txid(new Hash256(1, 2)), Cancel);
        await node.ListSinceBlockAsync(new BlockHash(new Hash256(1, 2)), 3, Cancel);
        await RefusedAsync(() => node.PsbtBumpFeeAsync(new Txid(new Hash256(1, 2)), Rate, Cancel));
        await node.ValidateAddressAsync("bcrt1nonsense", Cancel);
        await RefusedAsync(() => node.GetAddressInfoAsync("bcrt1nonsense", Cancel));
    }

    public static async Task Coins_are_joined_without_change_and_once_more_at_a_higher_rate(INodeStage stage)
    {
        var node = stage.Node;
        foreach (var amount in new[] { 40_001, 40_002, 40_003 }) await stage.PayAsync(await node.GetNewAddressAsync(Cancel), new Sats(amount));
        // One that stays out of it.
        await FundAsync(stage, coins: 4);
        var coins = (await node.ListUnspentAsync(1, Cancel)).Where(c => c.Amount < Amount).ToArray();
        var total = new Sats(coins.Sum(c => c.Amount.Value));
        var address = await node.GetRawChangeAddressAsync(Cancel);
        Assert.True((await node.GetAddressInfoAsync(address, Cancel)).IsMine);
        await RefusedAsync(() => node.JoinCoinsPsbtAsync([coins[0].Output], total, address, Rate, Cancel));
        var funded = await node.JoinCoinsPsbtAsync([.. coins.Select(c => c.Output)], total, address, Rate, Cancel);
        var psbt = await node.DecodePsbtAsync(funded.Psbt, Cancel);
        Assert.Equal(coins.Select(c => c.Output).ToHashSet(), [.. psbt.Inputs.Select(i => i.Output)]);
        Assert.Equal(total - funded.Fee, Assert.Single(psbt.Outputs).Amount);
        Assert.Single(await node.ListUnspentAsync(1, Cancel));
        await SendAsync(stage, (await node.WalletProcessPsbtAsync(funded.Psbt, Cancel)).Transaction!, BroadcastOutcome.Accepted);

        // They are being spent, and it joins them again.
        var dearer = await node.JoinCoinsPsbtAsync([.. coins.Select(c => c.Output)], total, address, HigherRate, Cancel);
        var replaced = await node.DecodePsbtAsync(dearer.Psbt, Cancel);
        Assert.Equal(psbt.Inputs.Select(i => i.Output).ToHashSet(), [.. replaced.Inputs.Select(i => i.Output)]);
        Assert.Equal(total - dearer.Fee, Assert.Single(replaced.Outputs).Amount);
        await SendAsync(stage, (await node.WalletProcessPsbtAsync(dearer.Psbt, Cancel)).Transaction!, BroadcastOutcome.Accepted);
        await stage.MineAsync();
        Assert.Equal(-1, (await node.GetTransactionAsync(psbt.Txid, Cancel))!.Confirmations);
        Assert.Equal(1, (await node.GetTransactionAsync(replaced.Txid, Cancel))!.Confirmations);
        Assert.Equal(2, (await node.ListUnspentAsync(1, Cancel)).Count);
    }

    /// <summary>A confirmed coin, and nothing else, in the wallet.</summary>
    private static async Task<OutPoint> FundAsync(INodeStage stage, int coins = 1)
    {
        await stage.PayAsync(await stage.Node.GetNewAddressAsync(Cancel), Funds);
        await stage.MineAsync();
        var there = await stage.Node.ListUnspentAsync(1, Cancel);
        Assert.Equal(coins, there.Count);
        return there.MaxBy(c => c.Amount)!.Output;
    }

    private static async Task<(Txid Txid, byte[] Raw)> BuildAsync(INodeStage stage, IReadOnlyList<OutPoint> inputs, params NewOutput[] more)
    {
        var funded = await stage.Node.WalletCreateFundedPsbtAsync(inputs, [new PayOutput(await stage.StrangerAsync(), Amount), .. more], Rate, Cancel);
        var psbt = await stage.Node.DecodePsbtAsync(funded.Psbt, Cancel);
        var raw = (await stage.Node.WalletProcessPsbtAsync(funded.Psbt, Cancel)).Transaction;
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        Assert.Equal(psbt.Txid, transaction.Txid);
        return (psbt.Txid, raw!);
    }

    /// <summary>A transaction of one coin to one address. The stage's wallet signs it and knows nothing of it, as if somebody else
    /// had the keys.</summary>
    private static async Task<byte[]> SignAsync(INodeStage stage, OutPoint coin, string address, Sats amount)
    {
        var psbt = await stage.Node.CreatePsbtAsync([coin], [new PayOutput(address, amount)], Cancel);
        return (await stage.Node.WalletProcessPsbtAsync(psbt, Cancel)).Transaction!;
    }

    /// <summary>Everything that tells of a transaction that lost, and of the one that took its coin.</summary>
    private static async Task LookAsync(INodeStage stage, Txid lost, byte[] taker, OutPoint coin, BlockHash cursor)
    {
        var node = stage.Node;
        Assert.Equal([TxidOf(taker)], (await node.GetTransactionAsync(lost, Cancel))!.Conflicts);
        Assert.Contains(TxidOf(taker), (await node.ListTransactionsSinceAsync(cursor, Cancel))!);
        Assert.True((await node.GetTransactionAsync(TxidOf(taker), Cancel))!.Confirmations >= 1);
        Assert.False(await node.IsUnspentAsync(coin, Cancel));
        await node.GetTxSpendingPrevoutAsync([coin], Cancel);
    }

    private static Txid TxidOf(byte[] raw)
    {
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        return transaction.Txid;
    }

    private static async Task SendAsync(INodeStage stage, byte[] raw, BroadcastOutcome outcome)
    {
        Assert.Equal(outcome, (await stage.Node.SendRawTransactionAsync(raw, Cancel)).Outcome);
        await stage.SettleAsync();
    }

    private static async Task RefusedAsync(Func<Task> call) => await Assert.ThrowsAsync<NodeException>(call);
}
