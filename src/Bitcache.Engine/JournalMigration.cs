// Moves a ledger's journals from the data folder into PostgreSQL, or back. Records are copied as they are, in order, and sealed in
// frames of the new journal; the copy is then replayed from its first entry, and must come to the state that the original comes
// to. Keys, log and published epochs stay in the data folder: they follow from the entries, so that the log goes on unbroken.
//
// Nothing of the old journal is lost, and at no moment are there two that a server would open. A copy in the database waits behind
// the journal in the folder, with which a server refuses it; one in files has another name until the database's has one. Whatever
// interrupts a move, the same command takes it up where it was.

using System.Buffers;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

/// <summary>A partition's journal that was moved.</summary>
/// <param name="StateHash">That its entries come to, before and after.</param>
public sealed record MovedPartition(int Partition, long Entries, Hash256 StateHash);

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

    /// <summary>Moves all partitions. The server must not run.</summary>
    /// <param name="from">The settings that the server ran with.</param>
    /// <param name="to">Those that it will run with: the same ledger in the same data folder, its journal elsewhere.</param>
    /// <exception cref="SettingsException">They are not such settings.</exception>
    /// <exception cref="MigrationRefusedException">There is nothing to move, what is there is another ledger's, or a copy does not
    /// come to the same state.</exception>
    /// <exception cref="IOException">A journal cannot be read or written, or another process has it.</exception>
    public static MigrationReport Run(EngineSettings from, EngineSettings to, ILogger logger, MigrationProgress progress)
    {
        if (Problems(from, to) is { Count: > 0 } problems) throw new SettingsException(problems);
        var files = new LinuxFileSystem();
        if (!Directory.Exists(from.DataFolder)) throw new MigrationRefusedException($"there is no folder {from.DataFolder}");
        using var held = DataFolderLock.Take(files, from.DataFolder, from.ArchiveFolder ?? to.ArchiveFolder);
        return to.Journal == JournalKind.Postgres ? IntoDatabase(files, from, to, logger, progress) : IntoFiles(files, from, to, logger, progress);
    }

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

    private static MigrationReport IntoDatabase(LinuxFileSystem files, EngineSettings from, EngineSettings to, ILogger logger, MigrationProgress progress)
    {
        if (!FileJournal.IsIn(files, from.DataFolder)) throw new MigrationRefusedException($"there is no journal in {from.DataFolder}");
        using var database = JournalDatabase.Open(JournalStore.ToPostgres(to));
        var moved = Copy(from, InFiles(files, from, from.DataFolder, logger), InDatabase(database, logger), progress);
        PutAside(files, from.DataFolder, Snapshots);
        // With this step, and no earlier one, the copy is the ledger's.
        return new MigrationReport(moved, PutAside(files, from.DataFolder, Journals)!);
    }

    private static MigrationReport IntoFiles(LinuxFileSystem files, EngineSettings from, EngineSettings to, ILogger logger, MigrationProgress progress)
    {
        var (journal, staging) = (Path.Combine(to.DataFolder, Journals), Path.Combine(to.DataFolder, Staging));
        if (FileJournal.IsIn(files, to.DataFolder)) throw new MigrationRefusedException($"{journal} is there already");
        RequireNoArchive(to);
        var settings = JournalStore.ToPostgres(from);
        IReadOnlyList<MovedPartition> moved;
        string aside;
        if (JournalDatabase.HasLedger(settings))
        {
            DurableFolder.Ensure(files, staging);
            using var database = JournalDatabase.Open(settings);
            moved = Copy(from, InDatabase(database, logger), InFiles(files, to, staging, logger), progress);
            aside = database.PutAside();
        }
        else
        {
            // The last attempt may have come as far as this.
            if (!FileJournal.IsIn(files, staging) || JournalDatabase.NewestAside(settings) is not { } newest)
                throw new MigrationRefusedException("the database holds no ledger");
            (moved, aside) = (Recount(to, InFiles(files, to, staging, logger), progress), newest);
        }
        PutAside(files, to.DataFolder, Snapshots);
        // Empty, if it is there.
        if (Directory.Exists(journal)) Directory.Delete(journal, recursive: true);
        files.Rename(Path.Combine(staging, Journals), journal);
        files.SyncFolder(staging);
        files.SyncFolder(to.DataFolder);
        files.DeleteFolder(staging);
        return new MigrationReport(moved, aside);
    }

    private static List<MovedPartition> Copy(EngineSettings settings, JournalEnd from, JournalEnd to, MigrationProgress progress)
    {
        var moved = new List<MovedPartition>();
        for (var partition = 0; partition < settings.Partitions; partition++)
        {
            MovedPartition original;
            using (var journal = to.Open(partition))
            {
                var copy = new RecordCopy(journal, to.Name);
                original = Replay(settings, partition, from, batch =>
                {
                    copy.Add(batch);
                    progress("copied", partition, batch.FirstSequence + batch.Sequences);
                });
                copy.Finish();
            }
            var copied = Replay(settings, partition, to, batch => progress("compared", partition, batch.FirstSequence + batch.Sequences));
            if (copied != original)
                throw new MigrationRefusedException($"partition {partition}: {from.Name} has {original.Entries} entries that come to the state {original.StateHash}, and the copy in {to.Name} has {copied.Entries} that come to {copied.StateHash}; it is another journal's, or damaged");
            moved.Add(original);
        }
        return moved;
    }

    private static List<MovedPartition> Recount(EngineSettings settings, JournalEnd end, MigrationProgress progress) =>
        [.. Enumerable.Range(0, settings.Partitions).Select(partition => Replay(settings, partition, end, batch => progress("compared", partition, batch.FirstSequence + batch.Sequences)))];

    /// <summary>What a partition's journal comes to.</summary>
    private static MovedPartition Replay(EngineSettings settings, int partition, JournalEnd end, ReplayBatch batches)
    {
        var ledger = new Ledger(partition, ClientIds.DrawSecret());
        try
        {
            using var replay = new ReplayPipeline(ledger);
            end.Read(partition, batch =>
            {
                batches(batch);
                replay.Add(batch);
            });
            replay.Finish();
            if (ledger.Genesis is { } genesis) CheckIdentity(settings, genesis, end.Name);
            else throw new MigrationRefusedException($"partition {partition} in {end.Name} is empty");
            ledger.CheckEveryBalance();
        }
        catch (Exception e) when (e is LedgerInvariantException or FormatException)
        {
            throw new MigrationRefusedException($"partition {partition} in {end.Name}: {e.Message}", e);
        }
        return new MovedPartition(partition, ledger.NextSequence, ledger.StateHash());
    }

    private static void CheckIdentity(EngineSettings settings, Genesis genesis, string name)
    {
        if (genesis.Origin == settings.Origin && genesis.Network == (byte)settings.Network && genesis.Partitions == settings.Partitions) return;
        throw new MigrationRefusedException($"{name} holds the ledger '{genesis.Origin}' on {(BitcoinNetwork)genesis.Network} with {genesis.Partitions} partitions, which the settings do not name");
    }

    /// <summary>Segments of another journal must not be taken for this one's.</summary>
    private static void RequireNoArchive(EngineSettings to)
    {
        if (to.ArchiveFolder is { } archive && Directory.EnumerateFiles(archive, "*", SearchOption.AllDirectories).Any(path => SegmentHeader.TryParseFileName(Path.GetFileName(path), out _)))
            throw new MigrationRefusedException($"archiveFolder {archive} holds segments of a journal already: name an empty one");
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

    private static JournalEnd InDatabase(JournalDatabase database, ILogger logger) => new(
        database.Name,
        partition => PostgresJournal.Open(database, partition, static _ => { }, logger),
        (partition, batches) => PostgresJournal.Read(database, partition, batches));

    /// <param name="folder">That holds <c>journal/</c>.</param>
    private static JournalEnd InFiles(LinuxFileSystem files, EngineSettings settings, string folder, ILogger logger) => new(
        folder,
        partition => FileJournal.Open(files, folder, JournalStore.ToFiles(settings, partition) with { PreparesSegments = false }, static _ => { }, logger),
        (partition, batches) => FileJournal.Read(files, folder, JournalStore.ToFiles(settings, partition), batches, logger));

    /// <summary>Where journals are, or will be.</summary>
    /// <param name="Open">To append to.</param>
    /// <param name="Read">Verifies the whole journal, and changes nothing.</param>
    private sealed record JournalEnd(string Name, Func<int, IRecoveredJournal> Open, Action<int, ReplayBatch> Read);

    /// <summary>Appends batches behind what the copy has already. Small ones go together, since each append is synced.</summary>
    private sealed class RecordCopy(IRecoveredJournal journal, string name)
    {
        private const int AppendBytes = 1 << 20;

        private readonly ArrayBufferWriter<byte> _gathered = new();
        private long _first = journal.DurableSequence + 1;
        private int _sequences;
        private long _read;

        public void Add(RecoveredBatch batch)
        {
            _read = batch.FirstSequence + batch.Sequences;
            var next = _first + _sequences;
            if (_read <= next) return;
            if (batch.FirstSequence != next) throw new MigrationRefusedException($"{name} holds {next} entries already, which is not where a batch ends: it is another journal's");
            if (_gathered.WrittenCount > 0 && _gathered.WrittenCount + batch.Payload.Length > AppendBytes) Append();
            _gathered.Write(batch.Payload);
            _sequences += batch.Sequences;
        }

        public void Finish()
        {
            if (_sequences > 0) Append();
            if (_first != _read) throw new MigrationRefusedException($"{name} holds {_first} entries already, and there are {_read}: it is another journal's");
            journal.Seal();
        }

        private void Append()
        {
            if (!journal.TryReserve(_gathered.WrittenCount)) throw new NoSpaceException($"there is no room for the journal in {name}");
            journal.Append(_gathered.WrittenSpan, _first, _sequences);
            (_first, _sequences) = (_first + _sequences, 0);
            _gathered.ResetWrittenCount();
        }
    }
}
