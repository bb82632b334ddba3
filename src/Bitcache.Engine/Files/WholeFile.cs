namespace Bitcache.Engine.Files;

/// <summary>Small files that are replaced as a whole: whoever opens one, after a crash, too, finds the old bytes or the
/// new ones, and never a part.</summary>
public static class WholeFile
{
    private const string UnfinishedExtension = ".new";

    /// <summary>All bytes of a file.</summary>
    public static byte[] Read(IFileSystem files, string path)
    {
        using var file = files.Open(path);
        var bytes = new byte[file.Length];
        return file.Read(0, bytes) == bytes.Length ? bytes : throw new IOException($"{path} changed while it was read");
    }

    /// <summary>Replaces or makes a file, readable by its owner alone. Durable when this returns.</summary>
    /// <exception cref="NoSpaceException">There is no room; nothing was changed.</exception>
    /// <exception cref="IOException">The disk failed: either may be there.</exception>
    public static void Write(IFileSystem files, string folder, string name, ReadOnlySpan<byte> bytes)
    {
        var path = Path.Combine(folder, name);
        var unfinished = path + UnfinishedExtension;
        files.Delete(unfinished);
        try
        {
            using var file = files.Create(unfinished);
            // Space first: what is full is found out while nothing is promised.
            file.Preallocate(bytes.Length);
            file.Write(0, bytes);
            file.SyncData();
        }
        catch (NoSpaceException)
        {
            files.Delete(unfinished);
            throw;
        }
        files.Replace(unfinished, path);
        files.SyncFolder(folder);
    }
}
