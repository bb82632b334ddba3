using Bitcache.Engine.Files;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Journal;

/// <summary>
/// What is done with closed segments, off the payment path: each gets its id filter, and old ones are moved to the
/// archive. None of it is needed for what was promised: where it fails, the journal goes on and the next turn tries
/// again. Two failures are not harmless, and end the process: damage to a segment, and a failed sync of the journal's
/// own folder.
/// <para>One thread takes the turns; a simulation takes them itself instead.</para>
/// </summary>
public sealed class SegmentUpkeep : IDisposable
{
    private readonly IFileSystem _files;
    private readonly SegmentList _segments;
    private readonly FolderSync _journal;
    private readonly FileJournalSettings _settings;
    private readonly ILogger _logger;
    private readonly AutoResetEvent _wake = new(false);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _inPlace;
    private readonly string? _archiveFolder;
    private Thread? _thread;
    // Owned by whoever takes the turns: where segments go, and the filters of an earlier process.
    private SegmentArchive? _archive;
    private readonly HashSet<string> _left = new(StringComparer.Ordinal);
    private bool _swept;

    internal SegmentUpkeep(IFileSystem files, SegmentList segments, FolderSync journal, FileJournalSettings settings, ILogger logger)
    {
        (_files, _segments, _journal, _settings, _logger) = (files, segments, journal, settings, logger);
        _inPlace = FolderOf(Path.Combine(journal.Folder, SegmentHeader.FileName(0)));
        if (settings.ArchiveFolder is null) return;
        _archiveFolder = Path.Combine(settings.ArchiveFolder, settings.FolderName);
        _archive = new SegmentArchive(files, journal, _archiveFolder, _stop.Token);
    }

    /// <summary>Starts the thread.</summary>
    /// <param name="fatal">Told when the process must end.</param>
    public void Start(Action<Exception> fatal)
    {
        _thread = new Thread(() => Run(fatal)) { Name = $"partition {_settings.Partition} upkeep" };
        _thread.Start();
    }

    /// <summary>There may be something to do.</summary>
    internal void Wake() => _wake.Set();

    /// <summary>Ends the thread; what it was doing is begun again by the next start.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _wake.Set();
        _thread?.Join();
        _wake.Dispose();
        _stop.Dispose();
    }

    private void Run(Action<Exception> fatal)
    {
        Libc.GiveWay();
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                if (!TakeTurn()) _wake.WaitOne();
            }
        }
        catch (OperationCanceledException)
        {
        }
#pragma warning disable CA1031 // Damage, or a mistake of ours: either way nobody may rely on what this thread did.
        catch (Exception e)
        {
            fatal(e);
        }
