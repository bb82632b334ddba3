using System.Text;

namespace Bitcache.Engine.Files;

/// <summary>Small files that only their owner may read, written so that a crash leaves the old one or the new one.</summary>
public static class SecretFile
{
    /// <summary>Replaces or makes a file: a new file is written and synced, renamed over the old one, and the folder
    /// synced. The mode is 0600 from the first byte on.</summary>
    public static void Write(IFileSystem files, string folder, string name, string text)
    {
        var path = Path.Combine(folder, name);
        var fresh = path + ".new";
        files.Delete(fresh);
        using (var file = files.Create(fresh))
        {
            File.SetUnixFileMode(fresh, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            file.Write(0, Encoding.UTF8.GetBytes(text));
            file.SyncData();
        }
        File.Move(fresh, path, overwrite: true);
        files.SyncFolder(folder);
    }
}
