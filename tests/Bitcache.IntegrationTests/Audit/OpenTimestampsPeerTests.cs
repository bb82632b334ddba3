// The reference implementation of OpenTimestamps, which nobody here wrote, reads the .ots files that the core
// writes, and comes to the same block.

using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Bitcache.Core.Audit;
using Bitcache.Tests.Audit;

namespace Bitcache.IntegrationTests.Audit;

[Trait("suite", "node")]
public sealed class OpenTimestampsPeerTests : IDisposable
{
    private const string Install = "install the reference implementation: apt-get install python3-opentimestamps";

    /// <summary>Prints what the file attests; then, after changing each byte of it alone, where that went unnoticed.</summary>
    private const string Script = """
        import hashlib, json, sys, warnings
        warnings.simplefilter("ignore")
        try:
            from bitcoin.core import CBlockHeader
            from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, VerificationError
            from opentimestamps.core.serialize import BytesDeserializationContext, DeserializationError
            from opentimestamps.core.timestamp import DetachedTimestampFile
        except ImportError:
            sys.exit(3)

        leaf, ots, header = (open(name, "rb").read() for name in sys.argv[1:4])
        header = CBlockHeader.deserialize(header)

        def attested(ots):
            file = DetachedTimestampFile.deserialize(BytesDeserializationContext(ots))
            if file.file_digest != hashlib.sha256(leaf).digest():
                raise VerificationError("another file")
            found = list(file.timestamp.all_attestations())
            if len(found) != 1 or not isinstance(found[0][1], BitcoinBlockHeaderAttestation):
                raise VerificationError("not one Bitcoin attestation")
            message, attestation = found[0]
            return {
                "height": attestation.height,
                "root": message.hex(),
                "time": attestation.verify_against_blockheader(message, header),
            }

        whole = attested(ots)
        unnoticed = []
        for place in range(len(ots)):
            for flip in (0x01, 0x80):
                changed = bytearray(ots)
                changed[place] ^= flip
                try:
                    if attested(bytes(changed)) == whole:
                        unnoticed.append(place)
                except (DeserializationError, VerificationError, ValueError):
                    pass
        print(json.dumps({**whole, "bytes": len(ots), "unnoticed": unnoticed}))
        """;

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

        var answer = await AskPeer(sample.Leaf, timestamp, sample.Header);

        Assert.Equal(sample.Height, answer.GetProperty("height").GetInt32());
        Assert.Equal(sample.Block.MerkleRoot().ToString(), answer.GetProperty("root").GetString());
        Assert.Equal(SampleReceipt.BlockTime, answer.GetProperty("time").GetInt64());
        Assert.Equal(timestamp.Length, answer.GetProperty("bytes").GetInt32());
        Assert.Empty(answer.GetProperty("unnoticed").EnumerateArray());
    }

    private async Task<JsonElement> AskPeer(byte[] leaf, byte[] timestamp, byte[] header)
    {
        var stop = TestContext.Current.CancellationToken;
        var start = new ProcessStartInfo("/usr/bin/python3") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Script);
        foreach (var (name, bytes) in new[] { ("receipt.leaf", leaf), ("receipt.leaf.ots", timestamp), ("header", header) })
        {
            var path = Path.Combine(_folder.FullName, name);
            await File.WriteAllBytesAsync(path, bytes, stop);
            start.ArgumentList.Add(path);
        }

        using var python = Start(start);
        var error = python.StandardError.ReadToEndAsync(stop);
        var output = await python.StandardOutput.ReadToEndAsync(stop);
        await python.WaitForExitAsync(stop);
        if (python.ExitCode == 3) Assert.Fail(Install);
        Assert.True(python.ExitCode == 0, await error);
        return JsonSerializer.Deserialize<JsonElement>(output);
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            Assert.Fail(Install);
            throw;
        }
    }
}
