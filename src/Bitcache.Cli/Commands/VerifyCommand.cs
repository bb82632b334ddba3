// `bitcache verify`: a receipt, a balance or the statement of an epoch against what the auditor brings along, without the server.

using System.CommandLine;
using System.Text.Json;
using Bitcache.Cli.Verify;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Cli.Commands;

internal static class VerifyCommand
{
    private static readonly Argument<FileInfo> Leaf = new("file")
    {
        Description = "The receipt, the balance or an epoch's close.leaf; x.leaf.tlog-proof and x.leaf.ots are found beside x.leaf.",
    };

    private static readonly Option<FileInfo> PinsFile = new("--pins")
    {
        Description = "The log's pins, as you wrote them down; without it, and without --vkey, pins.json beside the file, or at the top of its export.",
        HelpName = "file",
    };

    private static readonly Option<string> Vkey = new("--vkey") { Description = "The log's verifier key alone, instead of pins." };
    private static readonly Option<string> Header = new("--header") { Description = "The block's header in hex; with --height.", HelpName = "hex" };
    private static readonly Option<int?> Height = new("--height") { Description = "The height of the block whose header is given." };
    private static readonly Option<FileInfo> Headers = new("--headers") { Description = "A JSON file of heights and headers in hex.", HelpName = "file" };
    private static readonly Option<Uri> Node = Inputs.Url("--node", "The RPC address of a node that you trust; with --cookie.");
    private static readonly Option<FileInfo> Cookie = new("--cookie") { Description = "That node's .cookie file.", HelpName = "file" };
    private static readonly Option<WalletId?> Wallet = Inputs.OptionalWallet("Whose balance it must be; with --key.");
    private static readonly Option<Hash256?> Key = Inputs.Hash("--key", "The wallet's key, which its owner got once: the leaf is computed from it; with --wallet.");
    private static readonly Option<bool> AsJson = new("--json") { Description = "Print the result as one JSON object." };

    public static Command Create()
    {
        var command = new Command("verify", "Check a receipt, a balance or the close of an epoch offline. Exit code 0 only if everything that was given holds.")
        {
            Leaf, PinsFile, Vkey, Header, Height, Headers, Node, Cookie, Wallet, Key, AsJson,
        };
        command.Validators.Add(result =>
        {
            bool Has(Option option) => result.GetResult(option) is not null;
            if (Has(PinsFile) && Has(Vkey)) result.AddError("Give --pins or --vkey, not both.");
            if (result.GetValue(Vkey) is { } vkey && !VerifierKey.TryParse(vkey, out _)) result.AddError("--vkey is no verifier key (name+hash+base64).");
            if (Has(Header) != Has(Height)) result.AddError("--header and --height go together.");
            if (result.GetValue(Header) is { } hex && !HeaderSources.TryParseHeader(hex, out _)) result.AddError($"--header: {HeaderSources.HeaderForm}.");
            if (Has(Node) != Has(Cookie)) result.AddError("--node and --cookie go together.");
            if (Has(Wallet) != Has(Key)) result.AddError("--wallet and --key go together.");
            if (new[] { Has(Header), Has(Headers), Has(Node) }.Count(given => given) > 1) result.AddError("Give one of --header, --headers and --node.");
        });
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancel)
    {
        var output = parsed.InvocationConfiguration.Output;
        var leaf = parsed.GetRequiredValue(Leaf).FullName;
        if (!File.Exists(leaf)) throw new CommandFailedException($"there is no file {leaf}");
        var (trusted, unchecked_) = Trust(parsed, leaf);
        if (parsed.GetValue(Wallet) is { } wallet && parsed.GetValue(Key) is { } key) trusted = trusted with { Owner = new BalanceOwner(wallet, key) };
        var receipt = await ReceiptCheck.RunAsync(leaf, trusted, cancel);
        if (unchecked_ is not null && receipt.Verdict != ReceiptVerdict.Invalid)
            receipt = receipt with { Steps = [.. receipt.Steps, new ReceiptStep(StepOutcome.NotChecked, unchecked_)] };
        if (parsed.GetValue(AsJson)) output.WriteLine(ToJson(receipt));
        else Write(receipt, CanBeAnchored(leaf, trusted), headerSource: parsed.GetValue(Node) is null ? "was given" : "the node gave", output);
        return receipt.Holds ? ExitCode.Done : ExitCode.Failed;
    }

