// The commands that carry transactions to a signer and back. What a node makes of them is tested with a real one.

using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Api;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class SigningCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_waits_for_a_signer_is_listed_written_to_files_and_handed_back()
    {
        await using var api = new ApiFixture();
        await api.InitializeAsync();
        Assert.Empty(JsonElement.Parse(await RunAsync(api, "operator", "signing", "--json")).GetProperty("items").EnumerateArray());
        var transaction = FakeTransactions.Create([new OutPoint(default, 7)], [new TransactionOutput(new Sats(1_000), [0x51])]);
        var psbt = new ByteString(Convert.FromBase64String(FakePsbt.Write(transaction)));
        var partition = api.Engine.Partitions.First;
        await partition.SubmitAsync(new OpenFamily(1, Sats.Zero, null, []));
        await partition.SubmitAsync(new PrepareAttempt(1, 1, transaction.Txid, Sats.Zero, psbt));

        Assert.Contains(transaction.Txid.ToString(), await RunAsync(api, "operator", "signing", "--out", _folder.Path), StringComparison.Ordinal);
        var file = Path.Combine(_folder.Path, transaction.Txid + ".psbt");
        Assert.Equal(psbt, new ByteString(await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken)));
        // The node cannot be asked whether it is complete: nothing is taken.
        var refused = await CommandLineRun.OfAsync("operator", "signed", file, "--url", api.Address.ToString(), "--key", api.Admin, "--patience", "0");
        Assert.Contains("node_unavailable", refused.Error, StringComparison.Ordinal);

        await partition.SubmitAsync(new SignAttempt(1, 1, transaction.Txid, Sats.Zero, new ByteString(FakeTransactions.Sign(transaction)), 1));
        // In either form, however often.
        await File.WriteAllTextAsync(file + ".txt", FakePsbt.Write(transaction, isSigned: true) + "\n", TestContext.Current.CancellationToken);
        foreach (var signed in (string[])[file, file + ".txt"])
            Assert.Contains($"{transaction.Txid} is taken", await RunAsync(api, "operator", "signed", signed), StringComparison.Ordinal);
        Assert.DoesNotContain(transaction.Txid.ToString(), await RunAsync(api, "operator", "signing"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello", "is no PSBT")]
    [InlineData(null, "there is no file")]
    public async Task What_is_no_psbt_is_not_sent(string? content, string why)
    {
        var file = Path.Combine(_folder.Path, "some.psbt");
        if (content is not null) await File.WriteAllTextAsync(file, content, TestContext.Current.CancellationToken);
        var run = await CommandLineRun.OfAsync("operator", "signed", file, "--url", "http://127.0.0.1:1", "--key", "bck_test_x");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(why, run.Error, StringComparison.Ordinal);
    }

    private static async Task<string> RunAsync(ApiFixture api, params string[] args)
    {
        var run = await CommandLineRun.OfAsync([.. args, "--url", api.Address.ToString(), "--key", api.Admin]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', args)}: {run.Error}");
        return run.Output;
    }
}
