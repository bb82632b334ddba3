// What a demo run leaves in its folder, held by programs that nobody here wrote, and by our own verifier; none of them takes it
// with one byte changed.

using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Bitcoin;
using Bitcache.IntegrationTests.Audit;

namespace Bitcache.IntegrationTests.Demo;

internal sealed class DemoExportChecks(string folder)
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "bitcache");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private string Open => Path.Combine(folder, "export");

    /// <summary>Everything with a proof: what was paid, what is owed, what was stated.</summary>
    private IEnumerable<string> Leaves => ((string[])["receipts", "balances", "export"])
        .SelectMany(part => Directory.EnumerateFiles(Path.Combine(folder, part), "*.leaf", SearchOption.AllDirectories));

    /// <summary>The reference implementation of OpenTimestamps comes from each leaf to a block that the demo's node had.</summary>
    public async Task TimestampsLeadToBlocksAsync(string scratch)
    {
        using var headers = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(folder, "headers.json"), Cancel));
        Assert.Equal(["balances", "export", "receipts"], Leaves.Select(leaf => Path.GetRelativePath(folder, leaf).Split('/')[0]).Distinct().Order());
        foreach (var leaf in Leaves)
        {
            var (bytes, timestamp) = (await File.ReadAllBytesAsync(leaf, Cancel), await File.ReadAllBytesAsync(leaf + ".ots", Cancel));
            Assert.True(OpenTimestamps.TryParse(timestamp, out var proof, out var refusal), refusal);
            var header = Convert.FromHexString(headers.RootElement.GetProperty(proof.Height.ToString(CultureInfo.InvariantCulture)).GetString()!);
            var answer = await OpenTimestampsPeer.AskAsync(scratch, bytes, timestamp, header);
            Assert.Equal(proof.Height, answer.GetProperty("height").GetInt64());
            Assert.Empty(answer.GetProperty("unnoticed").EnumerateArray());
        }
    }

    /// <summary>A reader of signed notes and tiled logs finds all receipts in the log.</summary>
    public async Task TheLogIsReadByAStrangerAsync(string scratch)
    {
        var peer = await LogPeer.BuildAsync(scratch);
        var receipts = Directory.GetFiles(Path.Combine(folder, "receipts"), "*.leaf");
        var vkey = Path.Combine(Open, "vkey");
        Assert.True((await peer.AskAsync(Open, vkey, receipts)).Size > 300);
        foreach (var file in (string[])[Path.Combine(Open, "checkpoint"), Path.Combine(Open, "tile/0/000"), receipts[0], receipts[0] + ".tlog-proof", vkey])
        {
            await using var changed = await ChangedFile.ChangeAsync(file);
            Assert.Equal(1, (await peer.AskAsync(Open, vkey, receipts)).ExitCode);
        }
    }

    /// <summary>Our own verifier takes each leaf offline.</summary>
    public async Task EachProofIsVerifiedAsync()
    {
        foreach (var leaf in Leaves)
        {
            Assert.Equal(0, (await VerifyAsync(leaf)).ExitCode);
            await using var changed = await ChangedFile.ChangeAsync(leaf);
            Assert.NotEqual(0, (await VerifyAsync(leaf)).ExitCode);
        }
    }

    /// <summary>No wallet, in whatever spelling, and no entry is in what everybody gets, but the statements about epochs.</summary>
    public void NobodysAffairsAreInWhatEverybodyGets()
    {
        var wallets = new HashSet<WalletId>();
        var entries = new List<byte[]>();
        foreach (var bundle in Directory.EnumerateFiles(Path.Combine(folder, "auditor", "tile", "entries"), "*", SearchOption.AllDirectories))
        {
            var bytes = File.ReadAllBytes(bundle);
            for (var at = 0; at < bytes.Length;)
            {
                var length = (bytes[at] << 8) | bytes[at + 1];
                entries.Add(bytes[(at + 2)..(at + 2 + length)]);
                at += 2 + length;
                if (Entry.ReadStatement(entries[^1]).Command is CreateWallet made) wallets.Add(made.Wallet);
            }
        }
        Assert.True(wallets.Count >= 2 && entries.Count > 300);
        var statements = entries.Where(e => Entry.ReadStatement(e).Command is not StateEpoch).ToArray();
        foreach (var file in Directory.EnumerateFiles(Open, "*", SearchOption.AllDirectories))
        {
            Assert.DoesNotContain("entries", Path.GetRelativePath(Open, file).Split('/'));
            var bytes = File.ReadAllBytes(file);
            foreach (var wallet in wallets)
            {
                var raw = new byte[WalletId.Bytes];
                wallet.Write(raw);
                foreach (var spelling in (byte[][])[raw, Encoding.ASCII.GetBytes(wallet.ToString()), Encoding.ASCII.GetBytes(Convert.ToHexStringLower(raw))])
                    Assert.True(bytes.AsSpan().IndexOf(spelling) < 0, $"{file} tells of {wallet}");
            }
            // The salt is the entry's own, and nobody can guess it.
            foreach (var entry in statements) Assert.True(bytes.AsSpan().IndexOf(entry.AsSpan(entry.Length - 16)) < 0, $"{file} has an entry's salt");
        }
    }

    /// <summary>The demo's node is gone, and with it the chain: any node judges the signatures over the reserves by what is printed
    /// for it, and none of the coins has to be there.</summary>
    public async Task ANodeFindsTheReservesProofGoodAsync(BitcoinRpc node)
    {
        var epoch = Path.Combine(Open, "epochs", "1");
        var lines = Lines(await RunAsync("reserves", "signatures", epoch));
        Assert.Equal(3, lines.Length);
        Task<bool> JudgeAsync(byte[] transaction) => node.CallAsync(
            null, "signrawtransactionwithkey", [Convert.ToHexStringLower(transaction), JsonNode.Parse(lines[1]), JsonNode.Parse(lines[2])], a => a.Get("complete").ToBool(), Cancel);
        var whole = Convert.FromHexString(lines[0]);
        Assert.True(await JudgeAsync(whole));
        // All coins are of taproot: the transaction ends with a count, a length and 64 bytes for each, and four of its lock time.
        var coins = JsonNode.Parse(lines[2])!.AsArray().Count - 1;
        Assert.InRange(coins, 2, 20);
        for (var coin = 0; coin < coins; coin++)
        {
            byte[] changed = [.. whole];
            changed[^(5 + (66 * coin))] ^= 1;
            Assert.False(await JudgeAsync(changed));
        }
        var scripts = JsonNode.Parse(Assert.Single(Lines(await RunAsync("reserves", "scripts", epoch))))!.AsArray();
        Assert.InRange(scripts.Count, 1, coins);
        Assert.All(scripts, script => Assert.Matches("^raw\\(5120[0-9a-f]{64}\\)$", script!.GetValue<string>()));

        Assert.Equal(0, (await RunAsync("audit", Open)).ExitCode);
        await using var proof = await ChangedFile.ChangeAsync(Path.Combine(epoch, ReservesProof.FileName));
        Assert.NotEqual(0, (await RunAsync("reserves", "signatures", epoch)).ExitCode);
        Assert.NotEqual(0, (await RunAsync("audit", Open)).ExitCode);
    }

    private static string[] Lines(PeerAnswer answer)
    {
        Assert.Equal(0, answer.ExitCode);
        return answer.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static Task<PeerAnswer> RunAsync(params string[] arguments) => LogPeer.RunAsync(new ProcessStartInfo(Program, arguments));

    private static Task<PeerAnswer> VerifyAsync(string leaf) => RunAsync("verify", leaf);

    /// <summary>A file with one byte changed, until it is let go.</summary>
    private sealed class ChangedFile : IAsyncDisposable
    {
        private readonly string _path;
        private readonly byte[] _whole;

        private ChangedFile(string path, byte[] whole) => (_path, _whole) = (path, whole);

        public static async Task<ChangedFile> ChangeAsync(string path)
        {
            var file = new ChangedFile(path, await File.ReadAllBytesAsync(path, Cancel));
            byte[] changed = [.. file._whole];
            changed[changed.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(path, changed, Cancel);
            return file;
        }

        public async ValueTask DisposeAsync() => await File.WriteAllBytesAsync(_path, _whole, CancellationToken.None);
    }
}
