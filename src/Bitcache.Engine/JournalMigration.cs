// Moves a ledger's journals from the data folder into PostgreSQL, or back (JournalCopy.cs copies and compares them). Keys, log and
// published epochs stay in the data folder: they follow from the entries, so that the log goes on unbroken. What a cluster has
// signed and keeps of epochs is in its database, and is copied into the data folder on the way back (SharedSettlement.cs).
//
// Nothing of the old journal is lost, and at no moment are there two that a server would open. Each move has a name. It stands in
// the database, in a table without which a server opens a schema and with which it does not (JournalDatabase.Moves.cs), and in
// the file `journal/move` of the side in files: 32 hex digits and a line feed. What changes, and what is there after a crash
// behind each step:
//
//   into the database                          a start finds                        the same command
//   1 make the schema, with the move's name    the folder                           goes on with the copy
//   2 copy, compare, write journal/move        the folder                           goes on with the copy
//   3 give `journal` another name              nothing: refused                     gives it its name back, goes on with the copy
//   4 take the move's name out                 the database                         -
//
//   into files
//   1 copy to `moving`, compare, write         the database                         goes on with the copy
//     moving/journal/move
//   2 put the move's name into the schema      nothing: refused                     gives it its name back, goes on with the copy
//     and give that another one, at once
//   3 give moving/journal its place            the folder                           -
//
// So whatever was taken up is compared as a whole with the original again before it counts. In step 2 and 4 the database also
// proves that nobody has opened its journals since: the writer epochs are those of the copying.

using System.Text;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Settlement;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Bitcache.Engine;

/// <summary>A partition's journal that was moved.</summary>
/// <param name="StateHash">That its entries come to, before and after.</param>
/// <param name="RecordsHash">SHA-256 of all its records, one behind the other, salts included: before and after.</param>
public sealed record MovedPartition(int Partition, long Entries, Hash256 StateHash, Hash256 RecordsHash);

/// <param name="Partitions">In the order of their numbers.</param>
/// <param name="PutAside">Where the old journal is kept.</param>
public sealed record MigrationReport(IReadOnlyList<MovedPartition> Partitions, string PutAside);

/// <summary>The journals cannot be moved. The old ones are as they were.</summary>
public sealed class MigrationRefusedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Told how many entries of a partition have been read.</summary>
/// <param name="what">What is done with them.</param>
public delegate void MigrationProgress(string what, int partition, long entries);

public static class JournalMigration
{
    private const string Journals = "journal";
    private const string Snapshots = "snapshots";
    /// <summary>Holds the copy in files until it is whole.</summary>
    private const string Staging = "moving";
    private const string Aside = ".moved";
    /// <summary>In the folder of the journals: the name of the move that they were last part of.</summary>
    private const string MoveFile = "move";

    /// <summary>Moves all partitions. The server must not run.</summary>
    /// <param name="from">The settings that the server ran with.</param>
    /// <param name="to">Those that it will run with: the same ledger in the same data folder, its journal elsewhere.</param>
    /// <exception cref="SettingsException">They are not such settings.</exception>
    /// <exception cref="MigrationRefusedException">There is nothing to move, what is there is another ledger's, or a copy does not
    /// come to the same.</exception>
    /// <exception cref="IOException">A journal cannot be read or written, or another process has it.</exception>
    public static MigrationReport Run(EngineSettings from, EngineSettings to, ILogger logger, MigrationProgress progress)
    {
        if (Problems(from, to) is { Count: > 0 } problems) throw new SettingsException(problems);
        var files = new LinuxFileSystem();
        if (!Directory.Exists(from.DataFolder)) throw new MigrationRefusedException($"there is no folder {from.DataFolder}");
        using var held = DataFolderLock.Take(files, from.DataFolder, from.ArchiveFolder ?? to.ArchiveFolder);
        RequireRenamable(from.DataFolder);
        try
        {
            return to.Journal == JournalKind.Postgres ? IntoDatabase(files, from, to, logger, progress) : IntoFiles(files, from, to, logger, progress);
        }
        catch (NpgsqlException e)
        {
            throw Interrupted(e);
        }
        catch (JournalFailedException e) when (e.InnerException is NpgsqlException said)
        {
            throw Interrupted(said);
        }
    }

    /// <summary>What is left in a data folder of a journal that was in it, or was being moved into it; null if nothing is.</summary>
    internal static string? FindTrace(string dataFolder) =>
        Path.Combine(dataFolder, Staging) is var staging && Directory.Exists(staging) ? staging : FoldersAside(dataFolder).FirstOrDefault();

    private static List<string> Problems(EngineSettings from, EngineSettings to)
    {
        List<string> problems = [.. from.Problems(), .. to.Problems()];
        void Require(bool holds, string problem)
        {
            if (!holds) problems.Add(problem);
        }

        Require(from.Journal != to.Journal, $"both settings have the journal in {from.Journal}: one must say files and the other postgres");
        Require(Path.GetFullPath(from.DataFolder) == Path.GetFullPath(to.DataFolder), "both settings must name the same dataFolder: the keys stay in it");
        Require(from.Origin == to.Origin && from.Network == to.Network && from.Partitions == to.Partitions, "both settings must have the same origin, network and partitions: it is one ledger");
        return problems;
    }

    private static JournalRefusedException Interrupted(NpgsqlException e) =>
        new($"PostgreSQL says: {e.Message}. Nothing is lost: the same command goes on where this one ended", e);

