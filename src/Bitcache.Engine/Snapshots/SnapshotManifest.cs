using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;

namespace Bitcache.Engine.Snapshots;

/// <summary>One snapshot, as the manifest names it.</summary>
/// <param name="NextSequence">How many entries it holds the state of.</param>
/// <param name="Bytes">The file's length.</param>
/// <param name="Digest">Names all of the file's content; see <see cref="SnapshotHeader"/>.</param>
/// <param name="StateHash">Of the ledger after those entries.</param>
public sealed record SnapshotName(long NextSequence, long Bytes, Hash256 Digest, Hash256 StateHash)
{
    public string FileName => SnapshotHeader.FileName(NextSequence);
}

/// <summary>
/// The file <c>manifest</c> beside the snapshots: which there are, the newest first. Lines of text, each ending with
/// a line feed:
/// <code>
/// bitcache snapshots 1
/// partition 0
/// 00000000000000012345.snapshot 10485760 (digest, 64 hex digits) (state hash, 64 hex digits)
/// sha256 (of all lines above, 64 hex digits)
/// </code>
/// One manifest has one form.
/// </summary>
internal sealed record SnapshotManifest(int Partition, IReadOnlyList<SnapshotName> Snapshots)
{
    internal const string FileName = "manifest";
    internal const int BytesMax = 64 << 10;
    private const string FirstLine = "bitcache snapshots 1";

    internal byte[] ToBytes()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{FirstLine}\npartition {Partition}\n");
        foreach (var s in Snapshots) text.Append(CultureInfo.InvariantCulture, $"{s.FileName} {s.Bytes} {s.Digest} {s.StateHash}\n");
        var named = Encoding.ASCII.GetBytes(text.ToString());
        text.Append(CultureInfo.InvariantCulture, $"sha256 {Hash256.Read(SHA256.HashData(named))}\n");
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    /// <summary>Reads a manifest; null if it is not one, or not as it was written.</summary>
    internal static SnapshotManifest? TryRead(ReadOnlySpan<byte> file)
    {
        var lines = Encoding.ASCII.GetString(file).Split('\n');
        if (lines.Length < 4 || lines[0] != FirstLine || !lines[1].StartsWith("partition ", StringComparison.Ordinal)) return null;
        if (!int.TryParse(lines[1].AsSpan("partition ".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var partition)) return null;
        var snapshots = new List<SnapshotName>();
        foreach (var line in lines.AsSpan(2, lines.Length - 4))
        {
            if (TryReadLine(line) is not { } snapshot) return null;
            snapshots.Add(snapshot);
        }
        var manifest = new SnapshotManifest(partition, snapshots);
        // It was written in one form: what reads otherwise was changed.
        return manifest.ToBytes().AsSpan().SequenceEqual(file) ? manifest : null;
    }

    private static SnapshotName? TryReadLine(string line)
    {
        if (line.Split(' ') is not [var name, var length, var digest, var state]) return null;
        var stem = name.AsSpan(0, Math.Max(0, name.Length - SnapshotHeader.Extension.Length));
        return long.TryParse(stem, NumberStyles.None, CultureInfo.InvariantCulture, out var sequence)
            && long.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            && Hash256.TryParse(digest, out var d) && Hash256.TryParse(state, out var s)
            ? new SnapshotName(sequence, bytes, d, s)
            : null;
    }
}
