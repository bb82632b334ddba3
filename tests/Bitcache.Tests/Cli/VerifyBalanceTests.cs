// `bitcache verify` for balances and for what was stated at the close of an epoch.

using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Tests.Api;
using Bitcache.Tests.Audit;
using Bitcache.Tests.Audit.Auditor;
using Bitcache.Tests.Audit.Liabilities;
using Bitcache.Tests.Bitcoin;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class VerifyBalanceTests : IDisposable
{
    private static readonly byte[] Withdrawals = "txid,vout,sats,script\n"u8.ToArray();
    private static readonly SampleKey Key = new("the coins' key");
    private static readonly ReservesFile Coins = SampleProof.Reserves(SampleReceipt.Pins.Origin, Key.TaprootScript, Key.KeyHashScript);
    private static readonly byte[] Reserves = Coins.Write();

    private static readonly SampleBalance Sample = new SampleBalance
    {
        Stating = s => s with { WithdrawalsHash = Hash256.Read(SHA256.HashData(Withdrawals)), ReservesHash = Hash256.Read(SHA256.HashData(Reserves)) },
    }.Make();

    private readonly TemporaryFolder _folder = new();

    public VerifyBalanceTests()
    {
        Write("balance.leaf", Sample.Proof.ToFile());
        Write("balance.leaf.ots", Sample.Timestamp);
        Write("close.leaf", Sample.Close.Leaf);
        Write("close.leaf.ots", Sample.Close.Timestamp);
        foreach (var name in new[] { "balance", "close" }) File.WriteAllText(InFolder(name + ".leaf.tlog-proof"), Sample.Close.Proof);
        Write("pins.json", System.Text.Encoding.UTF8.GetBytes(SampleReceipt.Pins.Write()));
        Write("liabilities.csv", SampleBalances.Bytes(Sample.Tree.WriteCsv));
        Write("withdrawals.csv", Withdrawals);
        Write("reserves.json", Reserves);
        Write("reserves.psbt", SampleProof.Make(Coins, (hashes, input, coin) => SampleProof.SignBy(Key, hashes, input, coin)));
    }

    private static string[] Header => ["--header", Convert.ToHexStringLower(Sample.Close.Header), "--height", Sample.Close.Height.ToString(CultureInfo.InvariantCulture)];
    private static string[] Owner => ["--wallet", Sample.Wallet.ToString(), "--key", Sample.Owner.AccountKey.ToString()];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_balance_holds_for_its_owner()
    {
        var run = await VerifyAsync("balance", [.. Header, .. Owner]);

        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith($"at the close of epoch 3 the operator owed {Amounts.Format(Sample.Proof.Value, MoneyUnit.Bits)} of 1.0778 Bits in all\n", run.Output, StringComparison.Ordinal);
        Assert.Contains($"the leaf is what follows from the key of {Sample.Wallet}", run.Output, StringComparison.Ordinal);
        Assert.Contains("anchored: the total that the balance is counted in is fixed in the Bitcoin block", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_owner_or_header_it_says_what_was_not_checked()
    {
        var run = await VerifyAsync("balance", []);

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("not checked  whose balance this is", run.Output, StringComparison.Ordinal);
        Assert.Contains("not checked  no block header was given", run.Output, StringComparison.Ordinal);
        Assert.Contains("logged: the operator signed a log that holds the total", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_balance_of_somebody_else_fails()
    {
        var other = SampleBalances.Wallet(1);
        var run = await VerifyAsync("balance", ["--wallet", other.ToString(), "--key", SampleBalances.Seed.AccountKey(other).ToString()]);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains($"FAILED       the leaf does not follow from the key of {other}", run.Output, StringComparison.Ordinal);
        Assert.Contains("INVALID: trust nothing of this balance", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wallet_and_key_are_given_together_and_for_a_balance()
    {
        Assert.NotEqual(0, (await VerifyAsync("balance", Owner[..2])).ExitCode);
        Assert.NotEqual(0, (await VerifyAsync("balance", Owner[2..])).ExitCode);
        Assert.NotEqual(0, (await VerifyAsync("balance", [.. Owner[..3], "00"])).ExitCode);
        var run = await VerifyAsync("close", Owner);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("is no balance", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_balance_needs_its_timestamp()
    {
        File.Delete(InFolder("balance.leaf.ots"));
        var run = await VerifyAsync("balance", []);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("a balance's way to the published total", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("balance.leaf")]
    [InlineData("balance.leaf.ots")]
    [InlineData("balance.leaf.tlog-proof")]
    [InlineData("close.leaf")]
    [InlineData("close.leaf.ots")]
    [InlineData("close.leaf.tlog-proof")]
    [InlineData("liabilities.csv")]
    [InlineData("withdrawals.csv")]
    [InlineData("reserves.json")]
    [InlineData("reserves.psbt")]
    public async Task One_damaged_byte_fails(string file)
    {
        var bytes = await File.ReadAllBytesAsync(InFolder(file), TestContext.Current.CancellationToken);
        bytes[bytes.Length / 2] ^= 1;
        Write(file, bytes);

        var run = await VerifyAsync(file.StartsWith("balance", StringComparison.Ordinal) ? "balance" : "close", Header);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("FAILED", run.Output, StringComparison.Ordinal);
        Assert.Contains("INVALID", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("owed", run.Output.Split('\n')[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_close_of_an_epoch_holds_with_its_files()
    {
        var run = await VerifyAsync("close", Header);

        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith("entry 77 of 2025-06-15T15:06:40.000Z: epoch 3 was closed at block 840000 ", run.Output, StringComparison.Ordinal);
        Assert.Contains($"1.0778 Bits are owed under root {Sample.Tree.Root}", run.Output, StringComparison.Ordinal);
        Assert.Contains("ok           liabilities.csv has 8 leaves", run.Output, StringComparison.Ordinal);
        Assert.Contains("ok           withdrawals.csv is the file", run.Output, StringComparison.Ordinal);
        Assert.Contains("ok           reserves.json is the file", run.Output, StringComparison.Ordinal);
        Assert.Contains("ok           reserves.psbt is signed by the keys of 2 of 2 coins", run.Output, StringComparison.Ordinal);
        Assert.Contains("anchored: what was stated at the close of the epoch is fixed", run.Output, StringComparison.Ordinal);

        File.Delete(InFolder("liabilities.csv"));
        run = await VerifyAsync("close", [.. Header, "--json"]);
        using var json = JsonDocument.Parse(run.Output);
        Assert.Equal(("epoch", true), (json.RootElement.GetProperty("kind").GetString(), json.RootElement.GetProperty("holds").GetBoolean()));
        Assert.Contains(json.RootElement.GetProperty("steps").EnumerateArray(), s => s.GetProperty("text").GetString() == "liabilities.csv is not beside the statement");
    }

    [Fact]
    public async Task A_tree_of_other_balances_is_not_the_stated_one()
    {
        Write("liabilities.csv", SampleBalances.Bytes(SampleBalances.Tree(SampleBalances.Tiny).WriteCsv));
        var run = await VerifyAsync("close", Header);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("FAILED       liabilities.csv is another tree", run.Output, StringComparison.Ordinal);
    }

    private Task<CommandLineRun> VerifyAsync(string name, string[] more) => CommandLineRun.OfAsync(["verify", InFolder(name + ".leaf"), .. more]);

    private void Write(string name, byte[] bytes) => File.WriteAllBytes(InFolder(name), bytes);

    private string InFolder(string name) => Path.Combine(_folder.Path, name);
}
