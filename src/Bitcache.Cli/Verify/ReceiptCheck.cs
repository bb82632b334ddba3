// Verifies a receipt from its files, without the server: what `bitcache verify` and the demo do.

using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Verify;

/// <summary>What an auditor brings along.</summary>
/// <param name="Pins">The log's pins; null where only its key is known.</param>
/// <param name="Header">Where the block's header comes from; null to leave the block unchecked.</param>
internal sealed record Trusted(VerifierKey Key, Pins? Pins, HeaderSource? Header);

/// <summary>A receipt's verdict and steps, and what it says if it holds.</summary>
/// <param name="Holds">Whether everything that was given holds.</param>
internal sealed record CheckedReceipt(bool Holds, ReceiptVerdict Verdict, IReadOnlyList<ReceiptStep> Steps, string? Statement);

internal static class ReceiptCheck
{
    /// <exception cref="CommandFailedException">A file or the header cannot be had.</exception>
    public static async Task<CheckedReceipt> RunAsync(string leaf, Trusted trusted, CancellationToken cancel)
    {
        var files = new ReceiptFiles(Read(leaf, Limits.ReceiptBytesMax), Read(ReceiptFolder.ProofOf(leaf), Limits.LogProofBytesMax));
        var timestamp = ReceiptFolder.TimestampOf(leaf);
        if (File.Exists(timestamp)) files = files with { Timestamp = Read(timestamp, Limits.TimestampFileBytesMax) };
        else if (trusted.Header is not null) throw new CommandFailedException($"a header was given, but there is no {timestamp} that leads to its block");

        // Only a well-formed timestamp names a height to ask for; the verifier says what is wrong with another.
        if (trusted.Header is { } source && OpenTimestamps.TryParse(files.Timestamp!.Value.Span, out var proof, out _))
            files = files with { Block = await source(proof.Height, cancel) };
        var report = trusted.Pins is null ? ReceiptVerifier.Verify(files, trusted.Key) : ReceiptVerifier.Verify(files, trusted.Pins);
        var holds = report.Verdict switch
        {
            ReceiptVerdict.Invalid => false,
            ReceiptVerdict.LoggedOnly => trusted.Header is null,
            ReceiptVerdict.AnchoredInBlock => true,
        };
        return new CheckedReceipt(holds, report.Verdict, report.Steps, report.Verdict == ReceiptVerdict.Invalid ? null : StatementText.Describe(report.Entry.Span));
    }

    private static byte[] Read(string path, int bytesMax)
    {
        try
        {
            if (new FileInfo(path).Length > bytesMax) throw new CommandFailedException($"{path} has more than {bytesMax} bytes: it is no part of a receipt");
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{path} cannot be read: {e.Message}");
        }
    }
}
