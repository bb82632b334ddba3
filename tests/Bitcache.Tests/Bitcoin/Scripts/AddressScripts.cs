// What the wallet looks for, as scripts that any node must answer in the same way.

using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

internal static class AddressScripts
{
    private static readonly Sats Amount = new(123_456);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task A_derived_address_is_seen_when_it_is_paid(INodeStage stage)
    {
        var node = stage.Node;
        var cursor = (await node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var descriptor = await DescriptorAsync(node);
        Assert.Equal(0u, descriptor.Next);
        var given = await node.GetNewAddressAsync(Cancel);
        Assert.Equal(given, Assert.Single(await node.DeriveAddressesAsync(descriptor.Text, 0, 0, Cancel)));
        Assert.Equal(1u, (await DescriptorAsync(node)).Next);

        var derived = await node.DeriveAddressesAsync(descriptor.Text, 1, 9, Cancel);
        Assert.True((await node.GetAddressInfoAsync(derived[8], Cancel)).IsMine);
        await stage.PayAsync(derived[6], Amount);
        await stage.MineAsync();
        Assert.Equal(derived[6], Assert.Single(await DepositScripts.ListAsync(node, cursor)).Address);
        // What was paid, and all before it, the node does not give away.
        Assert.Equal(8u, (await DescriptorAsync(node)).Next);
        Assert.Equal(derived[7], await node.GetNewAddressAsync(Cancel));
        await DescriptorAsync(node);
        await Assert.ThrowsAsync<NodeException>(() => node.DeriveAddressesAsync(descriptor.Text, 9, 1, Cancel));
    }

    public static async Task A_note_beside_an_address_is_kept_and_a_backup_has_the_one_of_its_time(INodeStage stage)
    {
        var node = stage.Node;
        var first = (await node.DeriveAddressesAsync((await DescriptorAsync(node)).Text, 0, 0, Cancel))[0];
        Assert.Null((await node.GetAddressInfoAsync(first, Cancel)).Label);
        await node.SetLabelAsync(first, "one", Cancel);
        var backup = await stage.BackUpAsync();
        Assert.Equal("one", (await node.GetAddressInfoAsync(first, Cancel)).Label);
        await node.SetLabelAsync(first, "two", Cancel);
        Assert.Equal("two", (await node.GetAddressInfoAsync(first, Cancel)).Label);
        Assert.Equal(first, await node.GetNewAddressAsync(Cancel));
        await stage.PayAsync(first, Amount);
        await stage.MineAsync();
        await node.GetAddressInfoAsync(first, Cancel);
        await stage.RestoreAsync(backup);
        Assert.Equal("one", (await node.GetAddressInfoAsync(first, Cancel)).Label);
    }

    public static async Task A_restored_backup_looks_for_more_when_it_is_paid_and_misses_what_was_before(INodeStage stage)
    {
        var node = stage.Node;
        var start = await node.GetBlockchainInfoAsync(Cancel);
        var descriptor = await DescriptorAsync(node);
        var backup = await stage.BackUpAsync();
        await node.RefillKeypoolAsync(100, Cancel);
        var (near, far) = (await node.DeriveAddressesAsync(descriptor.Text, 45, 45, Cancel), await node.DeriveAddressesAsync(descriptor.Text, 80, 80, Cancel));
        var missed = await stage.PayAsync(far[0], Amount);
        await stage.MineAsync();
        await stage.PayAsync(near[0], new Sats(77_000));
        await stage.MineAsync();
        await stage.RestoreAsync(backup);
        // By its range it looks for both.
        Assert.True((await node.GetAddressInfoAsync(far[0], Cancel)).IsMine);
        Assert.Null(await node.GetTransactionAsync(missed, Cancel));
        Assert.Single(await DepositScripts.ListAsync(node, start.BestBlock));
        await DescriptorAsync(node);
    }

    public static async Task The_wallet_looks_for_as_many_as_it_is_told_to(INodeStage stage)
    {
        var node = stage.Node;
        await node.GetNewAddressAsync(Cancel);
        await node.GetNewAddressAsync(Cancel);
        var before = await DescriptorAsync(node);
        await node.RefillKeypoolAsync(80, Cancel);
        Assert.Equal(before.Next + 79, (await DescriptorAsync(node)).Range!.Value.Last);
        await node.RefillKeypoolAsync(20, Cancel);
        Assert.Equal(before.Next + 79, (await DescriptorAsync(node)).Range!.Value.Last);
        var edge = await node.DeriveAddressesAsync(before.Text, before.Next + 79, before.Next + 80, Cancel);
        Assert.True((await node.GetAddressInfoAsync(edge[0], Cancel)).IsMine);
        Assert.False((await node.GetAddressInfoAsync(edge[1], Cancel)).IsMine);
        await stage.PayAsync(edge[0], Amount);
        await stage.MineAsync();
        await DescriptorAsync(node);
        Assert.True((await node.GetAddressInfoAsync(edge[1], Cancel)).IsMine);
    }

    public static async Task A_payment_beyond_the_range_is_found_by_a_rescan(INodeStage stage)
    {
        var node = stage.Node;
        var start = await node.GetBlockchainInfoAsync(Cancel);
        var descriptor = await DescriptorAsync(node);
        var far = Assert.Single(await node.DeriveAddressesAsync(descriptor.Text, 120, 120, Cancel));
        var txid = await stage.PayAsync(far, Amount);
        await stage.MineAsync();
        await stage.MineAsync();
        Assert.Empty(await DepositScripts.ListAsync(node, start.BestBlock));
        Assert.Null(await node.GetTransactionAsync(txid, Cancel));

        await node.RefillKeypoolAsync(130, Cancel);
        await DescriptorAsync(node);
        Assert.Empty(await DepositScripts.ListAsync(node, start.BestBlock));
        await node.RescanAsync(start.Blocks + 2, start.Blocks + 2, Cancel);
        Assert.Null(await node.GetTransactionAsync(txid, Cancel));
        await node.RescanAsync(start.Blocks + 1, start.Blocks + 2, Cancel);
        Assert.Equal(2, (await node.GetTransactionAsync(txid, Cancel))!.Confirmations);
        Assert.Single(await DepositScripts.ListAsync(node, start.BestBlock));
        await node.RescanAsync(start.Blocks, start.Blocks + 2, Cancel);
        Assert.Single(await DepositScripts.ListAsync(node, start.BestBlock));
        await node.GetBalancesAsync(Cancel);
        await DescriptorAsync(node);
        await Assert.ThrowsAsync<NodeException>(() => node.RescanAsync(start.Blocks + 3, start.Blocks + 3, Cancel));
        await Assert.ThrowsAsync<NodeException>(() => node.RescanAsync(start.Blocks, start.Blocks + 3, Cancel));
        await Assert.ThrowsAsync<NodeException>(() => node.RescanAsync(start.Blocks + 2, start.Blocks + 1, Cancel));
    }

    public static async Task A_restored_backup_looks_for_what_it_looked_for_then(INodeStage stage)
    {
        var node = stage.Node;
        var start = await node.GetBlockchainInfoAsync(Cancel);
        await node.GetNewAddressAsync(Cancel);
        var backup = await stage.BackUpAsync();
        await node.RefillKeypoolAsync(200, Cancel);
        var descriptor = await DescriptorAsync(node);
        var (near, far) = (await node.DeriveAddressesAsync(descriptor.Text, 10, 10, Cancel), await node.DeriveAddressesAsync(descriptor.Text, 150, 150, Cancel));
        var first = await stage.PayAsync(near[0], Amount);
        var second = await stage.PayAsync(far[0], new Sats(77_000));
        await stage.MineAsync();
        Assert.Equal(2, (await DepositScripts.ListAsync(node, start.BestBlock)).Count);

        await stage.RestoreAsync(backup);
        // It looks at the blocks since it was copied, for what it knows of.
        Assert.Equal(1, (await node.GetTransactionAsync(first, Cancel))!.Confirmations);
        Assert.Null(await node.GetTransactionAsync(second, Cancel));
        Assert.False((await node.GetAddressInfoAsync(far[0], Cancel)).IsMine);
        await DescriptorAsync(node);
        await node.RefillKeypoolAsync(200, Cancel);
        await node.RescanAsync(start.Blocks + 1, start.Blocks + 1, Cancel);
        Assert.Equal(1, (await node.GetTransactionAsync(second, Cancel))!.Confirmations);
        Assert.Equal(2, (await DepositScripts.ListAsync(node, start.BestBlock)).Count);
        await DescriptorAsync(node);
    }

    private static async Task<WalletDescriptor> DescriptorAsync(IBitcoinNode node) =>
        Assert.Single(await node.ListDescriptorsAsync(Cancel), d => d.GivesTaproot);
}
