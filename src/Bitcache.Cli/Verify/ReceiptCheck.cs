// Verifies a receipt, a balance or the statement of an epoch from its files, without the server: what `bitcache verify` and the
// demo do.

using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Verify;

/// <summary>What an auditor brings along.</summary>
/// <param name="Pins">The log's pins; null where only its key is known.</param>
/// <param name="Header">Where the block's header comes from; null to leave the block unchecked.</param>
internal sealed record Trusted(VerifierKey Key, Pins? Pins, HeaderSource? Header)
{
    /// <summary>Of a balance: whose it must be; null to leave that unchecked.</summary>
    public BalanceOwner? Owner { get; init; }

    /// <summary>How the log's key is followed, where that is not found beside the proof; empty if it was not rotated.</summary>
    public string Rotations { get; init; } = "";
}

/// <summary>What a file is a proof of.</summary>
internal enum ProofKind
{
    Receipt,
    Balance,
    /// <summary>What the operator stated at the close of an epoch.</summary>
    Epoch,
}

/// <summary>A proof's verdict and steps, and what it says if it holds.</summary>
/// <param name="Holds">Whether everything that was given holds.</param>
internal sealed record CheckedReceipt(ProofKind Kind, bool Holds, ReceiptVerdict Verdict, IReadOnlyList<ReceiptStep> Steps, string? Statement);

internal static class ReceiptCheck
{
    /// <exception cref="CommandFailedException">A file or the header cannot be had.</exception>
    public static async Task<CheckedReceipt> RunAsync(string leaf, Trusted trusted, CancellationToken cancel)
    {
        var files = new ReceiptFiles(Read(leaf, Limits.ReceiptBytesMax), Read(ReceiptFolder.ProofOf(leaf), Limits.LogProofBytesMax));
        var isBalance = BalanceProof.TryReadFile(files.Leaf.Span, out _, out _);
        if (trusted.Owner is not null && !isBalance) throw new CommandFailedException($"wallet and key were given, but {leaf} is no balance");
        var timestamp = ReceiptFolder.TimestampOf(leaf);
        if (File.Exists(timestamp)) files = files with { Timestamp = Read(timestamp, Limits.TimestampFileBytesMax) };
        else if (isBalance) throw new CommandFailedException($"there is no {timestamp}: a balance's way to the published total stands in it, once the epoch is anchored");
        else if (trusted.Header is not null) throw new CommandFailedException($"a header was given, but there is no {timestamp} that leads to its block");

        files = files with { Rotations = ReadRotations(leaf) ?? trusted.Rotations };

        // Only a well-formed timestamp names a height to ask for; the verifier says what is wrong with another.
        if (trusted.Header is { } source && OpenTimestamps.TryParse(files.Timestamp!.Value.Span, out var proof, out _))
            files = files with { Block = await source(proof.Height, cancel) };
        var report = isBalance ? CheckBalance(files, trusted)
            : trusted.Pins is null ? ReceiptVerifier.Verify(files, trusted.Key) : ReceiptVerifier.Verify(files, trusted.Pins);
        var result = new CheckedReceipt(isBalance ? ProofKind.Balance : ProofKind.Receipt, Holds(report.Verdict, trusted), report.Verdict, report.Steps, Describe(report));
        return EpochStatement.TryReadEntry(report.Entry.Span, out var statement) && !isBalance
            ? await WithFilesAsync(result with { Kind = ProofKind.Epoch }, leaf, statement, trusted.Key.Name, cancel)
            : result;
    }

    /// <summary>The notes that lead from the pinned key to a newer one, beside a file; null if there are none. They prove
    /// themselves: it does not matter where they come from.</summary>
    /// <exception cref="CommandFailedException">They cannot be read.</exception>
    public static string? ReadRotations(string file)
    {
        var path = ReceiptFolder.RotationsBeside(file);
        return File.Exists(path) ? Encoding.UTF8.GetString(Read(path, Limits.KeyRotationsMax * Limits.KeyRotationNoteBytesMax)) : null;
    }

    private static ReceiptReport CheckBalance(ReceiptFiles files, Trusted trusted) => trusted.Pins is null
        ? BalanceVerifier.Verify(files, trusted.Key, trusted.Owner)
        : BalanceVerifier.Verify(files, trusted.Pins, trusted.Owner);

    private static bool Holds(ReceiptVerdict verdict, Trusted trusted) => verdict switch
    {
        ReceiptVerdict.Invalid => false,
        ReceiptVerdict.LoggedOnly => trusted.Header is null,
        ReceiptVerdict.AnchoredInBlock => true,
    };

    private static async Task<CheckedReceipt> WithFilesAsync(CheckedReceipt result, string leaf, EpochStatement statement, string origin, CancellationToken cancel)
    {
        var steps = await EpochFiles.CheckAsync(Path.GetDirectoryName(leaf)!, statement, origin, cancel);
        var hold = steps.All(step => step.Outcome != StepOutcome.Failed);
        return result with
        {
            Holds = result.Holds && hold,
            Verdict = hold ? result.Verdict : ReceiptVerdict.Invalid,
            Steps = [.. result.Steps, .. steps],
            Statement = hold ? result.Statement : null,
        };
    }

    private static string? Describe(ReceiptReport report) => report switch
    {
        { Verdict: ReceiptVerdict.Invalid } => null,
        { Balance: { } balance } when EpochStatement.TryReadEntry(report.Entry.Span, out var statement) => StatementText.Describe(balance, statement),
        _ => StatementText.Describe(report.Entry.Span),
    };

    private static byte[] Read(string path, int bytesMax)
    {
        try
        {
            if (new FileInfo(path).Length > bytesMax) throw new CommandFailedException($"{path} has more than {bytesMax} bytes: it is no part of a proof");
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{path} cannot be read: {e.Message}");
        }
    }
}
