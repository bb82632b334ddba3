namespace Bitcache.Engine.Files;

/// <summary>The right to write a data folder, held by one process at a time from before the first file is read until
/// after the last one is closed. Two writers would each find the other's frames in their journal.</summary>
public sealed class DataFolderLock : IDisposable
{
    private const string FileName = "lock";
    private readonly IDisposable _held;

    private DataFolderLock(IDisposable held) => _held = held;

    /// <exception cref="DataFolderInUseException">Another process, or another owner in this one, has the folder.</exception>
    public static DataFolderLock Take(IFileSystem files, string dataFolder)
    {
        var path = Path.Combine(dataFolder, FileName);
        return new DataFolderLock(files.TryLock(path) ?? throw new DataFolderInUseException(dataFolder, path));
    }

    public void Dispose() => _held.Dispose();
}

public sealed class DataFolderInUseException(string folder, string lockFile) : IOException(
    $"The data folder {folder} is in use by another Bitcache process. Stop that one first ('fuser {lockFile}' names it), "
    + "or start this one with another data folder. Deleting the lock file does not help and is dangerous.")
{
    public string Folder => folder;
}
