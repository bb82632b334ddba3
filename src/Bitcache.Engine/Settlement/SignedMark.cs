// What was signed last, kept beside the key that signed it. Whoever starts the server on an older or emptied journal
// would otherwise sign a second root for a size that others hold a signature of.

using System.Globalization;
using System.Text;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>The journal on this disk is not the one whose log was signed with this key. Nothing was changed.</summary>
public sealed class HistoryMismatchException(string found) : IOException(
    $"{found} Is the journal's volume mounted, and is it the newest copy? Restore the journal that belongs to this key. "
    + "Nothing was changed, and nothing is signed until it fits.");

/// <summary>The size and root of the newest signed checkpoint, durable before the signature is made. Owned by
/// <see cref="LogKeeper"/>.</summary>
internal sealed class SignedMark
{
    private const string FileName = "last-signed";
    private readonly IFileSystem _files;
    private readonly string _folder;
    private Hash256 _root;

    private SignedMark(IFileSystem files, string folder) => (_files, _folder) = (files, folder);

    /// <summary>Statements that were signed for; 0 before the first checkpoint.</summary>
    public long Size { get; private set; }

    /// <exception cref="SettingsException">The file does not hold a size and a root.</exception>
    public static SignedMark Open(IFileSystem files, string folder)
    {
        var mark = new SignedMark(files, folder);
        if (!IsIn(files, folder)) return mark;
        var path = Path.Combine(folder, FileName);
        var words = Encoding.ASCII.GetString(WholeFile.Read(files, path)).TrimEnd('\n').Split(' ');
        if (words.Length != 2 || !long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out var size) || !Hash256.TryParse(words[1], out var root))
            throw new SettingsException([$"{path} does not hold the size and root that were signed last: restore it from its backup"]);
        (mark.Size, mark._root) = (size, root);
        return mark;
    }

    /// <summary>Whether anything was signed for that is kept there.</summary>
    public static bool IsIn(IFileSystem files, string folder) => files.FolderExists(folder) && files.List(folder).Contains(FileName);

    /// <summary>Keeps that nothing was signed for.</summary>
    public static void Begin(IFileSystem files, string folder) => Write(files, folder, 0, default);

    /// <summary>Keeps the same elsewhere, from now on instead.</summary>
    public static void Copy(IFileSystem from, string folder, IFileSystem to, string toFolder) =>
        WholeFile.Write(to, toFolder, FileName, WholeFile.Read(from, Path.Combine(folder, FileName)));

    /// <summary>Refuses a journal, or those of all partitions together, that end before what was signed.</summary>
    /// <param name="entries">How many entries there are; of several partitions those that the newest cut covers.</param>
    /// <exception cref="HistoryMismatchException">Entries that were durable once are missing.</exception>
    public void CheckReaches(long entries)
    {
        if (entries < Size) throw new HistoryMismatchException($"The journal ends after {entries} entries, but {Size} were signed for with the key in {_folder}.");
    }

    /// <summary>Whether the log that was signed had this root at <see cref="Size"/>; any root will do where nothing was.</summary>
    public bool IsRoot(Hash256 root) => Size == 0 || root == _root;

    /// <summary>Refuses a journal with another history.</summary>
    public HistoryMismatchException Mismatch() =>
        new($"The first {Size} entries of the journal are not those that were signed for with the key in {_folder}.");

    /// <summary>Makes it durable that a checkpoint of this size is about to be signed.</summary>
    public void Advance(long size, Hash256 root)
    {
        if (size < Size || (size == Size && root != _root)) throw new LedgerInvariantException($"a second history would be signed at size {size}; {Size} was signed before");
        if (size == Size) return;
        Write(_files, _folder, size, root);
        (Size, _root) = (size, root);
    }

    private static void Write(IFileSystem files, string folder, long size, Hash256 root) =>
        WholeFile.Write(files, folder, FileName, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{size} {root}\n")));
}
