using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Audit;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Receipts of real payments, anchored in real blocks, checked with everything of ours shut down.</summary>
[Trait("suite", "node")]
public sealed class ReceiptTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    [Fact]
    public async Task A_receipt_is_signed_within_a_turn_and_proven_in_bitcoin_once_the_anchor_is_mined()
    {
        Receipt receipt;
        Pins pins;
        byte[] header;
        await using (var harness = await EngineHarness.StartAsync(regtest.Node))
        {
            await harness.TopUpAsync(new Sats(200_000));
            var (payer, payee) = (await harness.FundedWalletAsync(new Sats(100_000)), await harness.CreateWalletAsync());
            var payments = new List<long>();
            for (var i = 1; i <= 20; i++) payments.Add((await harness.PayAsync(payer, payee, new Msat(i))).Entry!.Sequence);
            var sequence = payments[7];
            Assert.Null(await harness.Engine.FindReceiptAsync(0, sequence));

            await harness.TurnAsync();
            receipt = (await harness.Engine.FindReceiptAsync(0, sequence))!;
            pins = await harness.Engine.PinsAsync();
            Assert.Null(receipt.OpenTimestamps);
            AssertVerdict(ReceiptVerdict.LoggedOnly, Verify(receipt, pins, null));

            await harness.CloseEpochAsync();
            await harness.PayAsync(payer, payee, new Msat(1));
            await harness.MineAsync(1);
            await harness.ReopenAsync();
            receipt = (await harness.Engine.FindReceiptAsync(0, sequence))!;
            pins = await harness.Engine.PinsAsync();
            header = await HeaderAsync(receipt);
        }

        // From here on there is no server.
        var block = new HeaderAtHeight(header, (int)receipt.AnchorHeight!.Value);
        AssertVerdict(ReceiptVerdict.AnchoredInBlock, Verify(receipt, pins, block));
        Assert.Equal(new Msat(8), ((Transfer)Entry.ReadStatement(receipt.Leaf.AsSpan(1)).Command).Amount);
        for (var i = 0; i < receipt.Leaf.Length; i++)
        {
            var changed = receipt.Leaf.ToArray();
            changed[i] ^= 0x10;
            Assert.Equal(ReceiptVerdict.Invalid, Verify(receipt with { Leaf = changed }, pins, block).Verdict);
        }

        var folder = Directory.CreateTempSubdirectory("bitcache-receipt-");
        try
        {
            var answer = await OpenTimestampsPeer.AskAsync(folder.FullName, receipt.Leaf, receipt.OpenTimestamps!, header);
            Assert.True(BlockHeader.TryParse(header, out var parsed));
            Assert.Equal(receipt.AnchorHeight, answer.GetProperty("height").GetInt64());
            Assert.Equal(parsed.MerkleRoot.ToString(), answer.GetProperty("root").GetString());
            Assert.Empty(answer.GetProperty("unnoticed").EnumerateArray());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_reorg_of_the_anchor_ends_with_a_proof_of_the_new_block()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(new Sats(200_000));
        var (payer, payee) = (await harness.FundedWalletAsync(new Sats(100_000)), await harness.CreateWalletAsync());
        var sequence = (await harness.PayAsync(payer, payee, new Msat(5))).Entry!.Sequence;
        await harness.CloseEpochAsync();
        var blocks = await regtest.Node.MineAsync(2, EngineHarness.Cancel);
        await harness.TurnAsync();
        var before = (await harness.Engine.FindReceiptAsync(0, sequence))!;

        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        await harness.MineEmptyAsync(3);
        Assert.Null((await harness.Engine.FindReceiptAsync(0, sequence))!.OpenTimestamps);
        await harness.MineAsync(1);
        var after = (await harness.Engine.FindReceiptAsync(0, sequence))!;
        Assert.NotEqual(before.AnchorHeight, after.AnchorHeight);
        var block = new HeaderAtHeight(await HeaderAsync(after), (int)after.AnchorHeight!.Value);
        AssertVerdict(ReceiptVerdict.AnchoredInBlock, Verify(after, await harness.Engine.PinsAsync(), block));
    }

    [Fact]
    public async Task The_receipt_of_an_archived_anchor_is_the_one_that_it_was()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(new Sats(200_000));
        var (payer, payee) = (await harness.FundedWalletAsync(new Sats(100_000)), await harness.CreateWalletAsync());
        var sequence = (await harness.PayAsync(payer, payee, new Msat(5))).Entry!.Sequence;
        await harness.WithdrawAsync(payer, await regtest.Node.NewMinerAddressAsync(EngineHarness.Cancel), new Sats(20_000));
        await harness.CloseEpochAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        var before = (await harness.Engine.FindReceiptAsync(0, sequence))!;
        // The newest final anchor stays: the next one spends its output.
        await harness.TurnAsync();
        Assert.Equal(0, (await harness.FamilyAsync(1)).Archived);

        await harness.CloseEpochAsync();
        await harness.MineAsync(EngineHarness.ToFinal);
        await harness.TurnAsync();
        var family = await harness.FamilyAsync(1);
        Assert.True(family.Archived > 0);
        Assert.All(family.Attempts, a => Assert.Equal(0, a.Transaction.Length));
        await harness.ReopenAsync();
        var after = (await harness.Engine.FindReceiptAsync(0, sequence))!;
        Assert.Equal((before.AnchorHeight, before.AnchorTxid), (after.AnchorHeight, after.AnchorTxid));
        Assert.Equal(before.OpenTimestamps, after.OpenTimestamps);
        var block = new HeaderAtHeight(await HeaderAsync(after), (int)after.AnchorHeight!.Value);
        AssertVerdict(ReceiptVerdict.AnchoredInBlock, Verify(after, await harness.Engine.PinsAsync(), block));
        // Anchors go on from the newest.
        await harness.CloseEpochAsync();
        await harness.MineAsync(1);
        Assert.Equal(FamilyState.Confirmed, (await harness.FamilyAsync(3)).State);
    }

    private async Task<byte[]> HeaderAsync(Receipt receipt)
    {
        var hash = await regtest.Node.Node.GetBlockHashAsync((int)receipt.AnchorHeight!.Value, EngineHarness.Cancel);
        return (await regtest.Node.Node.GetBlockHeaderAsync(hash!.Value, EngineHarness.Cancel))!;
    }

    private static ReceiptReport Verify(Receipt receipt, Pins pins, HeaderAtHeight? block) => ReceiptVerifier.Verify(
        new ReceiptFiles(receipt.Leaf, System.Text.Encoding.UTF8.GetBytes(receipt.TlogProof)) { Timestamp = receipt.OpenTimestamps is { } ots ? (ReadOnlyMemory<byte>?)ots : null, Block = block }, pins);

    private static void AssertVerdict(ReceiptVerdict verdict, ReceiptReport report) =>
        Assert.True(verdict == report.Verdict, string.Join(Environment.NewLine, report.Steps));
}
