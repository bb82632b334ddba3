using System.Runtime.ExceptionServices;
using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Simulation;

/// <summary>One life of the server's process, from the opening of the journal to a crash or an orderly end. The
/// simulation takes the turns of both of the partition's threads.</summary>
internal sealed class Life : IDisposable
{
    private readonly SimClock _clock;
    private readonly Oracle _oracle;
    private readonly Ledger _ledger;
    private readonly FileJournal _journal;
    private readonly SnapshotKeeper _snapshots;
#pragma warning disable CA2213 // The partition has no threads here, and the journal that both use is closed below.
    private readonly WatchedJournal _watched;
    private readonly OwnedPartition _partition;
#pragma warning restore CA2213
    // Where entries were decided while the clock was known to be wrong.
    private readonly List<(long From, long To)> _distrusted = [];
    private readonly List<UnixTime> _times = [];
    private readonly int _queueItems;
    private bool _beganRight;
    private bool _isOver;
    private bool _trusted;

    private Life(
        EpisodeSettings settings, SimClock clock, Oracle oracle, Planter bugs, Ledger ledger, FileJournal journal, SnapshotKeeper snapshots, SaltSource salts)
    {
        (_clock, _oracle, _ledger, _journal, _snapshots, _queueItems) = (clock, oracle, ledger, journal, snapshots, settings.Bounds.QueueItems);
        UnixTime? newest = ledger.Genesis is null ? null : ledger.Time;
        var gap = clock.Wall - (newest?.Milliseconds ?? clock.Wall);
        _beganRight = clock.IsRight && gap is >= 0 and <= Limits.TimeGapMillisecondsMax;
        _watched = new WatchedJournal(bugs.In(journal), ShowWhatIsDurable);
        _partition = new OwnedPartition(
            ledger, _watched, new BatchClock(clock, newest), NullLogger.Instance, (_, cause) => StoppedBy ??= cause, salts, settings.Bounds,
            snapshots);
        _trusted = _partition.IsClockTrusted;
        _times.Add(_partition.BatchTime);
        Subject = bugs.In(_partition, ledger);
    }

    public Subject Subject { get; }
    public OwnedPartition Partition => _partition;
    public FileJournal Journal => _journal;
    public SnapshotKeeper Snapshots => _snapshots;

    /// <summary>Whether it began with a snapshot, and replayed only the journal behind it.</summary>
    public bool IsFromSnapshot { get; private init; }

    /// <summary>Why the partition stopped, if it has.</summary>
    public Exception? StoppedBy { get; private set; }

    /// <summary>What was durable when the newest batch was answered: before its own sync.</summary>
    public long DurableBefore => _watched.DurableBefore;

    /// <summary>Whether the partition must trust its clock now; null where that depends on earlier lives.</summary>
    public bool? MustTrust => _beganRight ? Math.Abs(_clock.Wall - _clock.Now) <= SimClock.NoticedMilliseconds : null;

    /// <summary>Whether the disk was full at some time of this life, and whether the queue was.</summary>
    public bool HasBeenFull { get; set; }
    public bool QueueWasFull { get; private set; }

    /// <summary>How often the partition has begun or ceased to trust its clock.</summary>
    public int TrustChanges { get; private set; }

    /// <summary>The times of the partition's batches, one after the other.</summary>
    public IReadOnlyList<UnixTime> Times => _times;

    public Hash256 State => _ledger.StateHash();

