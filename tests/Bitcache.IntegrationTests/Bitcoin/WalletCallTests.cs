// Money in and out by the calls of the seam, against a real node: what the algorithms rely on.

using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.IntegrationTests.Bitcoin;

[Trait("suite", "node")]
public sealed class WalletCallTests(RegtestFixture fixture) : IClassFixture<RegtestFixture>
{
    private const int Finality = 12;
    private static readonly FeeRate Rate = new(2_500);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private RegtestNode Regtest => fixture.Node;
    private BitcoinRpcNode Node => fixture.Node.Node;

    [Fact]
    public async Task A_deposit_is_listed_from_the_mempool_to_its_block()
    {
        var address = await Node.GetNewAddressAsync(Cancel);
        Assert.StartsWith("bcrt1p", address, StringComparison.Ordinal);
        Assert.True((await Node.GetAddressInfoAsync(address, Cancel)).IsMine);
        Assert.False((await Node.GetAddressInfoAsync(await Regtest.NewMinerAddressAsync(Cancel), Cancel)).IsMine);
        var cursor = (await Node.GetBlockchainInfoAsync(Cancel)).BestBlock;

        var txid = await Regtest.PayAsync(address, new Sats(123_456_789), Cancel);
        var seen = await EntryAsync(cursor, txid);
        Assert.Equal((WalletEntryCategory.Receive, address, new Sats(123_456_789)), (seen.Category, seen.Address, seen.Amount));
        Assert.Equal((0, null, null), (seen.Confirmations, seen.Block, seen.Height));
        Assert.NotNull(await Node.GetMempoolEntryAsync(txid, Cancel));

        var block = Assert.Single(await Regtest.MineAsync(1, Cancel));
        var confirmed = await EntryAsync(cursor, txid);
        Assert.Equal((1, block), (confirmed.Confirmations, confirmed.Block!.Value));
        Assert.Null(await Node.GetMempoolEntryAsync(txid, Cancel));

        var transaction = await Node.GetTransactionAsync(txid, Cancel);
        Assert.Equal(confirmed, Assert.Single(transaction!.Entries));
        Assert.Null(transaction.Fee);
        Assert.Equal(transaction.Raw, await Node.GetRawTransactionAsync(txid, block, Cancel));
        Assert.Contains(txid, (await Node.GetBlockTxidsAsync(block, Cancel))!);
    }

    [Fact]
    public async Task A_block_is_told_by_height_hash_header_and_transactions()
    {
        var block = Assert.Single(await Regtest.MineAsync(1, Cancel));
        var info = (await Node.GetBlockInfoAsync(block, Cancel))!;
        var header = (await Node.GetBlockHeaderAsync(block, Cancel))!;

        Assert.Equal((block, 1), (info.Hash, info.Confirmations));
        Assert.Equal(block, await Node.GetBlockHashAsync(info.Height, Cancel));
        Assert.Equal(80, header.Length);
        Assert.Equal(info.Previous!.Value.Hash, Hash256.Read(header.AsSpan(4, Hash256.Bytes)));
        Assert.Equal(block.Hash, Hash256.Read(System.Security.Cryptography.SHA256.HashData(System.Security.Cryptography.SHA256.HashData(header))));
        // A block with one transaction: its txid is the Merkle root.
        Assert.Equal(Assert.Single((await Node.GetBlockTxidsAsync(block, Cancel))!).Hash, Hash256.Read(header.AsSpan(36, Hash256.Bytes)));
    }

