using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

internal static class NewFile
{
    /// <summary>Makes a file under another name, which must be free, and gives it its own when it is filled. So what has
    /// its name is whole, once the folder is synced.</summary>
    /// <param name="fill">Writes and syncs it; what it throws leaves nothing behind.</param>
    internal static void Make(IFileSystem files, string path, Action<IFile> fill)
    {
        var unfinished = path + FileJournal.UnfinishedExtension;
        files.Delete(unfinished);
        try
        {
            using (var file = files.Create(unfinished)) fill(file);
            files.Rename(unfinished, path);
        }
        catch
        {
            Discard(files, unfinished);
            throw;
        }
    }

    private static void Discard(IFileSystem files, string path)
    {
        try
        {
            files.Delete(path);
        }
        catch (IOException)
        {
            // The next start removes it.
        }
    }
}