    private static MigrationReport IntoDatabase(LinuxFileSystem files, EngineSettings from, EngineSettings to, ILogger logger, MigrationProgress progress)
    {
        var (settings, journal) = (JournalStore.ToPostgres(to), Path.Combine(from.DataFolder, Journals));
        if (!FileJournal.IsIn(files, from.DataFolder))
        {
            // The last attempt may have come as far as this.
            if (JournalDatabase.FindMove(settings) is not { } begun || FoldersAside(from.DataFolder).FirstOrDefault(folder => MoveOf(folder) == begun) is not { } moved)
                throw new MigrationRefusedException($"there is no journal in {from.DataFolder}");
            Rename(files, moved, journal);
        }
        using var database = JournalDatabase.OpenCopy(settings, out var move);
        var (original, copy) = (JournalEnd.InFiles(files, from, from.DataFolder, "", logger), JournalEnd.InDatabase(database, "name an empty database", logger));
        var partitions = Copy(files, from, original, copy, progress);
        NameMove(files, journal, move);
        PutAside(files, from.DataFolder, Snapshots);
        var aside = PutAside(files, from.DataFolder, Journals)!;
        database.EndCopy(copy.Heads);
        return new MigrationReport(partitions, aside);
    }

    private static MigrationReport IntoFiles(LinuxFileSystem files, EngineSettings from, EngineSettings to, ILogger logger, MigrationProgress progress)
    {
        var (journal, staging) = (Path.Combine(to.DataFolder, Journals), Path.Combine(to.DataFolder, Staging));
        var staged = Path.Combine(staging, Journals);
        if (FileJournal.IsIn(files, to.DataFolder)) throw new MigrationRefusedException($"{journal} is there already: a server opens it with the settings that you move to");
        RequireNoArchive(to);
        var settings = JournalStore.ToPostgres(from);
        // The last attempt may have come as far as the schema's other name.
        if (!JournalDatabase.HasLedger(settings) && !(MoveOf(staged) is { } begun && JournalDatabase.TakeBack(settings, begun)))
            throw new MigrationRefusedException("the database holds no ledger");
        using var database = JournalDatabase.Open(settings);
        database.CheckMayPutAside();
        DurableFolder.Ensure(files, staging);
        var (original, copy) = (JournalEnd.InDatabase(database, "", logger), JournalEnd.InFiles(files, to, staging, $"delete {staging}, which holds nothing but copies", logger));
        // Of a cluster all machines share what they have signed: here it becomes this one's.
        if (from.Cluster.Length > 0) new SharedSettlement(PostgresFiles.OfSettlement(database), to.DataFolder).GiveBack();
        var partitions = Copy(files, from, original, copy, progress);
        var move = JournalDatabase.NewMove();
        NameMove(files, staged, move);
        var aside = database.PutAside(move, original.Heads);
        PutAside(files, to.DataFolder, Snapshots);
        Rename(files, staged, journal);
        files.SyncFolder(staging);
        files.DeleteFolder(staging);
        return new MigrationReport(partitions, aside);
    }

    private static List<MovedPartition> Copy(LinuxFileSystem files, EngineSettings settings, JournalEnd from, JournalEnd to, MigrationProgress progress)
    {
        var moved = JournalCopy.Run(settings, from, to, progress);
        // With one partition its entries are the log's; with several the log cannot have more than all of theirs.
        SignedMark.Open(files, Path.Combine(settings.DataFolder, "keys")).CheckReaches(moved.Sum(partition => partition.Entries));
        return moved;
    }

    /// <summary>What cannot be given another name would be found out at the end.</summary>
    private static void RequireRenamable(string dataFolder)
    {
        foreach (var name in (string[])[Journals, Snapshots, Staging])
        {
            if (Path.Combine(dataFolder, name) is var path && Libc.IsMountPoint(path))
                throw new MigrationRefusedException($"{path} is a mount point, which a move cannot give another name: mount that disk elsewhere, and make {path} a symbolic link to a folder on it, or a folder of the data folder's own disk");
        }
    }

    /// <summary>Segments of another journal must not be taken for this one's.</summary>
    private static void RequireNoArchive(EngineSettings to)
    {
        if (to.ArchiveFolder is { } archive && Directory.EnumerateFiles(archive, "*", SearchOption.AllDirectories).Any(path => SegmentHeader.TryParseFileName(Path.GetFileName(path), out _)))
            throw new MigrationRefusedException($"archiveFolder {archive} holds segments of a journal already: name an empty one");
    }

    private static void NameMove(LinuxFileSystem files, string journals, string move) => WholeFile.Write(files, journals, MoveFile, Encoding.ASCII.GetBytes(move + "\n"));

    private static string? MoveOf(string journals) => Path.Combine(journals, MoveFile) is var path && File.Exists(path) ? File.ReadAllText(path).TrimEnd('\n') : null;

    private static IEnumerable<string> FoldersAside(string dataFolder) => Directory.EnumerateDirectories(dataFolder, Journals + Aside + "*").Order(StringComparer.Ordinal);

    /// <summary>Gives a folder of journals the name under which a server opens it; durable when this returns.</summary>
    private static void Rename(LinuxFileSystem files, string folder, string journal)
    {
        // As a start that was refused leaves them: folders without files.
        if (Directory.Exists(journal))
        {
            foreach (var inner in Directory.EnumerateDirectories(journal)) files.DeleteFolder(inner);
            files.DeleteFolder(journal);
        }
        files.Rename(folder, journal);
        files.SyncFolder(Path.GetDirectoryName(journal)!);
    }

    /// <summary>Gives a folder another name; where it is then, or null if there was none.</summary>
    private static string? PutAside(LinuxFileSystem files, string dataFolder, string name)
    {
        var path = Path.Combine(dataFolder, name);
        if (!Directory.Exists(path)) return null;
        var aside = path + Aside;
        for (var number = 2; Directory.Exists(aside); number++) aside = $"{path}{Aside}-{number}";
        files.Rename(path, aside);
        files.SyncFolder(dataFolder);
        return aside;
    }
}
