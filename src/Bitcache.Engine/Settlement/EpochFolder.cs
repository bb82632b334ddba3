// What is kept of each epoch in files: `epochs/<n>/` with the names that an auditor finds in an export. All of them but the
// list of coins and the signatures over them can be made again from the journal; the list is durable before the cut, since nobody
// can ask a node later what was unspent at a block. The large ones can be made again from the others: in a cluster, whose silos
// share those, they lie on the machine that settles.

using System.Globalization;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <param name="files">With the folder, where the files are that must not be lost.</param>
/// <param name="derived">With its folder, where the large ones are.</param>
public sealed class EpochFolder(IFileSystem files, string folder, IFileSystem derived, string derivedFolder)
{
    private static readonly string[] LargeNames = [LinesName, LiabilitiesName, AllocationName, KeysName];

    /// <summary>All of them in one place.</summary>
    public EpochFolder(IFileSystem files, string folder) : this(files, folder, files, folder)
    {
    }

    public const string LiabilitiesName = "liabilities.csv";
    public const string AllocationName = "allocation.csv";
    public const string KeysName = "keys.csv";
    public const string ReservesProofName = ReservesProof.FileName;
    /// <summary>The same while signatures are missing: for nobody outside.</summary>
    public const string UnfinishedProofName = "reserves.unfinished";
    /// <summary>Where lines of the liabilities begin (<see cref="LineIndex"/>); written last of the large files.</summary>
    public const string LinesName = "liabilities.lines";
    /// <summary>What the large files are made of.</summary>
    public const string BalancesName = "balances";
    /// <summary>What was true of the chain at the cut: for nobody outside.</summary>
    public const string FactsName = "cut.json";
    /// <summary>Files of millions of rows are kept of so many epochs, the newest ones.</summary>
    public const int LargeFilesKept = 3;
    private const string UnfinishedExtension = ".new";
    private const int CopiedBytes = 1 << 20;

    public string PathOf(long epoch, string name) => Path.Combine(FolderOf(epoch, name), name);

    public bool Has(long epoch, string name) =>
        FilesOf(name).FolderExists(FolderOf(epoch, name)) && FilesOf(name).List(FolderOf(epoch, name)).Contains(name);

    /// <summary>The whole file, or null if there is none.</summary>
    public byte[]? Read(long epoch, string name) => Has(epoch, name) ? WholeFile.Read(FilesOf(name), PathOf(epoch, name)) : null;

    /// <summary>Makes or replaces a file. Durable when this returns.</summary>
    /// <exception cref="NoSpaceException">There is no room; nothing was changed.</exception>
    public void Write(long epoch, string name, ReadOnlySpan<byte> bytes)
    {
        DurableFolder.Ensure(FilesOf(name), FolderOf(epoch, name));
        WholeFile.Write(FilesOf(name), FolderOf(epoch, name), name, bytes);
    }

    /// <summary>The same for a file that is too long to be held in memory.</summary>
    /// <exception cref="NoSpaceException">There is no room; nothing was changed.</exception>
    public void Write(long epoch, string name, Action<ByteSink> write)
    {
        var place = FilesOf(name);
        DurableFolder.Ensure(place, FolderOf(epoch, name));
        var path = PathOf(epoch, name);
        var unfinished = path + UnfinishedExtension;
        place.Delete(unfinished);
        try
        {
            using var file = place.Create(unfinished);
            long end = 0;
            write(piece =>
            {
                file.Write(end, piece);
                end += piece.Length;
            });
            file.SyncData();
        }
        catch (NoSpaceException)
        {
            place.Delete(unfinished);
            throw;
        }
        place.Replace(unfinished, path);
        place.SyncFolder(FolderOf(epoch, name));
    }

    /// <summary>Gives up the large files of an epoch. They can be made again.</summary>
    public void DropLargeFiles(long epoch)
    {
        foreach (var name in LargeNames) Delete(epoch, name);
    }

    /// <summary>Makes the large files of an epoch.</summary>
    /// <exception cref="NoSpaceException">There is no room.</exception>
    public void WriteLargeFiles(long epoch, LiabilityTree tree)
    {
        var index = new LineIndex();
        Write(epoch, LiabilitiesName, sink => tree.WriteCsv(piece =>
        {
            index.Add(piece);
            sink(piece);
        }));
        Write(epoch, AllocationName, tree.WriteAllocation);
        Write(epoch, KeysName, tree.WriteKeys);
        Write(epoch, LinesName, index.ToArray());
    }

    /// <summary>A file to read.</summary>
    public IFile Open(long epoch, string name) => FilesOf(name).Open(PathOf(epoch, name));

    /// <summary>Removes a file, if it is there, for good.</summary>
    public void Delete(long epoch, string name)
    {
        if (!Has(epoch, name)) return;
        FilesOf(name).Delete(PathOf(epoch, name));
        FilesOf(name).SyncFolder(FolderOf(epoch, name));
    }

    /// <summary>Has another folder hold the same of some epochs, but for the large files.</summary>
    public void CopyTo(EpochFolder other, IEnumerable<long> epochs)
    {
        var buffer = new byte[CopiedBytes];
        foreach (var epoch in epochs)
        {
            var names = files.FolderExists(FolderOf(epoch)) ? files.List(FolderOf(epoch)) : [];
            foreach (var name in names.Where(name => !LargeNames.Contains(name) && !name.EndsWith(UnfinishedExtension, StringComparison.Ordinal)))
            {
                using var file = Open(epoch, name);
                other.Write(epoch, name, sink =>
                {
                    for (long at = 0; at < file.Length; at += buffer.Length) sink(buffer.AsSpan(0, file.Read(at, buffer)));
                });
            }
        }
    }

    private IFileSystem FilesOf(string name) => LargeNames.Contains(name) ? derived : files;

    private string FolderOf(long epoch, string name) => LargeNames.Contains(name) ? Under(derivedFolder, epoch) : FolderOf(epoch);

    private string FolderOf(long epoch) => Under(folder, epoch);

    private static string Under(string folder, long epoch) => Path.Combine(folder, epoch.ToString(CultureInfo.InvariantCulture));
}
