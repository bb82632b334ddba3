using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Audit;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>What was stated at the close of an epoch, and each user's balance in it, anchored in real blocks and read by a tool that
/// nobody here wrote.</summary>
[Trait("suite", "node")]
public sealed class EpochProofTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    [Fact]
    public async Task Statement_and_balances_are_proven_and_again_after_a_reorganisation()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(new Sats(200_000));
        var (payer, payee) = (await harness.FundedWalletAsync(new Sats(100_000)), await harness.CreateWalletAsync());
        await harness.PayAsync(payer, payee, new Msat(12_345));
        var epoch = await harness.CloseEpochAsync();
        for (var turn = 0; epoch.Statement is null && turn < 10; turn++)
        {
            await harness.TurnAsync();
            epoch = await harness.Partition.QueryAsync(ledger => ledger.LastEpoch!);
        }
        Assert.NotNull(epoch.Statement);
        await harness.TurnAsync();
        var blocks = await regtest.Node.MineAsync(5, EngineHarness.Cancel);
        await harness.TurnAsync();
        var before = await CheckAsync(harness, epoch, (payer, 100_000_000 - 12_345), (payee, 12_345));

        await regtest.Node.InvalidateBlockAsync(blocks[0], EngineHarness.Cancel);
        await harness.MineEmptyAsync(6);
        Assert.Null((await harness.Engine.FindReceiptAsync(0, epoch.Stated))!.OpenTimestamps);
        await harness.MineAsync(1);
        Assert.NotEqual(before, await CheckAsync(harness, epoch, (payer, 100_000_000 - 12_345), (payee, 12_345)));
    }

    /// <returns>The height of the block that everything is anchored in.</returns>
    private async Task<long> CheckAsync(EngineHarness harness, Epoch epoch, params (WalletId Wallet, long Msat)[] owed)
    {
        var close = (await harness.Engine.FindReceiptAsync(0, epoch.Stated))!;
        var pins = await harness.Engine.PinsAsync();
        var hash = await regtest.Node.Node.GetBlockHashAsync((int)close.AnchorHeight!.Value, EngineHarness.Cancel);
        var header = (await regtest.Node.Node.GetBlockHeaderAsync(hash!.Value, EngineHarness.Cancel))!;
        var files = new ReceiptFiles(close.Leaf, Encoding.UTF8.GetBytes(close.TlogProof))
        {
            Timestamp = close.OpenTimestamps,
            Block = new HeaderAtHeight(header, (int)close.AnchorHeight.Value),
        };
        AssertAnchored(ReceiptVerifier.Verify(files, pins));
        Assert.True(EpochStatement.TryReadEntry(close.Leaf.AsSpan(1), out var statement));
        Assert.Equal(epoch.Statement, statement);
        await AskPeerAsync(close.Leaf, close.OpenTimestamps!, header);

        var seed = LiabilityKey.Open(new LinuxFileSystem(), Path.Combine(harness.DataFolder, "keys"), mayCreate: false).Seed;
        var folder = Path.Combine(harness.DataFolder, "epochs", "1");
        using var csv = File.OpenHandle(Path.Combine(folder, EpochFolder.LiabilitiesName));
        using var allocation = File.OpenHandle(Path.Combine(folder, EpochFolder.AllocationName));
        var lines = new LineIndex();
        lines.Add(await File.ReadAllBytesAsync(Path.Combine(folder, EpochFolder.LiabilitiesName), EngineHarness.Cancel));
        var epochFiles = new LiabilityFiles(
            (offset, bytes) => RandomAccess.Read(csv, bytes, offset), lines, (offset, bytes) => RandomAccess.Read(allocation, bytes, offset), RandomAccess.GetLength(allocation));
        foreach (var (wallet, msat) in owed)
        {
            var owner = new BalanceOwner(wallet, seed.AccountKey(wallet));
            var chunks = epochFiles.ChunksOf(wallet);
            Assert.Equal(msat, chunks.Sum(chunk => chunk.Value.Value));
            foreach (var chunk in chunks)
            {
                var balance = epochFiles.Prove(chunk, LiabilitySeed.Nonce(owner.AccountKey, statement.Height, LiabilitySeed.AccountNumber(wallet)));
                var timestamp = balance.ToTimestamp(close.Leaf, close.OpenTimestamps);
                AssertAnchored(BalanceVerifier.Verify(files with { Leaf = balance.ToFile(), Timestamp = timestamp }, pins, owner));
                await AskPeerAsync(balance.ToFile(), timestamp, header);
            }
        }
        return close.AnchorHeight.Value;
    }

    private static async Task AskPeerAsync(byte[] leaf, byte[] timestamp, byte[] header)
    {
        var folder = Directory.CreateTempSubdirectory("bitcache-epoch-");
        try
        {
            var answer = await OpenTimestampsPeer.AskAsync(folder.FullName, leaf, timestamp, header);
            Assert.True(Core.Bitcoin.BlockHeader.TryParse(header, out var parsed));
            Assert.Equal(parsed.MerkleRoot.ToString(), answer.GetProperty("root").GetString());
            Assert.Empty(answer.GetProperty("unnoticed").EnumerateArray());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void AssertAnchored(ReceiptReport report) =>
        Assert.True(report.Verdict == ReceiptVerdict.AnchoredInBlock, string.Join(Environment.NewLine, report.Steps));
}
