// What is typed wrong is refused with exit code 2 and a reason, before anything is sent or opened.

using Bitcache.Cli.Commands;
using Bitcache.Core;
using Bitcache.Server.Settings;
using Bitcache.Tests.Api;
using Command = System.CommandLine.Command;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class CommandLineTests
{
    private static readonly string Wallet = new WalletId((UInt128)7 << 100).ToString();
    private static readonly string Other = new WalletId((UInt128)8 << 100).ToString();

    [Theory]
    [InlineData("0.001Bits", 100L)]
    [InlineData("0.25 Bits", 25_000L)]
    [InlineData("1bit", 100_000L)]
    [InlineData("3sat", 3_000L)]
    [InlineData("250msat", 250L)]
    [InlineData("0.00000000001 BTC", 1L)]
    [InlineData("1.5", null)]
    [InlineData("0.000001Bits", null)]
    [InlineData("-1sat", null)]
    [InlineData("1e3msat", null)]
    [InlineData("5 EUR", null)]
    [InlineData("22000000BTC", null)]
    public void Amounts_are_read_with_their_unit_or_refused(string text, long? msat)
    {
        var amount = Inputs.Amount();
        var parsed = new Command("pay", "") { amount }.Parse([text]);

        if (msat is { } expected) Assert.Equal(new Msat(expected), parsed.GetValue(amount));
        else Assert.Contains(parsed.Errors, e => e.Message.Contains("is no amount", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("max", null)]
    [InlineData("100Bits", 10_000L)]
    [InlineData("546sat", 546L)]
    [InlineData("1000msat", 1L)]
    public void A_withdrawal_is_whole_satoshis_or_all(string text, long? sat)
    {
        var amount = Inputs.SatsOrMax();
        var parsed = new Command("withdraw", "") { amount }.Parse([text]);

        Assert.Empty(parsed.Errors);
        Assert.Equal(sat, parsed.GetValue(amount)!.Amount?.Value);
    }

    [Fact]
    public void A_part_of_a_satoshi_cannot_be_withdrawn() => Assert.Contains(
        new Command("withdraw", "") { Inputs.SatsOrMax() }.Parse(["1500msat"]).Errors,
        e => e.Message.Contains("not a whole number of satoshis", StringComparison.Ordinal));

    [Theory]
    [InlineData("", null)]
    [InlineData("--seed 7", null)]
    [InlineData("--seed 7 --steps 1", null)]
    [InlineData("--forever", null)]
    [InlineData("--steps 0", "--steps is at least 1.")]
    [InlineData("--forever --steps 5", "Give --steps or --forever, not both.")]
    public void A_simulation_takes_a_number_of_steps_or_none(string line, string? error) => Assert.Equal(
        error is null ? [] : [error], SimulateCommand.Create().Parse(line).Errors.Select(e => e.Message));

    [Fact]
    public void An_id_that_is_given_is_kept_for_the_retry()
    {
        const string Text = "01a1fd3a-86fa-7b53-a82d-53b919fa5493";
        var id = Inputs.Id();
        var parsed = new Command("pay", "") { id }.Parse(["--id", Text]);

        Assert.Equal(Text, parsed.GetValue(id)?.ToString());
    }

    public static TheoryData<string, string[]> Refusals => new()
    {
        { "was not provided", [] },
        { "is no wallet's name", ["balance", Wallet[..^1]] },
        { "Required argument 'wallet' missing", ["balance"] },
        { "is no amount", ["pay", Wallet, Other, "1"] },
        { "must be more than 0", ["pay", Wallet, Other, "0"] },
        { "must be more than 0", ["pay", Wallet, Other, "0.00Bits"] },
        { "must be more than 0", ["withdraw", Wallet, "bcrt1q", "0sat"] },
        { "there is no command 'nonsense'", ["nonsense"] },
        { "there is no command 'nonsense'", ["nonsense", "--help"] },
        { "there is no command 'nonsense'", ["epoch", "nonsense"] },
        { "80 bytes in hex", ["verify", "x.leaf", "--header", "00", "--height", "1"] },
        { "is no part of a split", ["split", Wallet, Other] },
        { "is no part of a split", ["split", Wallet, Other[..^1] + "=1sat"] },
        { "is no amount", ["split", Wallet, Other + "=1"] },
        { "was not provided", ["hold"] },
        { "is no time that a hold may be open", ["hold", "place", Wallet, Other, "1sat", "--for", "1"] },
        { "is no time that a hold may be open", ["hold", "place", Wallet, Other, "1sat", "--for", "32d"] },
        { "is no time that a hold may be open", ["hold", "place", Wallet, Other, "1sat", "--for", "0s"] },
        { "is no UUID of version 7", ["hold", "release", Wallet, Other, "x"] },
        { "is no UUID of version 7", ["refund", Wallet, Other, "x", "1sat"] },
        { "is no amount", ["wallet", "limits", Wallet, "--per-day", "5"] },
        { "give limits or --none, not both", ["wallet", "limits", Wallet, "--per-day", "5sat", "--none"] },
        { "--ppm must lie between", ["fees", "set", "shop", "--ppm", "1000001"] },
        { "is no UUID of version 7", ["pay", Wallet, Other, "1sat", "--id", Guid.Empty.ToString()] },
        { "is no http or https address", ["health", "--url", "ftp://127.0.0.1"] },
        { "a character that no key has", ["health", "--key", "bck_test_a\nbck_test_b"] },
        { "key file cannot be read", ["health", "--key-file", "/nonexistent/key"] },
        { "--header and --height go together", ["verify", "x.leaf", "--header", "00"] },
        { "--node and --cookie go together", ["verify", "x.leaf", "--node", "http://127.0.0.1:1"] },
        { "Give one of --header, --headers and --node", ["verify", "x.leaf", "--header", "00", "--height", "1", "--headers", "x.json"] },
        { "Give --pins or --vkey", ["verify", "x.leaf", "--pins", "x.json", "--vkey", "x"] },
        { "--vkey is no verifier key", ["verify", "x.leaf", "--vkey", "x"] },
        { "--payments must lie between", ["demo", "--payments", "0"] },
        { "--scopes must be some of", ["key", "create", "--data", "/", "--tenant", "operator", "--scopes", "read,root", "--label", "x"] },
        { "does not exist", ["key", "list", "--data", "/nonexistent/folder"] },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task What_is_typed_wrong_is_refused_with_a_reason(string reason, string[] args)
    {
        var run = await CommandLineRun.OfAsync(args);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_first_key_makes_the_data_folder_for_its_owner_alone()
    {
        using var folder = new TemporaryFolder();
        var data = folder.File("data");
        var run = await CommandLineRun.OfAsync("key", "create", "--data", data, "--tenant", "operator", "--scopes", "admin,audit", "--label", "me");

        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith("bck_test_", run.Output, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(data));
    }

    [Fact]
    public async Task Exit_codes_of_the_server_stand_in_its_own_help_only()
    {
        Assert.Contains("134", (await CommandLineRun.OfAsync("serve", "--help")).Output, StringComparison.Ordinal);
        Assert.DoesNotContain("134", (await CommandLineRun.OfAsync("--help")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_made_id_is_a_uuid_of_version_7()
    {
        var run = await CommandLineRun.OfAsync("id");

        Assert.Equal(0, run.ExitCode);
        Assert.True(OperationId.TryParse(run.Output.TrimEnd(), out _), run.Output);
    }

    [Fact]
    public async Task Settings_are_refused_all_at_once()
    {
        var run = await CommandLineRun.OfAsync("serve", "--node-timeout", "5", "--finality-depth", "many");

        Assert.Equal(2, run.ExitCode);
        Assert.All(
            ["nodeTimeout is '5'", "finalityDepth is 'many'", "dataFolder is empty", "origin must be given"],
            problem => Assert.Contains(problem, run.Error, StringComparison.Ordinal));
    }

    [Fact]
    public void The_example_of_the_settings_can_be_used()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Bitcache.sln"))) folder = folder.Parent!;

        var settings = SettingsFile.Load(Path.Combine(folder.FullName, "ops", "bitcache.example.json"), []);

        Assert.Equal("ledger.example.org/log", settings.Engine.Origin);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_named_and_nothing_is_waited_for()
    {
        // Port 1 of the own machine: nothing listens there.
        var run = await CommandLineRun.OfAsync("balance", Wallet, "--url", "http://127.0.0.1:1", "--key", "k");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("no connection to http://127.0.0.1:1/", run.Error, StringComparison.Ordinal);
    }
}
