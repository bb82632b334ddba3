// Where a ledger's journals and snapshots are kept, as the settings say: files in the data folder, or PostgreSQL. All that the
// engine does beyond opening them is the same for both.

using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Settlement;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine;

/// <summary>What journals are kept in.</summary>
public enum JournalKind
{
    /// <summary>The data folder.</summary>
    Files,
    /// <summary>A database of a PostgreSQL server.</summary>
    Postgres,
}

/// <summary>The journals of one ledger, to be opened one by one. Disposed of after the last of them.</summary>
internal sealed class JournalStore : IDisposable
{
    private readonly EngineSettings _settings;
    private readonly IFileSystem _files;
    private readonly JournalDatabase? _database;
    private readonly ILogger _logger;

    private JournalStore(EngineSettings settings, IFileSystem files, JournalDatabase? database, ILogger logger) =>
        (_settings, _files, _database, _logger) = (settings, files, database, logger);

    /// <summary>What it is, for messages.</summary>
    internal string Name => _database?.Name ?? _settings.DataFolder;

    /// <param name="mark">What was signed for in this data folder.</param>
    /// <exception cref="SettingsException">The ledger's journal is elsewhere than the settings say.</exception>
    /// <exception cref="HistoryMismatchException">There is no journal, and entries were signed for. Nothing was made.</exception>
    /// <exception cref="JournalRefusedException">The database cannot be used.</exception>
    internal static JournalStore Open(EngineSettings settings, IFileSystem files, SignedMark mark, ILogger logger)
    {
        var isInFiles = FileJournal.IsIn(files, settings.DataFolder);
        if (settings.Journal == JournalKind.Files)
        {
            if (!isInFiles) CheckMayBegin(settings, mark);
            return new JournalStore(settings, files, null, logger);
        }
        if (isInFiles)
            throw new SettingsException([$"journal is postgres, and {settings.DataFolder} holds the journal of a ledger in files: set journal to files, move it (bitcache migrate), or name another dataFolder"]);
        var postgres = ToPostgres(settings);
        if (!JournalDatabase.HasLedger(postgres)) CheckMayBegin(settings, mark);
        return new JournalStore(settings, files, JournalDatabase.Open(postgres), logger);
    }

    /// <summary>Where a ledger was, no journal may begin anew, not even an empty one.</summary>
    private static void CheckMayBegin(EngineSettings settings, SignedMark mark)
    {
        // First, since the mark's refusal speaks of restoring a backup.
        if (JournalMigration.FindTrace(settings.DataFolder) is { } trace)
            throw new SettingsException([$"there is no journal where the settings say, and {trace} is left of one that was moved: start with the settings that it was moved to, give an interrupted bitcache migrate again, or name another dataFolder for another ledger"]);
        mark.CheckReaches(0);
    }

    /// <summary>Recovers one partition; from here on this process is its writer.</summary>
    internal RecoveredLedger<IRecoveredJournal> Recover(int partition, RecoveryTerms terms)
    {
        if (_database is not null) return General(LedgerRecovery.Open(_database, partition, Snapshots, terms, _logger));
        return General(LedgerRecovery.Open(_files, _settings.DataFolder, ToFiles(_settings, partition), terms, _logger));
    }

    private (IFileSystem, string)? Snapshots => _settings.SnapshotsInDatabase ? null : (_files, _settings.DataFolder);

    public void Dispose() => _database?.Dispose();

    internal static FileJournalSettings ToFiles(EngineSettings settings, int partition) => new()
    {
        Partition = partition,
        SegmentBytes = settings.SegmentMebibytes << 20,
        PreparesSegments = true,
        ArchiveFolder = settings.ArchiveFolder,
        ArchiveAfterSegments = settings.ArchiveAfterSegments,
    };

    internal static PostgresSettings ToPostgres(EngineSettings settings) => new()
    {
        ConnectionString = File.ReadLines(settings.PostgresConnectionFile!).FirstOrDefault(""),
        Origin = settings.Origin,
        Network = (byte)settings.Network,
        Partitions = settings.Partitions,
        Cluster = settings.Cluster,
        RunBytes = (long)settings.SegmentMebibytes << 20,
        ArchiveTablespace = settings.PostgresArchiveTablespace,
        ArchiveAfterRuns = settings.PostgresArchiveTablespace is null ? null : settings.ArchiveAfterSegments,
    };

    private static RecoveredLedger<IRecoveredJournal> General<TJournal>(RecoveredLedger<TJournal> recovered) where TJournal : IRecoveredJournal =>
        new(recovered.Ledger, recovered.Journal, recovered.Snapshots, recovered.Start);
}
