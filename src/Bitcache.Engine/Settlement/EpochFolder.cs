// What is kept of each epoch in files: `epochs/<n>/` with the names that an auditor finds in an export. All of them but the
// list of coins and the signatures over them can be made again from the journal; the list is durable before the cut, since nobody
// can ask a node later what was unspent at a block.

using System.Globalization;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

public sealed class EpochFolder(IFileSystem files, string folder)
{
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

    public string PathOf(long epoch, string name) => Path.Combine(FolderOf(epoch), name);

    public bool Has(long epoch, string name) => files.FolderExists(FolderOf(epoch)) && files.List(FolderOf(epoch)).Contains(name);

    /// <summary>The whole file, or null if there is none.</summary>
    public byte[]? Read(long epoch, string name)
    {
        if (!Has(epoch, name)) return null;
        using var file = files.Open(PathOf(epoch, name));
        var bytes = new byte[file.Length];
        return file.Read(0, bytes) == bytes.Length ? bytes : throw new IOException($"{PathOf(epoch, name)} changed while it was read");
    }

    /// <summary>Makes or replaces a file. Durable when this returns.</summary>
    /// <exception cref="NoSpaceException">There is no room; nothing was changed.</exception>
    public void Write(long epoch, string name, ReadOnlySpan<byte> bytes)
    {
        DurableFolder.Ensure(files, FolderOf(epoch));
        WholeFile.Write(files, FolderOf(epoch), name, bytes);
    }

    /// <summary>The same for a file that is too long to be held in memory.</summary>
    /// <exception cref="NoSpaceException">There is no room; nothing was changed.</exception>
    public void Write(long epoch, string name, Action<ByteSink> write)
    {
        DurableFolder.Ensure(files, FolderOf(epoch));
        var path = PathOf(epoch, name);
        var unfinished = path + UnfinishedExtension;
        files.Delete(unfinished);
        try
        {
            using var file = files.Create(unfinished);
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
            files.Delete(unfinished);
            throw;
        }
        files.Replace(unfinished, path);
        files.SyncFolder(FolderOf(epoch));
    }

    /// <summary>Gives up the large files of an epoch. They can be made again.</summary>
    public void DropLargeFiles(long epoch)
    {
        foreach (var name in (string[])[LinesName, LiabilitiesName, AllocationName, KeysName]) Delete(epoch, name);
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
    public IFile Open(long epoch, string name) => files.Open(PathOf(epoch, name));

    /// <summary>Removes a file, if it is there, for good.</summary>
    public void Delete(long epoch, string name)
    {
        if (!Has(epoch, name)) return;
        files.Delete(PathOf(epoch, name));
        files.SyncFolder(FolderOf(epoch));
    }

    private string FolderOf(long epoch) => Path.Combine(folder, epoch.ToString(CultureInfo.InvariantCulture));
}
