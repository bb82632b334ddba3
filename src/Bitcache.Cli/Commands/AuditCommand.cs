// `bitcache audit`: the auditor's own program. All checks are the core's; here are the files, the web and the node.

using System.CommandLine;
using Bitcache.Cli.Audit;
using Bitcache.Cli.Verify;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Commands;

internal static class AuditCommand
{
    /// <summary>A server may have to make a large file before it can send it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Longer than a server keeps an answer that anybody may ask for.</summary>
    private static readonly TimeSpan AnswerAgeMax = TimeSpan.FromSeconds(1.5);

    private static readonly Argument<string> Published = new("folder") { Description = "The public folder of an export, or the address where it is published." };

    private static readonly Option<FileInfo> PinsFile = new("--pins")
    {
        Description = "The log's pins, as you wrote them down; without it those that are published are taken.",
        HelpName = "file",
    };

    private static readonly Option<FileInfo> StateFile = new("--state")
    {
        Description = "What the last audit kept, and where this one keeps what it saw: the next one looks only at what is new.",
        HelpName = "file",
    };

    private static readonly Option<string> Entries = new("--entries")
    {
        Description = "The auditors' folder, or a server's address, with a key of the scope audit (--key-file, or BITCACHE_KEY): every entry is replayed, and every balance recomputed.",
        HelpName = "folder",
    };

    private static readonly Option<FileInfo> KeyFile = new("--key-file") { Description = "A file that holds the API key for --entries.", HelpName = "file" };
    private static readonly Option<DirectoryInfo> Receipts = new("--receipts") { Description = "A folder of receipts that are held: their checkpoints must be those of this log.", HelpName = "folder" };
    private static readonly Option<Uri> Node = Inputs.Url("--node", "The RPC address of a node that you trust; with --cookie.");
    private static readonly Option<FileInfo> Cookie = new("--cookie") { Description = "That node's .cookie file.", HelpName = "file" };
    private static readonly Option<bool> AsJson = new("--json") { Description = "Print the report as one JSON object." };

    public static Command Create()
    {
        var command = new Command("audit", "Hold what an operator publishes against itself, the chain and what was promised. Exit code 0 only if all that was given holds.")
        {
            Published, PinsFile, StateFile, Entries, KeyFile, Receipts, Node, Cookie, AsJson,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(Node) is null != result.GetResult(Cookie) is null) result.AddError("--node and --cookie go together.");
        });
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancel)
    {
        var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        var where = parsed.GetRequiredValue(Published);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var published = OpenFolder(where, key: null, ended.Token);
        using var publishedWeb = published as WebFolder;
        var entries = parsed.GetValue(Entries) is { } given ? OpenFolder(given, ClientCommand.FindKey(parsed.GetValue(KeyFile)), ended.Token) : null;
        using var entriesWeb = entries as WebFolder;
        using var node = parsed.GetValue(Node) is { } address ? await NodeChainView.OpenAsync(address, parsed.GetValue(Cookie)!.FullName, cancel) : null;
        var state = parsed.GetValue(StateFile)?.FullName;
        var inputs = new AuditInputs(published)
        {
            Pins = parsed.GetValue(PinsFile) is { } pins ? ReadPins(pins.FullName) : null,
            State = state is not null && File.Exists(state) ? ReadState(state) : null,
            Replay = () => state is not null && File.Exists(ReplayOf(state)) ? Inputs.ReadFile(ReplayOf(state), int.MaxValue) : (ReadOnlyMemory<byte>?)null,
            Entries = entries,
            Chain = node,
            Receipts = parsed.GetValue(Receipts) is { } receipts ? ReadReceipts(receipts.FullName) : [],
            Settle = published is WebFolder ? () => cancel.WaitHandle.WaitOne(AnswerAgeMax) : null,
        };
        var shows = !Console.IsErrorRedirected && error == Console.Error && !parsed.GetValue(AsJson);
        var report = shows ? await AuditBars.RunAsync(error, bars => AuditAsync(inputs, bars, ended)) : await AuditAsync(inputs, null, ended);
        if (state is not null && report.Next is { } next) WriteState(state, next, report.Replay);
        if (parsed.GetValue(AsJson)) output.WriteLine(AuditOutput.ToJson(report));
        else AuditOutput.Write(report, output);
        return report.Holds ? ExitCode.Done : ExitCode.Failed;
    }

    /// <summary>On a thread of its own, and a second one beside it: they read, compute and wait.</summary>
    private static async Task<AuditReport> AuditAsync(AuditInputs inputs, AuditProgress? bars, CancellationTokenSource ended)
    {
        var cancel = ended.Token;
        await using var second = new SecondThread(ended);
        return await Task.Run(
            () => LedgerAuditor.Run(inputs with
            {
                Beside = second.Begin,
                Progress = (what, done, all) =>
                {
                    cancel.ThrowIfCancellationRequested();
                    bars?.Invoke(what, done, all);
                },
            }), cancel);
    }

    /// <summary>A folder, or what is published at an address.</summary>
    private static IAuditFolder OpenFolder(string where, string? key, CancellationToken cancel)
    {
        if (Inputs.TryReadUrl(where, out var url)) return new WebFolder(url, key, Patience, TimeProvider.System, cancel);
        return Directory.Exists(where) ? new DiskFolder(where, cancel) : throw new CommandFailedException($"there is no folder {where}");
    }

    internal static Pins ReadPins(string path) => Pins.TryParse(System.Text.Encoding.UTF8.GetString(Inputs.ReadFile(path, Limits.PinsBytesMax)), out var pins, out var refusal)
        ? pins
        : throw new CommandFailedException($"{path} cannot be used: {refusal}");

    private static AuditState ReadState(string path) => AuditState.TryParse(Inputs.ReadFile(path, int.MaxValue), out var state, out var refusal)
        ? state
        : throw new CommandFailedException($"{path} cannot be used: {refusal}");

    /// <summary>What is kept of the replay, beside the state.</summary>
    private static string ReplayOf(string state) => state + ".replay";

    /// <summary>The old state stays until the new one is whole. A replay that the state does not name is not believed.</summary>
    private static void WriteState(string path, AuditState state, KeptReplay? replay)
    {
        try
        {
            if (replay is not null)
            {
                using (var file = new FileStream(ReplayOf(path) + ".new", FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
                {
                    state = state with { Replay = replay.Write(piece => file.Write(piece)) };
                }
                File.Move(ReplayOf(path) + ".new", ReplayOf(path), overwrite: true);
            }
            File.WriteAllBytes(path + ".new", state.Write());
            File.Move(path + ".new", path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the state of this audit cannot be kept: {e.Message}");
        }
    }

    private static IEnumerable<HeldReceipt> ReadReceipts(string folder)
    {
        if (!Directory.Exists(folder)) throw new CommandFailedException($"there is no folder {folder}");
        foreach (var leaf in Directory.EnumerateFiles(folder, "*.leaf").Order(StringComparer.Ordinal))
        {
            var timestamp = ReceiptFolder.TimestampOf(leaf);
            yield return new HeldReceipt(leaf, new ReceiptFiles(Inputs.ReadFile(leaf, Limits.ReceiptBytesMax), Inputs.ReadFile(ReceiptFolder.ProofOf(leaf), Limits.LogProofBytesMax))
            {
                Timestamp = File.Exists(timestamp) ? Inputs.ReadFile(timestamp, Limits.TimestampFileBytesMax) : (ReadOnlyMemory<byte>?)null,
            });
        }
    }
}
