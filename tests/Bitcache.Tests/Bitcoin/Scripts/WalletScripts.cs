// What happens to the wallet itself, as scripts that any node must answer in the same way.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

internal static class WalletScripts
{
    private static readonly Sats Funds = new(500_000);
    private static readonly FeeRate Rate = new(2_500);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task An_unloaded_wallet_says_so_and_knows_afterwards_what_came_meanwhile(INodeStage stage)
    {
        var node = stage.Node;
        var address = await node.GetNewAddressAsync(Cancel);
        var coin = await FundAsync(stage);
        await node.LockUnspentAsync([coin], Cancel);
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        await stage.UnloadAsync();

        await RefusedAsync(RpcError.WalletNotFound, () => node.GetWalletInfoAsync(Cancel));
        await RefusedAsync(RpcError.WalletNotFound, () => node.ListSinceBlockAsync(cursor, 3, Cancel));
        await RefusedAsync(RpcError.WalletNotFound, () => node.GetTransactionAsync(coin.Txid, Cancel));
        await RefusedAsync(RpcError.WalletNotFound, () => node.GetBalancesAsync(Cancel));
        await node.GetBlockchainInfoAsync(Cancel);
        await stage.PayAsync(address, new Sats(70_000));
        await stage.MineAsync();
        await stage.PayAsync(address, new Sats(80_000));

        Assert.True(await node.LoadWalletAsync(Cancel));
        Assert.True(await node.LoadWalletAsync(Cancel));
        await stage.SettleAsync();
        await node.GetWalletInfoAsync(Cancel);
        Assert.Equal([new Sats(70_000), new Sats(80_000)], (await node.ListSinceBlockAsync(cursor, 3, Cancel))!.Entries.Select(e => e.Amount).Order());
        await node.GetBalancesAsync(Cancel);
        // Locks were in memory.
        Assert.Empty(await node.ListLockUnspentAsync(Cancel));
        Assert.Contains(coin, (await node.ListUnspentAsync(1, Cancel)).Select(c => c.Output));
    }

    public static async Task A_locked_wallet_funds_and_watches_and_does_not_sign(INodeStage stage)
    {
        var node = stage.Node;
        await FundAsync(stage);
        await stage.LockWalletAsync();
        await node.GetWalletInfoAsync(Cancel);
        var funded = await node.WalletCreateFundedPsbtAsync([], [new PayOutput(await stage.StrangerAsync(), new Sats(90_000))], Rate, Cancel);
        await RefusedAsync(RpcError.WalletUnlockNeeded, () => node.WalletProcessPsbtAsync(funded.Psbt, Cancel));
        await node.GetBalancesAsync(Cancel);
        await stage.PayAsync(await node.GetNewAddressAsync(Cancel), new Sats(70_000));
        await stage.MineAsync();
        await node.GetBalancesAsync(Cancel);

        await stage.UnlockWalletAsync();
        await node.GetWalletInfoAsync(Cancel);
        var raw = (await node.WalletProcessPsbtAsync(funded.Psbt, Cancel)).Transaction!;
        Assert.Equal(BroadcastOutcome.Accepted, (await node.SendRawTransactionAsync(raw, Cancel)).Outcome);
    }

    /// <summary>A confirmed coin.</summary>
    private static async Task<OutPoint> FundAsync(INodeStage stage)
    {
        await stage.PayAsync(await stage.Node.GetNewAddressAsync(Cancel), Funds);
        await stage.MineAsync();
        return Assert.Single(await stage.Node.ListUnspentAsync(1, Cancel)).Output;
    }

    private static async Task RefusedAsync(RpcError code, Func<Task> call) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<NodeException>(call)).Code);
}
