// Goal: whatever the disk does, a journal that opens holds every acknowledged batch (P1), and beyond them a prefix of
// what was submitted, in whole batches (P2); and a disk that has only lost power is never refused.
// Method: a random workload against SimDisk, stopped at a random operation, then recovery, which may be stopped too;
// what is replayed is compared with a list of all batches submitted.

using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

internal sealed class JournalSimulation
{
    private const string DataFolder = "/data";
    private const int OperationsBeforeHaltMax = 150;
    private const int StepsMax = 60;

    private readonly Random _random;
    private readonly IFileSystem _files;
    private readonly FileJournalSettings _settings;
    private readonly List<byte[][]> _submitted = [];
    private readonly bool _rolling;
    private int _acknowledged;
    private long _next;

    /// <summary>A workload of its own for each seed; rolling makes one that begins a segment with each batch.</summary>
    public JournalSimulation(int seed, Func<IFileSystem, IFileSystem>? plant = null, bool rolling = false)
    {
        _random = new Random(seed);
        Disk = new SimDisk(_random.Next());
        Disk.MakeDurableFolder(DataFolder);
        _files = plant is null ? Disk : plant(Disk);
        _settings = new FileJournalSettings { SegmentBytes = rolling ? 8192 : 8192 + (8 * _random.Next(2048)) };
        _rolling = rolling;
    }

    public SimDisk Disk { get; }

    /// <summary>What happened, to show that the simulation reaches what it is for.</summary>
    public Dictionary<string, int> Events { get; } = [];

    /// <summary>Lives that end in a power loss, a kill or an orderly stop, and at the end two recoveries that must agree.</summary>
    public void RunPowerLosses()
    {
        for (var lives = 1 + _random.Next(4); lives > 0; lives--)
        {
            Disk.HaltAt = Disk.Operations + 1 + _random.Next(OperationsBeforeHaltMax);
            var opened = false;
            try
            {
                using var journal = Open();
                opened = true;
                Work(journal, _random.Next(StepsMax));
                if (_random.Next(2) == 0) journal.Seal();
            }
            catch (MachineStoppedException)
            {
                Count(opened ? "stopped at work" : "stopped while opening");
            }
            if (_random.Next(3) == 0) Disk.Restart();
            else Disk.PowerLoss();
        }
        using (var first = Open()) Require(first.DurableSequence == _next - 1, "The end is not where the replay ended.");
        var image = Disk.Image();
        Disk.PowerLoss();
        using var second = Open();
        Require(second.Recovery is { TornBytes: 0, UndoneSegment: null }, "A second recovery found something to repair.");
        Require(image.Keys.SequenceEqual(Disk.Image().Keys) && image.All(file => Same(file.Value, Disk.Image()[file.Key])), "A second recovery changed the journal.");
        ReadAll(second);
    }

    private static bool Same(byte[]? a, byte[]? b) => a is null ? b is null : a.AsSpan().SequenceEqual(b);

    /// <summary>Works until the k-th sync fails, requires that the journal stops there, and recovers. Returns what
    /// the journal was doing.</summary>
    public string RunFailedSync(int k, bool powerLoss)
    {
        Disk.FailSyncAt = k;
        var failed = "opening";
        try
        {
            using var journal = Open();
            failed = WorkUntilFailed(journal, k);
        }
        catch (IOException e) when (e is not JournalFailedException and not JournalCorruptException)
        {
        }
        if (powerLoss) Disk.PowerLoss();
        else Disk.Restart();
        using (var journal = Open())
        {
            Work(journal, 5);
        }
        Disk.PowerLoss();
        using (var journal = Open()) ReadAll(journal);
        Require(failed != "nothing", "A sync failed and the journal went on.");
        return failed;
    }

    private string WorkUntilFailed(FileJournal journal, int k)
    {
        var doing = "append";
        try
        {
            while (Disk.Syncs <= k)
            {
                var batch = NewBatch();
                doing = "reserve";
                if (_random.Next(8) == 0) journal.PrepareSegment();
                if (Disk.Syncs < k) doing = "segment";
                if (!journal.TryReserve(batch.Sum(record => record.Length))) continue;
                doing = "append";
                Append(journal, batch);
                if (_random.Next(8) != 0) continue;
                doing = "seal";
                journal.Seal();
            }
            return "nothing";
        }
        catch (JournalFailedException)
        {
            RequireStopped(journal);
            return Disk.FolderSyncFailed ? "folder" : doing;
        }
    }

