// Rebuilds a partition's ledger from its first entry, and holds it against every snapshot on the way (P13).

using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging;

namespace Bitcache.Engine.Snapshots;

/// <summary>What a replay came to.</summary>
/// <param name="Entries">In the whole journal, its archive included.</param>
/// <param name="TornBytes">Bytes of an unfinished write at its end, which were never acknowledged and are not part of it.</param>
/// <param name="Snapshots">Those that hold the state that the replay gave, the oldest first.</param>
public sealed record ReplayReport(
    int Partition, long Entries, int Segments, int Wallets, UnixTime Time, Hash256 StateHash, long TornBytes, IReadOnlyList<SnapshotName> Snapshots);

/// <summary>A snapshot does not hold what the entries before it give.</summary>
public sealed class ReplayDifferenceException(string message, Exception? inner = null) : Exception(message, inner);

public static class LedgerReplay
{
    /// <summary>Verifies the whole journal, replays it, and compares. Nothing is changed. The caller holds the folder's lock.</summary>
    /// <param name="progress">Told after each batch how many entries were replayed; may throw to give up.</param>
    /// <exception cref="ReplayDifferenceException">The first difference.</exception>
    /// <exception cref="JournalCorruptException">The journal is damaged.</exception>
    /// <exception cref="SnapshotMismatchException">The snapshots are another partition's.</exception>
    /// <exception cref="LedgerInvariantException">An entry does not follow from those before it.</exception>
    public static ReplayReport Run(IFileSystem files, string dataFolder, FileJournalSettings settings, ILogger logger, Action<long> progress)
    {
        var folder = new SnapshotFolder(files, dataFolder, settings.Partition, logger);
        var waiting = new Queue<SnapshotName>(folder.Named.OrderBy(s => s.NextSequence));
        var ledger = new Ledger(settings.Partition, ClientIds.DrawSecret());
        using var replay = new ReplayPipeline(ledger, after => Compare(after, waiting));
        var report = FileJournal.Read(files, dataFolder, settings, batch =>
        {
            replay.Add(batch);
            progress(batch.FirstSequence + batch.Sequences);
        }, logger);
        replay.Finish();
        if (waiting.TryPeek(out var beyond))
            throw new ReplayDifferenceException($"{beyond.FileName} holds the state of {beyond.NextSequence} entries, and the journal has {ledger.NextSequence}");
        if (ledger.NextSequence > 0) ledger.CheckEveryBalance();
        foreach (var named in folder.Named) Verify(folder, named);
        return new ReplayReport(
            settings.Partition, ledger.NextSequence, report.Segments, ledger.WalletCount, ledger.Time, ledger.StateHash(), report.TornBytes,
            [.. folder.Named.Reverse()]);
    }

    private static void Compare(Ledger ledger, Queue<SnapshotName> waiting)
    {
        if (!waiting.TryPeek(out var next) || ledger.NextSequence < next.NextSequence) return;
        waiting.Dequeue();
        if (ledger.NextSequence > next.NextSequence)
            throw new ReplayDifferenceException($"{next.FileName} holds the state of {next.NextSequence} entries, where no batch of the journal ends");
        if (ledger.StateHash() is var hash && hash != next.StateHash)
            throw new ReplayDifferenceException($"after {next.NextSequence} entries the state hash is {hash}, and {next.FileName} has {next.StateHash}");
    }

    private static void Verify(SnapshotFolder folder, SnapshotName named)
    {
        try
        {
            folder.Verify(named);
        }
        catch (IOException e) when (e is SnapshotDamagedException or FileNotFoundException)
        {
            throw new ReplayDifferenceException($"{folder.PathOf(named)} cannot be read: {e.Message}", e);
        }
    }
}
