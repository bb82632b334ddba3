// The log: signed, only ever added to, and every tile what the signed root says.

using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Bitcache.Core.Audit;

internal sealed class LogAudit(AuditInputs inputs, Pins pins, IReadOnlyList<VerifierKey> keys, AuditSteps steps)
{
    private const long ProgressEvery = 1 << 10;
    private string? _missing;

    /// <summary>The signed note.</summary>
    public string Note { get; private set; } = "";

    /// <summary>Reads the checkpoint.</summary>
    public bool ReadNote()
    {
        if (inputs.Published.Read(AuditPaths.Checkpoint, Limits.LogProofBytesMax) is not { } file) return steps.Failed(AuditFault.FileMissing, "no checkpoint is published");
        Note = Encoding.UTF8.GetString(file);
        return true;
    }

    public bool Check([NotNullWhen(true)] out MerkleLog? log)
    {
        log = null;
        if (!Checkpoint.TryVerify(Note, keys, out var now, out var refusal)) return steps.Failed(AuditFault.CheckpointUnsigned, refusal, Note);
        steps.Passed($"the checkpoint is signed by the key of '{pins.Origin}': {now.Size} entries under the root {now.Root}");
        Checkpoint? before = null;
        if (inputs.State is { } state && !Checkpoint.TryVerify(state.Note, keys, out before, out refusal))
            return steps.Failed(AuditFault.FileMalformed, $"the saved state: {refusal}");
        return CheckBefore(now, before) && CheckTiles(now, before, out log) && CheckGrowth(log, before);
    }

    private bool CheckBefore(Checkpoint now, Checkpoint? before)
    {
        if (before is null) return true;
        if (before.Size == now.Size && before.Root != now.Root)
            return steps.Failed(AuditFault.TwoCheckpoints, $"two roots are signed for {now.Size} entries, {before.Root} at the last audit and {now.Root} now: a second history of the log", inputs.State!.Note, Note);
        return before.Size <= now.Size
            || steps.Failed(AuditFault.LogShrunk, $"the log had {before.Size} entries at the last audit and has {now.Size} now: a log only grows", inputs.State!.Note, Note);
    }

    private bool CheckTiles(Checkpoint now, Checkpoint? before, [NotNullWhen(true)] out MerkleLog? log)
    {
        log = PublishedTiles.Open(Read, now.Size);
        if (log is null) return MissingTile();
        if (log.Root() != now.Root) return steps.Failed(AuditFault.TileWrong, $"the tiles at the end of the log lead to the root {log.Root()}, not to the signed one", Note);
        // A hash store's reader may not end an audit by itself: what a tile is found to be, the log says by its exception.
        try
        {
            var (tiles, all) = (0L, now.Size / LogTile.WidthMax);
            foreach (var tile in LogTile.Between(before?.Size ?? 0, now.Size))
            {
                log.Tile(tile);
                if (tiles++ % ProgressEvery == 0) inputs.Progress("tiles", tiles, all);
            }
            return steps.Passed($"{tiles} tiles{(before is null ? "" : $" that are new since {before.Size} entries")} were computed up to that root");
        }
        catch (LedgerInvariantException e)
        {
            return _missing is null ? steps.Failed(AuditFault.TileWrong, $"{e.Message}: it does not lead to the signed root", Note) : MissingTile();
        }
    }

    private bool CheckGrowth(MerkleLog log, Checkpoint? before)
    {
        if (before is null) return steps.NotChecked("that the log only grew: this is the first audit; keep its state (--state) for the next one");
        if (log.Root(before.Size) != before.Root)
            return steps.Failed(AuditFault.LogRewritten, $"at {before.Size} entries the log had the root {before.Root} at the last audit, and has {log.Root(before.Size)} there now: entries were altered or left out", inputs.State!.Note, Note);
        return steps.Passed($"the log only grew since the last audit, at {before.Size} entries");
    }

    private bool MissingTile() => steps.Failed(AuditFault.FileMissing, $"{_missing} is not published, or has another length than it must", Note);

    private byte[]? Read(LogTile tile)
    {
        var bytes = inputs.Published.Read(tile.ToString(), LogTile.WidthMax * Hash256.Bytes);
        if (bytes?.Length != tile.Width * Hash256.Bytes) _missing = tile.ToString();
        return bytes;
    }
}
