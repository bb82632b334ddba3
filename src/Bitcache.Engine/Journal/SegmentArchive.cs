using System.Buffers;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>
/// Moves closed segments to a slower disk, from which they are still read. Each step is durable before the next: the
/// copy's bytes, which are verified; its name; only then the original's end. Wherever a crash comes in between, the
/// segment is whole in at least one of the two folders; recovery takes the original where both are there.
/// </summary>
/// <param name="journal">The folder that segments are moved from.</param>
/// <param name="folder">The one that they are moved to.</param>
internal sealed class SegmentArchive(IFileSystem files, FolderSync journal, string folder, CancellationToken cancel)
{
    private const int CopyBytes = 1 << 20;

    /// <summary>Refuses an archive that has no folder of a partition whose oldest segments were moved: its disk is not
    /// mounted. What would be made there would hide under the disk, or be taken for the archive.</summary>
    /// <exception cref="ArchiveMissingException">It is so.</exception>
    internal static void RequireThere(IFileSystem files, string dataFolder, string archiveFolder)
    {
        for (var partition = 0; partition < Limits.PartitionsOfProcessMax; partition++)
        {
            var name = new FileJournalSettings { Partition = partition }.FolderName;
            var journal = Path.Combine(dataFolder, "journal", name);
            if (!files.FolderExists(journal)) return;
            var segments = files.List(journal).Where(file => SegmentHeader.TryParseFileName(file, out _)).ToList();
            if (segments.Count > 0 && !segments.Contains(SegmentHeader.FileName(0)) && !files.FolderExists(Path.Combine(archiveFolder, name)))
                throw new ArchiveMissingException(archiveFolder, name);
        }
    }

    /// <exception cref="NoSpaceException">The archive is full; nothing was changed.</exception>
    /// <exception cref="JournalCorruptException">The segment is damaged; nothing was changed.</exception>
    /// <exception cref="JournalFailedException">The original was removed, but the journal's folder could not be synced:
    /// the process must end.</exception>
    internal void Move(SegmentIndex segment)
    {
        var (from, to) = (segment.Path, Path.Combine(folder, Path.GetFileName(segment.Path)));
        var (oldFilter, newFilter) = (Path.ChangeExtension(from, IdFilter.Extension), Path.ChangeExtension(to, IdFilter.Extension));
        files.Delete(newFilter);
        if (segment.Filter is { IsDamaged: false }) Copy(oldFilter, newFilter, segment, isSegment: false);
        Copy(from, to, segment, isSegment: true);
        files.SyncFolder(folder);
        // Who opened the original reads on in it; whoever comes now opens the copy.
        segment.Path = to;
        files.Delete(oldFilter);
        files.Delete(from);
        journal.Run();
    }

    private void Copy(string from, string to, SegmentIndex segment, bool isSegment)
    {
        using var source = files.Open(from);
        // What stands behind the closing frame is preallocated zeros.
        var length = isSegment ? segment.Bytes : source.Length;
        NewFile.Make(files, to, target =>
        {
            target.Preallocate(length);
            CopyBytesOf(source, target, length);
            target.SyncData();
            if (!isSegment || SegmentCheck.FirstDamage(target, segment) is not { } damage) return;
            if (SegmentCheck.FirstDamage(source, segment) is { } at)
                throw new JournalCorruptException(from, at, "what its closing frame vouches for", "other bytes");
            throw new IOException($"The copy of {from} holds other bytes at {damage}.");
        });
    }

    private void CopyBytesOf(IFile source, IFile target, long length)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        for (long at = 0; at < length; at += CopyBytes)
        {
            cancel.ThrowIfCancellationRequested();
            var chunk = buffer.AsSpan(0, (int)Math.Min(CopyBytes, length - at));
            target.Write(at, chunk[..source.Read(at, chunk)]);
        }
        ArrayPool<byte>.Shared.Return(buffer);
    }
}
