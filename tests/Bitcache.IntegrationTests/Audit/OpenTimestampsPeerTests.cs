// The reference implementation of OpenTimestamps, which nobody here wrote, reads the .ots files that the core
// writes, and comes to the same block.

using Bitcache.Core.Audit;
using Bitcache.Tests.Audit;

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
}
