// The published log as files, as audit tools and C2SP's tile clients look for them: a folder for everybody, which any web
// server can publish, and one with the entries for authorised auditors. What is there already is only added to: the
// checkpoint in a folder says up to which size its files are whole and durable, and is written last.
//
// The exporter is the log's first auditor: it verifies the checkpoint, that the log only grew since the last one, and
// every tile and bundle that it writes. What does not fit is never covered by the checkpoint in the folder.

using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Engine.Export;

/// <summary>Gets what the server publishes at a path, such as <c>checkpoint</c> or <c>tile/0/000</c>.</summary>
public delegate Task<byte[]> LogSource(string path, CancellationToken cancel);

/// <summary>What is published contradicts itself, or what was published before.</summary>
public sealed class ExportContradictionException(string found) : Exception(found);

/// <param name="Before">The size of the log that the public folder had.</param>
/// <param name="Size">The size that it has now.</param>
/// <param name="Tiles">Tiles that were written.</param>
/// <param name="Bundles">Bundles of entries that were written.</param>
public sealed record LogExportReport(long Before, long Size, int Tiles, int Bundles);

/// <param name="open">Everybody's folder.</param>
/// <param name="auditors">The auditors' folder; null to write none.</param>
public sealed class LogExport(LogSource source, ExportFolder open, ExportFolder? auditors)
{
    public const string CheckpointFile = "checkpoint";
    public const string VerifierKeyFile = "vkey";
    public const string PinsFile = "pins.json";
    public const string RotationsFile = "rotations";

    /// <summary>Brings the folders up to the newest checkpoint.</summary>
    /// <exception cref="ExportContradictionException">Something does not fit: the checkpoints in the folders stay as they are.</exception>
    /// <exception cref="IOException">The disk failed or is full; the next run begins where the checkpoints say.</exception>
    /// <param name="others">Writes what else must be there when the folder has the checkpoint; asked for once it was fetched.</param>
    public async Task<LogExportReport> RunAsync(CancellationToken cancel, Func<CancellationToken, Task>? others = null)
    {
        var pins = await ReadPinsAsync(cancel);
        var note = Encoding.UTF8.GetString(await source(CheckpointFile, cancel));
        var (rotations, keys) = await ReadRotationsAsync(pins.Key, cancel);
        if (!Checkpoint.TryVerify(note, keys, out var checkpoint, out var refusal)) throw new ExportContradictionException(refusal);

        var before = ReadCheckpoint(open, keys, checkpoint);
        var tiles = await WriteTilesAsync(before?.Size ?? 0, checkpoint.Size, cancel);
        var log = Verify(before?.Size ?? 0, checkpoint);
        CheckGrowth(log, open, before);
        var bundles = 0;
        if (auditors is not null)
        {
            var covered = ReadCheckpoint(auditors, keys, checkpoint);
            CheckGrowth(log, auditors, covered);
            bundles = await WriteBundlesAsync(auditors, covered?.Size ?? 0, log, note, cancel);
        }
        DeletePartial(open, LogTile.Between(before?.Size ?? 0, checkpoint.Size));
        if (rotations.Length > 0) open.Write(RotationsFile, Encoding.UTF8.GetBytes(rotations));
        // The pins may name an anchor, and the checkpoint cover what is stated about an epoch.
        if (others is not null) await others(cancel);
        var signer = keys.Last(key => Checkpoint.TryVerify(note, key, out _, out _));
        open.Write(VerifierKeyFile, Encoding.UTF8.GetBytes($"{signer}\n"));
        open.Write(PinsFile, Encoding.UTF8.GetBytes(pins.Write()));
        Finish(open, note);
        return new LogExportReport(before?.Size ?? 0, checkpoint.Size, tiles, bundles);
    }

    /// <summary>The pins, which must be those of the folder.</summary>
    private async Task<Pins> ReadPinsAsync(CancellationToken cancel)
    {
        if (!Pins.TryParse(Encoding.UTF8.GetString(await source(PinsFile, cancel)), out var pins, out var refusal)) throw new ExportContradictionException(refusal);
        if (open.Read(PinsFile) is not { } written) return pins;
        if (!Pins.TryParse(Encoding.UTF8.GetString(written), out var kept, out refusal)) throw new ExportContradictionException($"{PinsFile} in {open}: {refusal}");
        return kept.IsFollowedBy(pins, out var contradiction) ? pins : throw new ExportContradictionException($"{PinsFile} in {open}: {contradiction}");
    }

