// The reference implementation of OpenTimestamps, which nobody here wrote, asked about one of our files.

using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Bitcache.IntegrationTests.Audit;

internal static class OpenTimestampsPeer
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

    /// <summary>What the reference implementation makes of a file and its proof: height, root, time, and the places of
    /// the proof where a changed byte went unnoticed.</summary>
    public static async Task<JsonElement> AskAsync(string folder, byte[] leaf, byte[] timestamp, byte[] header)
    {
        var stop = TestContext.Current.CancellationToken;
        var start = new ProcessStartInfo("/usr/bin/python3") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Script);
        foreach (var (name, bytes) in new[] { ("receipt.leaf", leaf), ("receipt.leaf.ots", timestamp), ("header", header) })
        {
            var path = Path.Combine(folder, name);
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
