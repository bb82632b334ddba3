// `bitcache reserves`: what an auditor pipes into a node, from the files of an export.

using System.Text.Json.Nodes;
using Bitcache.Cli;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Tests.Api;
using Bitcache.Tests.Audit.Auditor;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class ReservesCommandTests : IDisposable
{
    private static readonly SampleOperator By = SampleOperator.Run(epochs: 2);
    private readonly TemporaryFolder _folder = new();

    private string Epoch => Path.Combine(_folder.Path, "epochs", "2");

    public ReservesCommandTests()
    {
        var export = SampleExport.Of(By).Open;
        Directory.CreateDirectory(Epoch);
        foreach (var (path, file) in export.Files.Where(f => f.Key.StartsWith("epochs/2/", StringComparison.Ordinal) || f.Key == AuditPaths.Pins))
            File.WriteAllBytes(Path.Combine(_folder.Path, path), file);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_scripts_of_the_coins_are_one_argument_of_a_scan()
    {
        var run = await CommandLineRun.OfAsync("reserves", "scripts", Epoch);
        Assert.Equal((ExitCode.Done, ""), (run.ExitCode, run.Error));
        var scripts = JsonNode.Parse(Assert.Single(Lines(run)))!.AsArray().Select(s => s!.GetValue<string>());
        Assert.Equal(Reserves().Coins.Select(c => $"raw({c.Script})").Distinct(), scripts);
    }

    [Fact]
    public async Task The_proof_is_the_three_arguments_of_a_check_without_keys()
    {
        var run = await CommandLineRun.OfAsync("reserves", "signatures", Epoch);
        var lines = Lines(run);
        Assert.Equal((ExitCode.Done, 3, "[]"), (run.ExitCode, lines.Length, lines[1]));
        Assert.True(BitcoinTransaction.TryParse(lines[0], out var transaction));
        var spent = JsonNode.Parse(lines[2])!.AsArray();
        Assert.Equal(transaction.Inputs.Select(i => i.Spent.ToString()), spent.Select(s => $"{s!["txid"]}:{s["vout"]}"));
        Assert.Equal("51", spent[0]!["scriptPubKey"]!.GetValue<string>());
        Assert.Equal(transaction.Outputs[0].Value.Value, spent.Sum(s => Amounts.TryParse(s!["amount"]!.GetValue<string>(), MoneyUnit.Btc, out var amount) ? amount.Value / 1_000 : 0));
    }

    [Fact]
    public async Task What_is_changed_or_missing_is_said()
    {
        var path = Path.Combine(Epoch, ReservesProof.FileName);
        var file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        file[^5] ^= 1;
        await File.WriteAllBytesAsync(path, file, TestContext.Current.CancellationToken);
        await ExpectAsync("is not one of its key over this transaction", "reserves", "signatures", Epoch);
        File.Delete(path);
        await ExpectAsync("reserves.psbt cannot be read", "reserves", "signatures", Epoch);
        // The message names the log: with another one's pins it is another file.
        var other = Path.Combine(_folder.Path, "other.json");
        var pins = SampleOperator.Pins(null) with { Key = VerifierKey.FromSeed("another.example/log", SampleOperator.KeySeed) };
        await File.WriteAllTextAsync(other, pins.Write(), TestContext.Current.CancellationToken);
        await ExpectAsync("is not written as its format says", "reserves", "scripts", Epoch, "--pins", other);
    }

    private static async Task ExpectAsync(string words, params string[] arguments)
    {
        var run = await CommandLineRun.OfAsync(arguments);
        Assert.Equal(ExitCode.Failed, run.ExitCode);
        Assert.Contains(words, run.Error, StringComparison.Ordinal);
    }

    private static string[] Lines(CommandLineRun run) => run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static ReservesFile Reserves() =>
        ReservesFile.TryParse(By.Epochs[1].Reserves, SampleOperator.Origin, out var reserves, out var refusal) ? reserves : throw new InvalidOperationException(refusal);
}
