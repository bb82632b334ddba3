using Bitcache.Engine.Files;

namespace Bitcache.Engine.Journal;

/// <summary>Syncs one folder for several threads. The kernel tells an error to one caller and then forgets it: whoever
/// gets it here gets it for all, and no later sync succeeds.</summary>
internal sealed class FolderSync(IFileSystem files, string folder)
{
    private readonly Lock _lock = new();
    private IOException? _failure;

    internal string Folder => folder;

    /// <exception cref="JournalFailedException">This sync or an earlier one failed: the process must end.</exception>
    internal void Run()
    {
        lock (_lock)
        {
            try
            {
                if (_failure is null) files.SyncFolder(folder);
            }
            catch (IOException e)
            {
                _failure = e;
            }
            if (_failure is not null) throw new JournalFailedException($"Syncing the folder {folder} failed: what stands in it is unknown. End the process.", _failure);
        }
    }
}