    [Fact]
    public async Task A_block_taken_back_makes_its_payment_unconfirmed_and_a_reconsidered_one_confirms_it_again()
    {
        var cursor = (await Node.GetBlockchainInfoAsync(Cancel)).BestBlock;
        var txid = await Regtest.PayAsync(await Node.GetNewAddressAsync(Cancel), new Sats(70_000), Cancel);
        var block = Assert.Single(await Regtest.MineAsync(1, Cancel));
        var gate = new NodeGate(Node, "regtest", (await Node.GetBlockHashAsync(0, Cancel))!.Value);
        var height = (await Node.GetBlockInfoAsync(block, Cancel))!.Height;

        await Regtest.InvalidateBlockAsync(block, Cancel);
        Assert.Equal(0, (await EntryAsync(cursor, txid)).Confirmations);
        Assert.Equal(-1, (await Node.GetBlockInfoAsync(block, Cancel))!.Confirmations);
        Assert.Contains((await Node.ListSinceBlockAsync(block, Finality, Cancel))!.Removed, e => e.Output.Txid == txid);
        Assert.False((await gate.CheckAsync(height, Cancel)).IsOpen);

        await Regtest.ReconsiderBlockAsync(block, Cancel);
        Assert.Equal(1, (await EntryAsync(cursor, txid)).Confirmations);
        Assert.True((await gate.CheckAsync(height, Cancel)).IsOpen);
    }

    [Fact]
    public async Task A_payment_is_funded_read_signed_broadcast_bumped_and_confirmed()
    {
        var own = await FundAsync(new Sats(500_000));
        var payee = await Regtest.NewMinerAddressAsync(Cancel);
        var payeeScript = (await Node.GetAddressInfoAsync(payee, Cancel)).Script;
        byte[] data = [0x42, 0x43, 0x41, 0x31, .. new byte[32]];

        var funded = await Node.WalletCreateFundedPsbtAsync([own], [new PayOutput(payee, new Sats(40_000)), new DataOutput(data)], Rate, Cancel);
        var decoded = await Node.DecodePsbtAsync(funded.Psbt, Cancel);
        Assert.Equal(own, decoded.Inputs[0].Output);
        Assert.Equal(new Sats(500_000), decoded.Inputs[0].Spent!.Amount);
        Assert.Equal([0x51, 0x20], decoded.Inputs[0].Spent!.Script[..2]);
        Assert.Equal(funded.Fee, decoded.Fee);
        Assert.Equal(new Sats(40_000), decoded.Outputs.Single(o => o.Script.AsSpan().SequenceEqual(payeeScript)).Amount);
        Assert.Equal(Sats.Zero, decoded.Outputs.Single(o => o.Script.AsSpan().SequenceEqual((byte[])[0x6a, (byte)data.Length, .. data])).Amount);
        Assert.Equal(3, decoded.Outputs.Count);
        Assert.Contains(own, await Node.ListLockUnspentAsync(Cancel));
        Assert.DoesNotContain(await Node.ListUnspentAsync(1, Cancel), c => c.Output == own);

        var signed = await Node.WalletProcessPsbtAsync(funded.Psbt, Cancel);
        Assert.Equal(new BroadcastResult(BroadcastOutcome.Accepted, null), await Node.SendRawTransactionAsync(signed.Transaction!, Cancel));
        Assert.Equal(BroadcastOutcome.Accepted, (await Node.SendRawTransactionAsync(signed.Transaction!, Cancel)).Outcome);
        Assert.Equal([new MempoolSpend(own, decoded.Txid)], await Node.GetTxSpendingPrevoutAsync([own], Cancel));
        Assert.Equal(decoded.Fee, (await Node.GetMempoolEntryAsync(decoded.Txid, Cancel))!.Fee);

        var bump = await Node.PsbtBumpFeeAsync(decoded.Txid, new FeeRate(9_000), Cancel);
        var bumped = await Node.DecodePsbtAsync(bump.Psbt, Cancel);
        Assert.True(bump.Fee > funded.Fee);
        Assert.Equal(decoded.Inputs.Select(i => i.Output), bumped.Inputs.Select(i => i.Output));
        var second = await Node.WalletProcessPsbtAsync(bump.Psbt, Cancel);
        Assert.Equal(BroadcastOutcome.Accepted, (await Node.SendRawTransactionAsync(second.Transaction!, Cancel)).Outcome);
        Assert.Null(await Node.GetMempoolEntryAsync(decoded.Txid, Cancel));

        await Regtest.MineAsync(2, Cancel);
        var first = await Node.GetTransactionAsync(decoded.Txid, Cancel);
        var final = await Node.GetTransactionAsync(bumped.Txid, Cancel);
        Assert.Equal((-2, 2), (first!.Confirmations, final!.Confirmations));
        Assert.Equal([bumped.Txid], first.Conflicts);
        Assert.Equal(bump.Fee, final.Fee);
        Assert.Contains(final.Entries, e => e.Category == WalletEntryCategory.Send && e.Address == payee && e.Amount == new Sats(40_000));
    }

