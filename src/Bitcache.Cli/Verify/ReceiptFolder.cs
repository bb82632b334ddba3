// A receipt as files: x.leaf with x.leaf.tlog-proof and, once anchored, x.leaf.ots beside it, and pins.json; and, where
// the log has another key than the pinned one by now, rotations.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Settlement;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Verify;

internal static class ReceiptFolder
{
    public const string PinsName = "pins.json";
    public const string RotationsName = "rotations";

    public static string ProofOf(string leaf) => leaf + ".tlog-proof";
    public static string TimestampOf(string leaf) => leaf + ".ots";
    public static string RotationsBeside(string leaf) => Beside(leaf, RotationsName);
    public static string PinsBeside(string leaf) => Beside(leaf, PinsName);

    /// <summary>Writes the files of a receipt; the result is the path of its leaf.</summary>
    /// <param name="name">What its files are called, without an ending.</param>
    /// <param name="pins">The pins as the server shows them. Those in the folder already must agree with them.</param>
    /// <param name="rotations">The notes that lead from the pinned key to the one that signs now; empty if that is the pinned one.</param>
    /// <exception cref="CommandFailedException">The server shows other pins than before, or the folder cannot be written.</exception>
    public static string Write(string folder, string name, ReceiptReply receipt, string pins, string rotations = "")
    {
        try
        {
            Directory.CreateDirectory(folder);
            WritePins(Path.Combine(folder, PinsName), pins);
            if (rotations.Length > 0) File.WriteAllText(Path.Combine(folder, RotationsName), rotations);
            return Write(folder, name, receipt.Leaf, receipt.TlogProof, receipt.OpenTimestamps);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new CommandFailedException($"the receipt cannot be written to {folder}: {e.Message}");
        }
    }

    /// <summary>Writes the files of a balance, <c>WALLET-CHUNK.leaf</c> and what proves it for each chunk; the results are the paths of
    /// the leaves.</summary>
    /// <exception cref="CommandFailedException">The server shows other pins than before, or the folder cannot be written.</exception>
    public static IReadOnlyList<string> Write(string folder, WalletId wallet, BalanceProofReply balance, string pins, string rotations = "")
    {
        try
        {
            Directory.CreateDirectory(folder);
            WritePins(Path.Combine(folder, PinsName), pins);
            if (rotations.Length > 0) File.WriteAllText(Path.Combine(folder, RotationsName), rotations);
            return [.. balance.Chunks.Select((chunk, i) => Write(folder, $"{wallet}-{i}", chunk.Leaf, balance.TlogProof, chunk.OpenTimestamps))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new CommandFailedException($"the balance cannot be written to {folder}: {e.Message}");
        }
    }

    private static string Write(string folder, string name, string content, string proof, string? timestamp)
    {
        var leaf = Path.Combine(folder, name + ".leaf");
        File.WriteAllBytes(leaf, Convert.FromBase64String(content));
        File.WriteAllBytes(ProofOf(leaf), Convert.FromBase64String(proof));
        if (timestamp is not null) File.WriteAllBytes(TimestampOf(leaf), Convert.FromBase64String(timestamp));
        return leaf;
    }

    private static void WritePins(string path, string text)
    {
        if (!Pins.TryParse(text, out var shown, out var refusal)) throw new CommandFailedException($"the server's pins cannot be used: {refusal}");
        if (!File.Exists(path))
        {
            File.WriteAllText(path, text);
            return;
        }
        if (!Pins.TryParse(File.ReadAllText(path), out var kept, out refusal)) throw new CommandFailedException($"{path} cannot be used: {refusal}");
        if (!kept.IsFollowedBy(shown, out var contradiction)) throw new CommandFailedException($"{path}: {contradiction}");
        if (kept.FirstAnchor is null && shown.FirstAnchor is not null) File.WriteAllText(path, text);
    }

    /// <summary>What a statement needs stands two folders above it in an export, once for all epochs.</summary>
    private static string Beside(string leaf, string name)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(leaf))!;
        var (beside, above) = (Path.Combine(folder, name), Path.GetFullPath(Path.Combine(folder, "..", "..", name)));
        return !File.Exists(beside) && Path.GetFileName(leaf) == EpochPublication.CloseName && File.Exists(above) ? above : beside;
    }
}
