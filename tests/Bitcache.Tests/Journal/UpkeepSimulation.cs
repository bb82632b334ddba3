// Goal: whatever happens while filters are made and segments are moved, nothing acknowledged is lost, every id is
// found where it stands and no other, and after it all is where it belongs again.
// Method: a workload that is the same for a seed, appending and taking the upkeep's turns on one thread, stopped at one
// disk operation or failing at one sync; then recovery, more work, and a look at everything.

using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Journal;

internal sealed class UpkeepSimulation
{
    public const string Archive = "/slow";
    private const string DataFolder = "/data";
    private const int Steps = 70;

    private readonly Random _random;
    private readonly IFileSystem _files;
    private readonly FileJournalSettings _settings;
    private readonly Func<FileJournal, EntryId, long?> _find;
    private readonly List<EntryId> _submitted = [];
    private int _acknowledged;

    /// <param name="find">How an id is looked up; by the journal unless a mistake is planted.</param>
    public UpkeepSimulation(int seed, Func<IFileSystem, IFileSystem>? plant = null, Func<FileJournal, EntryId, long?>? find = null)
    {
        _random = new Random(seed);
        Disk = new SimDisk(_random.Next());
        Disk.MakeDurableFolder(DataFolder);
        Disk.MakeDurableFolder(Archive);
        _files = plant is null ? Disk : plant(Disk);
        _find = find ?? ((journal, identity) => journal.FindId(identity.Owner, identity.Id));
        // With few bits most look-ups find candidates that are others' records.
        _settings = new FileJournalSettings
        {
            SegmentBytes = 8 << 10,
            ArchiveFolder = Archive,
            ArchiveAfterSegments = 1 + _random.Next(2),
            IdKeyBits = seed % 2 == 0 ? 64 : 3,
        };
    }

    public SimDisk Disk { get; }

    /// <summary>What the fault hit.</summary>
    public string FirstHit { get; private set; } = "nothing";

    /// <summary>The whole of it. The fault is set on <see cref="Disk"/> before.</summary>
    /// <param name="powerLoss">Whether the machine stops, or only the process.</param>
    public void Run(bool powerLoss)
    {
        FirstHit = Live(Steps);
        Restart(powerLoss);
        Live(5);
        Restart(powerLoss: true);
        using var journal = Open();
        while (journal.Upkeep.TakeTurn())
        {
        }
        CheckIds(journal);
        CheckFiles();
    }

    /// <summary>Opens the journal and works, until the steps are done or a fault ends it. Returns what was being done
    /// then.</summary>
    private string Live(int steps)
    {
        var doing = "opening";
        try
        {
            using var journal = Open();
            // The first look is at what a crash has left: before any of it was mended.
            CheckIds(journal);
            for (; steps > 0; steps--) Step(journal, ref doing);
            return "nothing";
        }
        catch (Exception e) when (e is MachineStoppedException or (IOException and not JournalCorruptException))
        {
            return doing;
        }
    }

    private void Restart(bool powerLoss)
    {
        if (powerLoss) Disk.PowerLoss();
        else Disk.Restart();
    }

    private void Step(FileJournal journal, ref string doing)
    {
        switch (_random.Next(8))
        {
            case 0 or 1:
                doing = "upkeep";
                journal.Upkeep.TakeTurn();
                break;
            case 2 when _submitted.Count > 0:
                doing = "look-up";
                CheckId(journal, _random.Next(_submitted.Count));
                break;
            default:
                doing = "append";
                Append(journal);
                break;
        }
    }

    private void Append(FileJournal journal)
    {
        var first = _submitted.Count;
        var records = Enumerable.Range(first, 1 + _random.Next(3))
            .Select(number => IdRecord.Of(IdentityOf(number), number, referenceBytes: 60)).ToArray();
        Require(journal.TryReserve(records.Sum(record => record.Length)), "There was space, and none was found.");
        for (var i = 0; i < records.Length; i++) _submitted.Add(IdentityOf(first + i));
        journal.Append(TestBatch.Payload(records), first, records.Length);
        _acknowledged = _submitted.Count;
    }

    /// <summary>Times of ids rise, as those of clients do, but not with each one.</summary>
    private static EntryId IdentityOf(int number) => IdRecord.Identity(number, IdRecord.Time + (number / 10 * 1_000) + (number * 7 % 4_000));

    private FileJournal Open()
    {
        var replayed = 0;
        var journal = FileJournal.Open(_files, DataFolder, _settings, batch =>
        {
            foreach (var record in TestBatch.Split(batch.Payload))
            {
                Require(replayed < _submitted.Count && EntryId.TryRead(record, out var there) && there == _submitted[replayed], "P2: other records are there.");
                replayed++;
            }
        }, NullLogger.Instance);
        Require(replayed >= _acknowledged, $"P1: {_acknowledged} records were acknowledged, {replayed} are there.");
        _submitted.RemoveRange(replayed, _submitted.Count - replayed);
        _acknowledged = replayed;
        return journal;
    }

    private void CheckIds(FileJournal journal)
    {
        for (var number = 0; number < _submitted.Count; number++)
        {
            Require(journal.TryReadRecord(number, out var record) && EntryId.TryRead(record, out var there) && there == _submitted[number], $"Record {number} reads otherwise.");
            CheckId(journal, number);
        }
    }

    private void CheckId(FileJournal journal, int number)
    {
        var identity = _submitted[number];
        try
        {
            Require(_find(journal, identity) == number, $"The id of record {number} is not found there.");
            var stranger = identity with { Owner = new WalletId(77) };
            Require(_find(journal, stranger) is null, "An id is found under a wallet that never used it.");
        }
        catch (IdsNotIndexedException)
        {
            Require(!journal.Segments.ToArray()[..^1].All(segment => segment.Filter is { IsDamaged: false }), "Every filter is there, and a look-up is refused.");
        }
    }

    /// <summary>Each closed segment is in one folder, with its filter; nothing else is left.</summary>
    private void CheckFiles()
    {
        var names = Disk.Image().Where(file => file.Value is not null).Select(file => file.Key).ToArray();
        var segments = names.Where(name => name.EndsWith(SegmentHeader.Extension, StringComparison.Ordinal)).ToArray();
        Require(segments.Select(Path.GetFileName).Distinct().Count() == segments.Length, "A segment is in both folders.");
        var inPlace = segments.Where(name => name.StartsWith(DataFolder, StringComparison.Ordinal)).Order().ToArray();
        var archived = segments.Where(name => name.StartsWith(Archive, StringComparison.Ordinal)).ToArray();
        Require(inPlace.Length <= 1 + _settings.ArchiveAfterSegments, "Old segments were not moved.");
        Require(archived.Length == 0 || inPlace.Length == 1 + _settings.ArchiveAfterSegments, "Segments were moved too early.");
        var filters = inPlace[..^1].Concat(archived).Select(name => Path.ChangeExtension(name, IdFilter.Extension));
        var torn = names.Where(name => name.EndsWith(".torn", StringComparison.Ordinal));
        var expected = segments.Concat(filters).Concat(torn).Order().ToArray();
        Require(names.Order().SequenceEqual(expected), $"There is {string.Join(", ", names.Except(expected))}, and there is no {string.Join(", ", expected.Except(names))}.");
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition) throw new SimulationFailedException(otherwise);
    }
}