    [Fact]
    public async Task A_broadcast_that_the_node_refuses_says_in_which_way()
    {
        var own = await FundAsync(new Sats(300_000));
        var payment = new PayOutput(await Regtest.NewMinerAddressAsync(Cancel), new Sats(30_000));
        var funded = await Node.WalletCreateFundedPsbtAsync([own], [payment], Rate, Cancel);
        var transaction = (await Node.WalletProcessPsbtAsync(funded.Psbt, Cancel)).Transaction!;

        // Version 4 bytes, marker and flag 2, count of inputs 1: then the txid of the first input.
        var missingInput = (byte[])transaction.Clone();
        missingInput[7] ^= 1;
        var missing = await Node.SendRawTransactionAsync(missingInput, Cancel);
        Assert.Equal(BroadcastOutcome.Ambiguous, missing.Outcome);
        Assert.Contains("-25", missing.Message, StringComparison.Ordinal);

        // The last 4 bytes are the lock time, before them stands a signature.
        var wrongSignature = (byte[])transaction.Clone();
        wrongSignature[^10] ^= 1;
        var refused = await Node.SendRawTransactionAsync(wrongSignature, Cancel);
        Assert.Equal(BroadcastOutcome.Refused, refused.Outcome);
        Assert.Contains("-26", refused.Message, StringComparison.Ordinal);

        Assert.Equal(BroadcastOutcome.Accepted, (await Node.SendRawTransactionAsync(transaction, Cancel)).Outcome);
        await Regtest.MineAsync(1, Cancel);
        var inChain = await Node.SendRawTransactionAsync(transaction, Cancel);
        Assert.Equal(BroadcastOutcome.AlreadyInChain, inChain.Outcome);
        Assert.Contains("-27", inChain.Message, StringComparison.Ordinal);

        var nonsense = await Assert.ThrowsAsync<NodeException>(() => Node.SendRawTransactionAsync([1, 2, 3], Cancel));
        Assert.Equal((NodeFailure.Rejected, -22), (nonsense.Failure, (int)nonsense.Code));
    }

    [Fact]
    public async Task A_coinbase_is_listed_as_immature_until_it_may_be_spent()
    {
        var wallet = new BitcoinRpcNode(Regtest.Rpc, "coinbase");
        await wallet.CreateWalletAsync(Cancel);
        await Regtest.MineAsync(1, Cancel, await wallet.GetNewAddressAsync(Cancel));

        var entry = Assert.Single((await wallet.ListSinceBlockAsync(null, Finality, Cancel))!.Entries);
        var balances = await wallet.GetBalancesAsync(Cancel);

        Assert.Equal(WalletEntryCategory.Immature, entry.Category);
        Assert.Equal(new WalletBalances(Sats.Zero, Sats.Zero, entry.Amount), balances);
    }

    private async Task<WalletEntry> EntryAsync(BlockHash cursor, Txid txid)
    {
        var changes = await Node.ListSinceBlockAsync(cursor, Finality, Cancel);
        return changes!.Entries.Single(e => e.Output.Txid == txid);
    }

    /// <summary>A confirmed coin of the server's wallet.</summary>
    private async Task<OutPoint> FundAsync(Sats amount)
    {
        var address = await Node.GetNewAddressAsync(Cancel);
        await Regtest.PayAsync(address, amount, Cancel);
        await Regtest.MineAsync(1, Cancel);
        return (await Node.ListUnspentAsync(1, Cancel)).Single(c => c.Address == address).Output;
    }
}