    /// <summary>What is trusted, and a note where that came with the receipt itself.</summary>
    private static (Trusted, string? NotChecked) Trust(ParseResult parsed, string leaf)
    {
        if (parsed.GetValue(Vkey) is { } text && VerifierKey.TryParse(text, out var key))
            return (new Trusted(key, null, Source(parsed, null)), null);
        var named = parsed.GetValue(PinsFile)?.FullName;
        var from = named ?? ReceiptFolder.PinsBeside(leaf);
        var pins = ReadPins(from);
        return (
            new Trusted(pins.Key, pins, Source(parsed, pins.Network)) { Rotations = ReceiptCheck.ReadRotations(from) ?? "" },
            named is null ? $"the pins are those beside the file: compare them with the ones that you wrote down ({pins.Key})" : null);
    }

    private static Pins ReadPins(string path)
    {
        try
        {
            if (Pins.TryParse(File.ReadAllText(path), out var pins, out var refusal)) return pins;
            throw new CommandFailedException($"{path} cannot be used: {refusal}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the pins cannot be read: {e.Message}");
        }
    }

    private static HeaderSource? Source(ParseResult parsed, BitcoinNetwork? network)
    {
        if (parsed.GetValue(Header) is { } hex) return HeaderSources.Given(Convert.FromHexString(hex), parsed.GetValue(Height)!.Value);
        if (parsed.GetValue(Headers) is { } file) return HeaderSources.FromFile(file.FullName);
        if (parsed.GetValue(Node) is { } url)
            return HeaderSources.FromNode(url, RpcCredentials.FromCookie(parsed.GetValue(Cookie)!.FullName), network);
        return null;
    }

    /// <summary>Whether a header would have told more.</summary>
    private static bool CanBeAnchored(string leaf, Trusted trusted) => trusted.Header is null && File.Exists(ReceiptFolder.TimestampOf(leaf));

    private static void Write(CheckedReceipt receipt, bool canBeAnchored, string headerSource, TextWriter output)
    {
        if (receipt.Statement is not null) output.WriteLine(receipt.Statement);
        foreach (var step in receipt.Steps) output.WriteLine($"{Mark(step.Outcome),-13}{step.Text}");
        output.WriteLine(receipt.Verdict switch
        {
            ReceiptVerdict.Invalid => $"INVALID: trust nothing of this {Name(receipt.Kind)}",
            ReceiptVerdict.LoggedOnly => $"logged: the operator signed a log that holds {What(receipt.Kind)}; no block was checked",
            ReceiptVerdict.AnchoredInBlock => $"anchored: {What(receipt.Kind)} is fixed in the Bitcoin block whose header {headerSource}",
        });
        if (canBeAnchored && receipt.Verdict == ReceiptVerdict.LoggedOnly)
            output.WriteLine("to check the block, give --node URL --cookie FILE, or --header (`bitcoin-cli getblockheader HASH false`) and --height");
    }

    private static string Name(ProofKind kind) => kind switch
    {
        ProofKind.Receipt => "receipt",
        ProofKind.Balance => "balance",
        ProofKind.Epoch => "epoch",
    };

    private static string What(ProofKind kind) => kind switch
    {
        ProofKind.Receipt => "the statement",
        ProofKind.Balance => "the total that the balance is counted in",
        ProofKind.Epoch => "what was stated at the close of the epoch",
    };

    private static string Mark(StepOutcome outcome) => outcome switch
    {
        StepOutcome.Passed => "ok",
        StepOutcome.Failed => "FAILED",
        StepOutcome.NotChecked => "not checked",
    };

    private static string ToJson(CheckedReceipt receipt)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("kind", Name(receipt.Kind));
            json.WriteBoolean("holds", receipt.Holds);
            json.WriteString("verdict", receipt.Verdict switch
            {
                ReceiptVerdict.Invalid => "invalid",
                ReceiptVerdict.LoggedOnly => "logged",
                ReceiptVerdict.AnchoredInBlock => "anchored",
            });
            json.WriteString("statement", receipt.Statement);
            json.WriteStartArray("steps");
            foreach (var step in receipt.Steps)
            {
                json.WriteStartObject();
                json.WriteString("outcome", Mark(step.Outcome));
                json.WriteString("text", step.Text);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}
