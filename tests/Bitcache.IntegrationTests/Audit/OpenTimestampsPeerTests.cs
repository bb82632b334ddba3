// The reference implementation of OpenTimestamps, which nobody here wrote, reads the .ots files that the core
// writes, and comes to the same block.

using Bitcache.Core.Audit;
using Bitcache.Tests.Audit;
using Bitcache.Tests.Audit.Liabilities;

namespace Bitcache.IntegrationTests.Audit;

[Trait("suite", "node")]
public sealed class OpenTimestampsPeerTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-ots-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0, 1, 1)]
    [InlineData(5, 9, 6)]
    [InlineData(299, 300, 7)]
    public async Task The_reference_implementation_arrives_at_the_same_block(int index, int anchoredSize, int blockTransactions)
    {
        var sample = new SampleReceipt { Index = index, CheckpointSize = 301, AnchoredSize = anchoredSize, BlockTransactions = blockTransactions }.Make();
        var timestamp = sample.Timestamp;
        Assert.Equal(ReceiptVerdict.AnchoredInBlock, ReceiptVerifier.Verify(sample.Files, SampleReceipt.Pins).Verdict);

        var answer = await OpenTimestampsPeer.AskAsync(_folder.FullName, sample.Leaf, timestamp, sample.Header);

        Assert.Equal(sample.Height, answer.GetProperty("height").GetInt32());
        Assert.Equal(sample.Block.MerkleRoot().ToString(), answer.GetProperty("root").GetString());
        Assert.Equal(SampleReceipt.BlockTime, answer.GetProperty("time").GetInt64());
        Assert.Equal(timestamp.Length, answer.GetProperty("bytes").GetInt32());
        Assert.Empty(answer.GetProperty("unnoticed").EnumerateArray());
    }

    [Theory]
    [InlineData(0, 9)]
    [InlineData(299, 300)]
    public async Task So_it_does_with_balances_and_with_the_close_of_their_epoch(int index, int anchoredSize)
    {
        var balance = new SampleBalance { Index = index, AnchoredSize = anchoredSize }.Make();
        var close = balance.Close;
        foreach (var (leaf, timestamp) in new[] { (balance.Proof.ToFile(), balance.Timestamp), (close.Leaf, close.Timestamp) })
        {
            var answer = await OpenTimestampsPeer.AskAsync(_folder.FullName, leaf, timestamp, close.Header);

            Assert.Equal(close.Height, answer.GetProperty("height").GetInt32());
            Assert.Equal(close.Block.MerkleRoot().ToString(), answer.GetProperty("root").GetString());
            Assert.Equal(timestamp.Length, answer.GetProperty("bytes").GetInt32());
            Assert.Empty(answer.GetProperty("unnoticed").EnumerateArray());
        }
    }
}