    /// <summary>Loads the newest good snapshot, replays the journal behind it, and holds both against what is known:
    /// everything acknowledged is there as it was (P1, P13), and behind it only what was asked for and not yet answered (P2).</summary>
    public static Life Open(EpisodeSettings settings, IFileSystem files, SimClock clock, Oracle oracle, Planter bugs, SaltSource salts)
    {
        var folder = new SnapshotFolder(files, EpisodeSettings.DataFolder, 0, NullLogger.Instance);
        var loaded = folder.Load(secret: 1);
        var (ledger, next) = loaded is { } snapshot ? (snapshot.Ledger, snapshot.Start.NextSequence) : (new Ledger(0), 0);
        var scratch = new byte[Limits.RecordBytesMax];
        var journal = FileJournal.Open(files, EpisodeSettings.DataFolder, settings.Journal, batch =>
        {
            bugs.Replay(ledger, batch.Payload, scratch);
            for (var at = 0; at < batch.Payload.Length;)
            {
                Must.Hold(JournalRecord.TryReadHeader(batch.Payload[at..], out var length, out var covers), "A frame holds what is no record.");
                var record = batch.Payload.Slice(at, length);
                at += length;
                if (next < oracle.Next) Must.Hold(oracle.Holds(next, record), $"P1: sequence {next} is not what was acknowledged.");
                next += covers;
            }
        }, NullLogger.Instance, start: loaded?.Start);
        try
        {
            Must.Hold(next >= oracle.Next, $"P1: {oracle.Next} entries were acknowledged, {next} are there.");
            // Now that it has returned, nothing of it can be lost any more.
            if (next > oracle.Next) journal.ReadRecords(oracle.Next, next - oracle.Next, record => oracle.Take(record.ToArray()));
            var snapshots = new SnapshotKeeper(folder, settings.Snapshots, loaded?.Start.NextSequence ?? 0, NullLogger.Instance);
            var life = new Life(settings, clock, oracle, bugs, ledger, journal, snapshots, salts) { IsFromSnapshot = loaded is not null };
            if (oracle.Next > 0) Comparison.Require(ledger, oracle.Latest);
            return life;
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    /// <summary>The state that the whole journal leads to, without any snapshot.</summary>
    public static Hash256 Replay(EpisodeSettings settings, IFileSystem files, Planter bugs)
    {
        var ledger = new Ledger(0);
        var scratch = new byte[Limits.RecordBytesMax];
        FileJournal.Read(files, EpisodeSettings.DataFolder, settings.Journal, batch => bugs.Replay(ledger, batch.Payload, scratch), NullLogger.Instance);
        return ledger.StateHash();
    }

    /// <summary>Whether everything that was applied is on the disk.</summary>
    public bool IsDurable => _partition.DurableSequence + 1 == _ledger.NextSequence;

    /// <summary>So much is about to be put into the queue.</summary>
    public void Sending(int cost) => QueueWasFull |= _partition.QueuedItems + cost > _queueItems;

    /// <param name="syncs">Whether the owner makes small batches durable itself.</param>
    public void TakeOwnerTurn(bool syncs)
    {
        // Before anything of it can become durable.
        if (MustTrust == false) _distrusted.Add((_ledger.NextSequence, long.MaxValue));
        _partition.SyncsAlone = syncs;
        try
        {
            Subject.TakeOwnerTurn();
        }
        catch (Exception e) when (e is OutcomeUnknownException or OperationCanceledException)
        {
            Must.Hold(StoppedBy is not null, "The outcome is unknown, and the partition goes on.");
        }
        // Batches that are begun in one turn are begun at one time, unless the operator confirms the clock in it.
        if (_partition.IsClockTrusted != _trusted) TrustChanges++;
        _trusted = _partition.IsClockTrusted;
        if (_partition.BatchTime != _times[^1]) _times.Add(_partition.BatchTime);
        if (_distrusted.Count > 0 && _distrusted[^1] is (var from, long.MaxValue)) _distrusted[^1] = (from, _ledger.NextSequence);
        ThrowIfBroken();
    }

    public void TakeSyncTurn()
    {
        _partition.TakeSyncTurn(TimeSpan.Zero);
        ThrowIfBroken();
    }

    /// <summary>Lets the oracle see what is durable now. The owner syncs once in a turn: what that answers is looked at before
    /// anything more is durable.</summary>
    private void ShowWhatIsDurable()
    {
        _partition.SyncsAlone = false;
        var durable = _partition.DurableSequence;
        if (durable >= _oracle.Next) _partition.ReadRecords(_oracle.Next, durable + 1 - _oracle.Next, record => _oracle.Take(record.ToArray()));
    }

    /// <summary>To the partition a broken promise is a journal that fails.</summary>
    private void ThrowIfBroken()
    {
        if (StoppedBy is SimulationFailedException broken) ExceptionDispatchInfo.Throw(broken);
    }

    /// <summary>Nothing expires and no floor rises while the clock is known to be wrong.</summary>
    public void RequireTrust(Entry entry) =>
        Must.Hold(!_distrusted.Exists(d => entry.Sequence >= d.From && entry.Sequence < d.To), $"P12: {entry.Command} with a clock that is wrong.");

    /// <summary>From now on time is the operator's word.</summary>
    public void ClockConfirmed() => _beganRight = false;

    /// <summary>Ends the process's hold on its files; once is enough.</summary>
    public void Dispose()
    {
        if (_isOver) return;
        _isOver = true;
        _snapshots.Dispose();
        _journal.Dispose();
    }
}