    private void RequireStopped(FileJournal journal)
    {
        var before = Disk.Operations;
        Assert.Throws<JournalFailedException>(() => journal.TryReserve(1));
        Assert.Throws<JournalFailedException>(() => journal.Append(TestBatch.Record(8, 1, 0), _next, 1));
        Assert.Throws<JournalFailedException>(journal.Seal);
        Assert.Throws<JournalFailedException>(() => journal.TryReadRecord(0, out _));
        Require(Disk.Operations == before, "A journal that has failed touched the disk.");
    }

    private void Work(FileJournal journal, int steps)
    {
        for (; steps > 0; steps--)
        {
            var action = _random.Next(20);
            Disk.Full = action == 0;
            if (action == 1) journal.Seal();
            else if (action == 2) ReadOne(journal);
            else if (action == 3) journal.PrepareSegment();
            else TryAppend(journal);
        }
        Disk.Full = false;
    }

    private void TryAppend(FileJournal journal)
    {
        var batch = NewBatch();
        if (journal.TryReserve(batch.Sum(record => record.Length))) Append(journal, batch);
        else
        {
            Require(Disk.Full, "There was space, and none was found.");
            Count("no space");
        }
    }

    private void Append(FileJournal journal, byte[][] batch)
    {
        var sequences = batch.Sum(TestBatch.Sequences);
        _submitted.Add(batch);
        journal.Append(TestBatch.Payload(batch), _next, sequences);
        _acknowledged = _submitted.Count;
        _next += sequences;
        Require(journal.DurableSequence == _next - 1, "An appended batch is not durable.");
    }

    private byte[][] NewBatch()
    {
        if (_rolling) return [TestBatch.Record(2000 + _random.Next(1800), 1, _random.Next())];
        var batch = new byte[1 + _random.Next(4)][];
        for (var i = 0; i < batch.Length; i++)
        {
            var bytes = JournalRecord.HeaderBytes + _random.Next(_random.Next(6) == 0 ? 900 : 90);
            batch[i] = TestBatch.Record(bytes, 1 + (_random.Next(5) == 0 ? _random.Next(4) : 0), _random.Next());
        }
        return batch;
    }

    /// <summary>Opens the journal and compares what it replays with what was submitted; goes on from there.</summary>
    private FileJournal Open()
    {
        var replayed = new List<byte[][]>();
        long next = 0;
        var journal = FileJournal.Open(_files, DataFolder, _settings, batch =>
        {
            Require(batch.FirstSequence == next, "A batch does not begin where the one before ended.");
            next += batch.Sequences;
            replayed.Add([.. TestBatch.Split(batch.Payload)]);
        }, NullLogger.Instance);
        Require(replayed.Count >= _acknowledged, $"P1: {_acknowledged} batches were acknowledged, {replayed.Count} are there.");
        Require(replayed.Count <= _submitted.Count, "P2: more batches are there than were submitted.");
        for (var i = 0; i < replayed.Count; i++)
            Require(TestBatch.Payload(replayed[i]).AsSpan().SequenceEqual(TestBatch.Payload(_submitted[i])), $"P2: batch {i} is not the one submitted.");
        _submitted.RemoveRange(replayed.Count, _submitted.Count - replayed.Count);
        if (replayed.Count > _acknowledged) Count("unacknowledged batch kept");
        if (journal.Recovery.TornBytes > 0) Count("torn tail cut");
        if (journal.Recovery.UndoneSegment is not null) Count("segment undone");
        if (journal.Recovery.Segments > 1) Count("several segments");
        (_acknowledged, _next) = (replayed.Count, next);
        return journal;
    }

    private void ReadOne(FileJournal journal)
    {
        if (_submitted.Count == 0) return;
        var at = _random.Next(_submitted.Count);
        var first = _submitted.Take(at).Sum(batch => (long)batch.Sum(TestBatch.Sequences));
        Require(journal.TryReadRecord(first, out var record) && record.AsSpan().SequenceEqual(_submitted[at][0]), $"The record of sequence {first} reads otherwise.");
    }

    private void ReadAll(FileJournal journal)
    {
        long sequence = 0;
        foreach (var record in _submitted.SelectMany(batch => batch))
        {
            for (var covered = TestBatch.Sequences(record); covered > 0; covered--, sequence++)
                Require(journal.TryReadRecord(sequence, out var read) && read.AsSpan().SequenceEqual(record), $"The record of sequence {sequence} reads otherwise.");
        }
        Require(!journal.TryReadRecord(sequence, out _), "There is a record after the last.");
    }

    private void Count(string what) => Events[what] = Events.GetValueOrDefault(what) + 1;

    private static void Require(bool condition, string otherwise)
    {
        if (!condition) throw new SimulationFailedException(otherwise);
    }
}
