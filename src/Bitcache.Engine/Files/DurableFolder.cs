namespace Bitcache.Engine.Files;

/// <summary>Folders whose own names are durable: what is synced inside a folder whose name is lost is lost with it.</summary>
public static class DurableFolder
{
    /// <summary>Makes a folder, and those around it that are missing, for its owner alone.</summary>
    /// <exception cref="IOException">It cannot be made, or its name cannot be made durable.</exception>
    public static void Ensure(IFileSystem files, string folder)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        // The root was there before us.
        if (Path.GetDirectoryName(path) is not { } parent) return;
        var wasThere = files.FolderExists(path);
        if (!wasThere)
        {
            if (!files.FolderExists(parent)) Ensure(files, parent);
            files.CreateFolder(path);
        }
        try
        {
            // Also if it was there: an earlier process may have ended before its own sync.
            files.SyncFolder(parent);
        }
        catch (IOException e) when (wasThere && e.HResult == Libc.ErrorAccess)
        {
            // Whoever put it where we may not even look has put it there for good.
        }
    }
}