#pragma warning restore CA1031
    }

    /// <summary>Sees to one filter or, when all are there, moves one segment; false if nothing more can be done now.</summary>
    /// <exception cref="JournalCorruptException">A segment is damaged.</exception>
    /// <exception cref="JournalFailedException">The journal's folder could not be synced.</exception>
    internal bool TakeTurn()
    {
        var closed = _segments.ToArray().AsSpan();
        if (closed.Length > 0) closed = closed[..^1];
        if (!_swept) SweepFilters(closed);
        return TryFilter(closed) || TryArchive(closed);
    }

    /// <summary>Finds or makes the newest filter that is missing: the newest are asked for most.</summary>
    private bool TryFilter(ReadOnlySpan<SegmentIndex> closed)
    {
        for (var i = closed.Length - 1; i >= 0; i--)
        {
            if (closed[i].Filter is { IsDamaged: false }) continue;
            try
            {
                closed[i].Filter = (closed[i].Filter is null ? FindFilter(closed[i]) : null) ?? MakeFilter(closed[i]);
                return true;
            }
            catch (Exception e) when (IsHarmless(e))
            {
                _logger.FilterNotMade(closed[i].Path, e.Message);
                return false;
            }
        }
        return false;
    }

    /// <summary>The filter that is there already, if it is good.</summary>
    private IdFilter? FindFilter(SegmentIndex segment)
    {
        var path = Path.ChangeExtension(segment.Path, IdFilter.Extension);
        if (!_left.Remove(path)) return null;
        using var file = _files.Open(path);
        var filter = IdFilter.TryRead(file.Read, file.Length, segment.Run, _settings.IdKeyBits, out var problem);
        if (filter is null) _logger.FilterRefused(path, problem);
        return filter;
    }

    private IdFilter MakeFilter(SegmentIndex segment)
    {
        var path = Path.ChangeExtension(segment.Path, IdFilter.Extension);
        IdFilter? filter = null;
        using (var builder = new IdFilterBuilder(_segments.ReadIds, segment.Run, _settings.IdKeyBits, _stop.Token))
        {
            _files.Delete(path);
            NewFile.Make(_files, path, file =>
            {
                file.Write(0, builder.File);
                file.SyncData();
                filter = IdFilter.TryRead(file.Read, file.Length, segment.Run, _settings.IdKeyBits, out _);
            });
        }
        if (IsInPlace(segment)) _journal.Run();
        else SyncArchive(segment);
        _logger.FilterMade(path);
        return filter ?? throw new IOException($"{path} reads otherwise than it was written.");
    }

    /// <summary>The filter may be lost, but not the news that a sync failed: the next one, before an original is removed,
    /// would be believed.</summary>
    private void SyncArchive(SegmentIndex segment)
    {
        try
        {
            _files.SyncFolder(_archiveFolder!);
        }
        catch (IOException e)
        {
            StopArchiving(segment, e);
            throw;
        }
    }

    /// <summary>After a failed sync nothing may be concluded from a second one.</summary>
    private void StopArchiving(SegmentIndex segment, Exception reason)
    {
        _archive = null;
        _logger.ArchiveFailed(segment.Path, reason.Message);
    }

    /// <summary>Whether the segment's filter, if it has one, can go with it. One whose file somebody took away is made again.</summary>
    private bool IsFilterThere(SegmentIndex segment)
    {
        var path = Path.ChangeExtension(segment.Path, IdFilter.Extension);
        if (segment.Filter is not { IsDamaged: false } filter || _files.List(_journal.Folder).Contains(Path.GetFileName(path))) return true;
        filter.IsDamaged = true;
        _logger.FilterRefused(path, "no file any more");
        return false;
    }

    /// <summary>Moves the oldest segment that is to be moved.</summary>
    private bool TryArchive(ReadOnlySpan<SegmentIndex> closed)
    {
        if (_archive is null || closed.Length <= _settings.ArchiveAfterSegments) return false;
        foreach (var segment in closed[..^_settings.ArchiveAfterSegments])
        {
            if (!IsInPlace(segment)) continue;
            try
            {
                if (!IsFilterThere(segment)) return true;
                _archive.Move(segment);
                _logger.SegmentArchived(segment.Path);
                return true;
            }
            catch (NoSpaceException e)
            {
                _logger.ArchiveFull(segment.Path, e.Message);
                return false;
            }
            catch (Exception e) when (IsHarmless(e))
            {
                StopArchiving(segment, e);
                return false;
            }
        }
        return false;
    }

    /// <summary>Finds what filters there are, and removes those that a crash has left where their segment is not.</summary>
    private void SweepFilters(ReadOnlySpan<SegmentIndex> closed)
    {
        _swept = true;
        foreach (var segment in closed) _left.Add(Path.ChangeExtension(segment.Path, IdFilter.Extension));
        var there = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            foreach (var folder in _archiveFolder is null ? [_journal.Folder] : new[] { _journal.Folder, _archiveFolder })
                there.UnionWith(_files.List(folder).Where(name => name.EndsWith(IdFilter.Extension, StringComparison.Ordinal)).Select(name => Path.Combine(folder, name)));
            foreach (var path in there)
            {
                if (!_left.Contains(path)) _files.Delete(path);
            }
        }
        catch (Exception e) when (IsHarmless(e))
        {
            _logger.FiltersNotSwept(e.Message);
        }
        _left.IntersectWith(there);
    }

    private bool IsInPlace(SegmentIndex segment) => FolderOf(segment.Path) == _inPlace;

    /// <summary>A file's folder in its one spelling, however the settings spelled it.</summary>
    private static string FolderOf(string path) => Path.GetDirectoryName(path)!;

    private static bool IsHarmless(Exception e) =>
        e is UnauthorizedAccessException or (IOException and not (JournalCorruptException or JournalFailedException));
}