    /// <summary>The keys from the pinned one to the one that signs now, and the notes that name them; those in the folder must be
    /// the first of them. They are asked for after the checkpoint, so that the key which signed it is among them.</summary>
    private async Task<(string Notes, IReadOnlyList<VerifierKey> Keys)> ReadRotationsAsync(VerifierKey first, CancellationToken cancel)
    {
        var notes = Encoding.UTF8.GetString(await source(RotationsFile, cancel));
        if (!KeyRotation.TryFollow(notes, first, out var keys, out var refusal)) throw new ExportContradictionException(refusal);
        if (open.Read(RotationsFile) is { } kept && !notes.StartsWith(Encoding.UTF8.GetString(kept), StringComparison.Ordinal))
            throw new ExportContradictionException($"the log's key is said to have gone another way than {RotationsFile} in {open} says: keep both, for each key names one that follows it");
        return (notes, keys);
    }

    /// <summary>The checkpoint of a folder, which must be one of the same log at an earlier time; null if there is none.</summary>
    private static Checkpoint? ReadCheckpoint(ExportFolder folder, IReadOnlyList<VerifierKey> keys, Checkpoint newest)
    {
        if (folder.Read(CheckpointFile) is not { } note) return null;
        if (!Checkpoint.TryVerify(Encoding.UTF8.GetString(note), keys, out var kept, out var refusal))
            throw new ExportContradictionException($"{CheckpointFile} in {folder}: {refusal}");
        if (kept.Size == newest.Size && kept.Root != newest.Root)
            throw new ExportContradictionException($"two roots are signed for {kept.Size} entries, by the newest checkpoint and by that in {folder}: keep both, for a log has one history");
        if (kept.Size > newest.Size)
            throw new ExportContradictionException($"the newest checkpoint covers {newest.Size} entries, and that in {folder} covers {kept.Size}: keep both, for a log only grows");
        return kept;
    }

    private async Task<int> WriteTilesAsync(long before, long size, CancellationToken cancel)
    {
        var written = 0;
        foreach (var tile in LogTile.Between(before, size))
        {
            open.Write(tile.ToString(), await source(tile.ToString(), cancel));
            written++;
        }
        open.Sync();
        return written;
    }

    /// <summary>Every new tile leads to the checkpoint's root.</summary>
    private MerkleLog Verify(long before, Checkpoint checkpoint)
    {
        try
        {
            var log = PublishedTiles.Open(tile => open.Read(tile.ToString()), checkpoint.Size)
                ?? throw new ExportContradictionException($"tiles at the end of the log are missing in {open}, or have another length than they must");
            if (log.Root() != checkpoint.Root) throw new ExportContradictionException("the tiles do not lead to the root that the checkpoint signs");
            foreach (var tile in LogTile.Between(before, checkpoint.Size)) log.Tile(tile);
            return log;
        }
        catch (LedgerInvariantException e)
        {
            throw new ExportContradictionException($"{e.Message}: it does not lead to the root that the checkpoint signs");
        }
    }

    /// <summary>The log only grew since an earlier checkpoint.</summary>
    private static void CheckGrowth(MerkleLog log, ExportFolder folder, Checkpoint? earlier)
    {
        if (earlier is not null && log.Root(earlier.Size) != earlier.Root)
            throw new ExportContradictionException($"at {earlier.Size} entries the log that is shown now has another root than the checkpoint in {folder} signs: keep both, for the log was rewritten");
    }

    private async Task<int> WriteBundlesAsync(ExportFolder folder, long before, MerkleLog log, string note, CancellationToken cancel)
    {
        var written = 0;
        var tiles = LogTile.Between(before, log.Size).TakeWhile(tile => tile.Level == 0).ToArray();
        foreach (var tile in tiles)
        {
            var bytes = await source(tile.Bundle.ToString(), cancel);
            var leaves = new LeafHasher(tile.Width);
            if (EntryBundle.TryRead(bytes, tile.Width, out var entries))
            {
                foreach (var entry in entries) leaves.Add(entry.Span);
            }
            if (!leaves.Finish().SequenceEqual(log.Tile(tile))) throw new ExportContradictionException($"the entries of {tile.Bundle} are not those of the log");
            folder.Write(tile.Bundle.ToString(), bytes);
            written++;
        }
        folder.Sync();
        DeletePartial(folder, tiles.Select(tile => tile.Bundle));
        Finish(folder, note);
        return written;
    }

    /// <summary>Of tiles that are full now, nobody needs the partial ones any more. The others stay: somebody may just be reading
    /// the log at an earlier checkpoint.</summary>
    private static void DeletePartial(ExportFolder folder, IEnumerable<LogTile> written)
    {
        foreach (var tile in written.Where(tile => !tile.IsPartial)) folder.DeleteFolder($"{tile}.p");
    }

    /// <summary>From here on what the checkpoint covers is there.</summary>
    private static void Finish(ExportFolder folder, string note)
    {
        folder.Sync();
        folder.Write(CheckpointFile, Encoding.UTF8.GetBytes(note));
        folder.Sync();
    }
}
