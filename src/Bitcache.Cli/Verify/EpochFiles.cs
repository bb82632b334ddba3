// The files of an epoch beside its statement, held against what that says of them.

using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Cli.Commands;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Verify;

internal static class EpochFiles
{
    private const string LiabilitiesName = "liabilities.csv";
    private const string WithdrawalsName = "withdrawals.csv";
    private const int PieceBytes = 1 << 20;

    /// <param name="folder">Where they are.</param>
    /// <param name="statement">What was stated.</param>
    /// <param name="origin">Of the log.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="CommandFailedException">A file is there and cannot be read.</exception>
    public static async Task<IReadOnlyList<ReceiptStep>> CheckAsync(string folder, EpochStatement statement, string origin, CancellationToken cancel)
    {
        try
        {
            List<ReceiptStep> steps =
            [
                await CheckLiabilitiesAsync(Path.Combine(folder, LiabilitiesName), statement, cancel),
                await CheckHashAsync(Path.Combine(folder, WithdrawalsName), statement.WithdrawalsHash, cancel),
                await CheckHashAsync(Path.Combine(folder, ReservesFile.Name), statement.ReservesHash, cancel),
            ];
            // It is made when the operator says so.
            if (File.Exists(Path.Combine(folder, ReservesProof.FileName)) && steps[^1].Outcome == StepOutcome.Passed) steps.Add(await CheckProofAsync(folder, origin, cancel));
            return steps;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"a file of the epoch cannot be read: {e.Message}");
        }
    }

    private static async Task<ReceiptStep> CheckLiabilitiesAsync(string path, EpochStatement statement, CancellationToken cancel)
    {
        if (!File.Exists(path)) return Missing(LiabilitiesName);
        var reader = new LiabilityCsvReader();
        await using (var file = File.OpenRead(path))
        {
            var piece = new byte[PieceBytes];
            while (await file.ReadAsync(piece, cancel) is var count and > 0 && reader.Add(piece.AsSpan(0, count)))
            {
            }
        }
        if (reader.Finish() is not { } tree) return Failed($"{LiabilitiesName} does not hold: {reader.Finding!.Text}");
        if (tree.Root.Hash != statement.LiabilitiesRoot || tree.Root.Sum != statement.Total || tree.Height != statement.Height)
            return Failed($"{LiabilitiesName} is another tree: it comes to {tree.Root.Sum} under the root {tree.Root.Hash} at height {tree.Height}");
        return Passed(string.Create(CultureInfo.InvariantCulture, $"{LiabilitiesName} has {tree.Leaves} leaves; all hashes and sums were computed anew and come to that root and total"));
    }

    private static async Task<ReceiptStep> CheckHashAsync(string path, Hash256 expected, CancellationToken cancel)
    {
        var name = Path.GetFileName(path);
        if (!File.Exists(path)) return Missing(name);
        await using var file = File.OpenRead(path);
        return Hash256.Read(await SHA256.HashDataAsync(file, cancel)) == expected
            ? Passed($"{name} is the file whose hash was stated")
            : Failed($"{name} is not the file whose hash was stated, {expected}");
    }

    private static async Task<ReceiptStep> CheckProofAsync(string folder, string origin, CancellationToken cancel)
    {
        if (!ReservesFile.TryParse(await File.ReadAllBytesAsync(Path.Combine(folder, ReservesFile.Name), cancel), origin, out var reserves, out var refusal)) return Failed(refusal);
        var file = Inputs.ReadFile(Path.Combine(folder, ReservesProof.FileName), Limits.ReservesProofBytesMax);
        if (ReservesProof.TryRead(file, reserves, mustBeWhole: true, out var proof, out refusal) != ReservesProofFault.None) return Failed($"{ReservesProof.FileName}: {refusal}");
        var left = proof!.LeftToNode.Count();
        return Passed($"{ReservesProof.FileName} is signed by the keys of {reserves.Coins.Count - left} of {reserves.Coins.Count} coins" + (left > 0 ? "; the others have scripts that only a node executes" : ""));
    }

    private static ReceiptStep Missing(string name) => new(StepOutcome.NotChecked, $"{name} is not beside the statement");
    private static ReceiptStep Passed(string text) => new(StepOutcome.Passed, text);
    private static ReceiptStep Failed(string text) => new(StepOutcome.Failed, text);
}
