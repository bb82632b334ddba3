using Bitcache.Engine.Journal;

namespace Bitcache.Engine.Files;

/// <summary>The right to write a data folder, held by one process at a time from before the first file is read until
/// after the last one is closed. Two writers would each find the other's frames in their journal.</summary>
public sealed class DataFolderLock : IDisposable
{
    private const string FileName = "lock";
    private readonly IDisposable _held;
    private readonly IDisposable? _archive;

    private DataFolderLock(IDisposable held, IDisposable? archive) => (_held, _archive) = (held, archive);

    /// <param name="files">Where they are.</param>
    /// <param name="dataFolder">The folder to hold.</param>
    /// <param name="archiveFolder">Another that belongs to it, and is held as long.</param>
    /// <exception cref="DataFolderInUseException">Another process, or another owner in this one, has a folder.</exception>
    /// <exception cref="ArchiveMissingException">The archive is not the one that holds segments of this journal; nothing
    /// was made there.</exception>
    public static DataFolderLock Take(IFileSystem files, string dataFolder, string? archiveFolder = null)
    {
        var held = TakeOne(files, dataFolder);
        try
        {
            if (archiveFolder is null) return new DataFolderLock(held, null);
            SegmentArchive.RequireThere(files, dataFolder, archiveFolder);
            return new DataFolderLock(held, TakeOne(files, archiveFolder));
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static IDisposable TakeOne(IFileSystem files, string folder)
    {
        var path = Path.Combine(folder, FileName);
        return files.TryLock(path) ?? throw new DataFolderInUseException(folder, path);
    }

    public void Dispose()
    {
        _held.Dispose();
        _archive?.Dispose();
    }
}

public sealed class DataFolderInUseException(string folder, string lockFile) : IOException(
    $"The folder {folder} is in use by another Bitcache process. Stop that one first ('fuser {lockFile}' names it), "
    + "or start this one with another folder. Deleting the lock file does not help and is dangerous.")
{
    public string Folder => folder;
}
