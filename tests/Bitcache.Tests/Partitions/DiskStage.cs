using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>A journal in files on a disk that loses power.</summary>
internal sealed class DiskStage : PartitionStage
{
    private const string DataFolder = "/data";

    private readonly Random _random;
    private readonly SimDisk _disk;
    private readonly IFileSystem _files;
    private readonly Func<IJournal, IJournal> _plantJournal;

    public DiskStage(int seed, Func<IFileSystem, IFileSystem>? plant = null, Func<IJournal, IJournal>? plantJournal = null)
    {
        _plantJournal = plantJournal ?? (journal => journal);
        _random = new Random(seed);
        _disk = new SimDisk(_random.Next());
        _disk.MakeDurableFolder(DataFolder);
        _files = plant is null ? _disk : plant(_disk);
    }

    public override RecoveredLedger<IRecoveredJournal> Open(RecoveryTerms terms, ILogger log)
    {
        var (ledger, journal, snapshots, start) = LedgerRecovery.Open(
            _files, DataFolder, new FileJournalSettings { SegmentBytes = PartitionSimulation.SegmentBytes }, terms, log);
        return new RecoveredLedger<IRecoveredJournal>(ledger, journal, snapshots, start);
    }

    public override IJournal Plant(IRecoveredJournal journal) => _plantJournal(journal);

    public override void HaltWithin(int operations) => _disk.HaltAt = _disk.Operations + 1 + _random.Next(operations);

    /// <summary>Power is lost, or the process killed.</summary>
    public override void Crash()
    {
        if (_random.Next(3) == 0) _disk.Restart();
        else _disk.PowerLoss();
    }

    public override Ledger Replayed() => Replayed(_files, 0);

    /// <summary>The same of any partition.</summary>
    public static Ledger Replayed(IFileSystem files, int partition)
    {
        var ledger = new Ledger(partition);
        var scratch = new byte[Limits.RecordBytesMax];
        FileJournal.Read(files, DataFolder, new FileJournalSettings { Partition = partition }, batch => ledger.ReplayBatch(batch.Payload, scratch), NullLogger.Instance);
        return ledger;
    }
}
