// The published tree, read in another language with nothing but its standard library, after the format of BitMEX's proof of
// liabilities and not after our code.

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Tests.Audit.Liabilities;

namespace Bitcache.IntegrationTests.Audit;

[Trait("suite", "node")]
public sealed class LiabilitiesPeerTests : IDisposable
{
    /// <summary>Checks the whole tree and prints its root, its sum, and what each account (number and key in hex) finds in it;
    /// then, after changing bytes of it alone, where that went unnoticed.</summary>
    private const string Script = """
        import hashlib, hmac, json, struct, sys

        def le64(number):
            return struct.pack("<Q", number)

        def read(text):
            lines = text.split("\n")
            label, height = lines[0].split(":")
            assert label == "block_height" and lines[-1] == ""
            nodes = [(bytes.fromhex(digest), int(value)) for digest, value in (line.split(",") for line in lines[1:-1])]
            rows, first = [], 0
            while first < len(nodes):
                rows.append(nodes[first:2 * first + 1])
                first = 2 * first + 1
            assert first == len(nodes)
            for above, below in zip(rows, rows[1:]):
                for node, (left, right) in zip(above, zip(below[::2], below[1::2])):
                    digest = hashlib.sha256(left[0] + le64(left[1]) + right[0] + le64(right[1])).digest()
                    assert node == (digest, left[1] + right[1])
            return int(height), rows

        def balances(height, leaves, accounts):
            found = []
            for number, key in accounts:
                nonce = hashlib.sha256(bytes.fromhex(key) + le64(height) + le64(int(number))).digest()
                found.append(sum(value for place, (digest, value) in enumerate(leaves)
                                 if hmac.digest(nonce, le64(value) + le64(place), "sha256") == digest))
            return found

        text = open(sys.argv[1]).read()
        accounts = [account.split(":") for account in sys.argv[2:]]

        def told(text):
            height, rows = read(text)
            root, total = rows[0][0]
            return root.hex(), total, balances(height, rows[-1], accounts)

        whole = told(text)
        unnoticed = []
        for place in range(0, len(text), max(1, len(text) // 500)):
            changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1:]
            try:
                if told(changed) == whole:
                    unnoticed.append(place)
            except (AssertionError, ValueError, struct.error):
                pass
        print(json.dumps({"root": whole[0], "total": whole[1], "balances": whole[2], "unnoticed": unnoticed}))
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-liabilities-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Every_account_finds_its_balance_and_no_changed_byte_goes_unnoticed()
    {
        foreach (var balances in new[] { SampleBalances.Few, SampleBalances.Tiny, SampleBalances.Whale })
        {
            var tree = SampleBalances.Tree(balances);
            var wallets = balances.Keys.Take(10).Append(SampleBalances.Wallet(1_000_000)).ToArray();
            var answer = await AskAsync(tree, wallets);

            Assert.Equal((tree.Root.ToString(), tree.Total.Value), (answer.GetProperty("root").GetString(), answer.GetProperty("total").GetInt64()));
            Assert.Equal(wallets.Select(wallet => balances.GetValueOrDefault(wallet)), answer.GetProperty("balances").EnumerateArray().Select(b => b.GetInt64()));
            Assert.Empty(answer.GetProperty("unnoticed").EnumerateArray());
        }
    }

    private async Task<JsonElement> AskAsync(LiabilityTree tree, WalletId[] wallets)
    {
        var stop = TestContext.Current.CancellationToken;
        var path = Path.Combine(_folder.FullName, "liabilities.csv");
        await File.WriteAllBytesAsync(path, SampleBalances.Bytes(tree.WriteCsv), stop);
        var start = new ProcessStartInfo("/usr/bin/python3") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { "-c", Script, path }) start.ArgumentList.Add(argument);
        foreach (var wallet in wallets)
            start.ArgumentList.Add(string.Create(CultureInfo.InvariantCulture, $"{LiabilitySeed.AccountNumber(wallet)}:{SampleBalances.Seed.AccountKey(wallet)}"));

        using var python = Process.Start(start)!;
        var error = python.StandardError.ReadToEndAsync(stop);
        var output = await python.StandardOutput.ReadToEndAsync(stop);
        await python.WaitForExitAsync(stop);
        Assert.True(python.ExitCode == 0, await error);
        return JsonSerializer.Deserialize<JsonElement>(output);
    }
}
