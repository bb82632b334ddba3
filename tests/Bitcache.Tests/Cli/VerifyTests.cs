// `bitcache verify` as a process's user sees it: exit code 0 exactly when everything that was given holds.

using System.Text.Json;
using Bitcache.Tests.Api;
using Bitcache.Tests.Audit;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class VerifyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly SampleReceipt _receipt = new SampleReceipt().Make();

    public VerifyTests()
    {
        File.WriteAllBytes(Leaf, _receipt.Leaf);
        File.WriteAllText(Leaf + ".tlog-proof", _receipt.Proof);
        File.WriteAllBytes(Leaf + ".ots", _receipt.Timestamp);
        File.WriteAllText(InFolder("pins.json"), SampleReceipt.Pins.Write());
    }

    private string Leaf => InFolder("receipt.leaf");
    private string Header => Convert.ToHexStringLower(_receipt.Header);
    private string Height => _receipt.Height.ToString(System.Globalization.CultureInfo.InvariantCulture);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_receipt_with_its_header_holds()
    {
        var run = await CommandLineRun.OfAsync("verify", Leaf, "--pins", InFolder("pins.json"), "--header", Header, "--height", Height);

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("anchored: the statement is fixed in the Bitcoin block", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("FAILED", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("beside the file", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_header_is_found_in_a_file_by_its_height()
    {
        Write("headers.json", $$"""{"1":"00","{{Height}}":"{{Header}}"}""");

        Assert.Equal(0, (await CommandLineRun.OfAsync("verify", Leaf, "--headers", InFolder("headers.json"))).ExitCode);
    }

    [Fact]
    public async Task Without_a_header_it_says_what_was_not_checked()
    {
        var run = await CommandLineRun.OfAsync("verify", Leaf);

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("not checked  no block header was given", run.Output, StringComparison.Ordinal);
        Assert.Contains("not checked  the pins are those beside the file", run.Output, StringComparison.Ordinal);
        Assert.Contains("logged: the operator signed", run.Output, StringComparison.Ordinal);
        Assert.Contains("give --node URL --cookie FILE, or --header (`bitcoin-cli getblockheader HASH false`) and --height", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_named()
    {
        var run = await CommandLineRun.OfAsync("verify", "/nope.leaf");

        Assert.Equal((1, "bitcache: there is no file /nope.leaf"), (run.ExitCode, run.Error.TrimEnd()));
    }

    [Fact]
    public async Task The_key_alone_leaves_the_history_unchecked()
    {
        var run = await CommandLineRun.OfAsync("verify", Leaf, "--vkey", SampleReceipt.Pins.Key.ToString(), "--header", Header, "--height", Height);

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("not checked  no pins were given", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task As_json_every_step_is_there()
    {
        var run = await CommandLineRun.OfAsync("verify", Leaf, "--header", Header, "--height", Height, "--json");

        using var json = JsonDocument.Parse(run.Output);
        Assert.True(json.RootElement.GetProperty("holds").GetBoolean());
        Assert.Equal("anchored", json.RootElement.GetProperty("verdict").GetString());
        Assert.Contains(json.RootElement.GetProperty("steps").EnumerateArray(), s => s.GetProperty("outcome").GetString() == "ok");
    }

    [Theory]
    [InlineData("receipt.leaf")]
    [InlineData("receipt.leaf.tlog-proof")]
    [InlineData("receipt.leaf.ots")]
    public async Task One_damaged_byte_fails(string file)
    {
        Damage(file);

        var run = await CommandLineRun.OfAsync("verify", Leaf, "--header", Header, "--height", Height);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("FAILED", run.Output, StringComparison.Ordinal);
        Assert.Contains("INVALID", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_pins_of_another_log_fail()
    {
        var other = SampleReceipt.Pins with { AnchorScript = [0x51, .. new byte[33]] };
        Write("other.json", other.Write());

        Assert.Equal(1, (await CommandLineRun.OfAsync("verify", Leaf, "--pins", InFolder("other.json"))).ExitCode);
    }

    [Fact]
    public async Task A_header_of_another_block_or_height_fails()
    {
        var other = Convert.ToHexStringLower(SampleReceipt.Mine(_receipt.LeafHash));

        Assert.Equal(1, (await CommandLineRun.OfAsync("verify", Leaf, "--header", other, "--height", Height)).ExitCode);
        Assert.Equal(1, (await CommandLineRun.OfAsync("verify", Leaf, "--header", Header, "--height", "5")).ExitCode);
    }

    [Fact]
    public async Task A_header_that_cannot_be_used_is_no_success()
    {
        File.Delete(Leaf + ".ots");
        var unused = await CommandLineRun.OfAsync("verify", Leaf, "--header", Header, "--height", Height);

        Assert.Equal(1, unused.ExitCode);
        Assert.Contains("a header was given, but there is no", unused.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await CommandLineRun.OfAsync("verify", Leaf)).ExitCode);
    }

    [Fact]
    public async Task A_headers_file_without_the_height_fails()
    {
        Write("headers.json", "{}");
        var run = await CommandLineRun.OfAsync("verify", Leaf, "--headers", InFolder("headers.json"));

        Assert.Equal(1, run.ExitCode);
        Assert.Contains($"has no header of block {Height}", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("receipt.leaf")]
    [InlineData("receipt.leaf.tlog-proof")]
    [InlineData("pins.json")]
    public async Task A_missing_file_is_named(string file)
    {
        File.Delete(InFolder(file));
        var run = await CommandLineRun.OfAsync("verify", Leaf);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains(file, run.Error, StringComparison.Ordinal);
    }

    private void Write(string name, string text) => File.WriteAllText(InFolder(name), text);

    private void Damage(string name)
    {
        var bytes = File.ReadAllBytes(InFolder(name));
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(InFolder(name), bytes);
    }

    private string InFolder(string name) => Path.Combine(_folder.Path, name);
}
