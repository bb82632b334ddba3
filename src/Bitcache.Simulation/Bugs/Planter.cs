using Bitcache.Core;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.Simulation;

/// <summary>Puts one mistake, or none, where it belongs. One for each episode.</summary>
internal sealed class Planter(PlantedBug bug)
{
    /// <summary>Ids that were refused before the newest start.</summary>
    public HashSet<OperationId> Refused { get; } = [];

    public IFileSystem In(IFileSystem files) => bug is > PlantedBug.None and < PlantedBug.NoSeal ? new BuggyFileSystem(files, bug) : files;

    public IJournal In(IJournal journal) => bug is PlantedBug.NoSeal or PlantedBug.FailureSwallowed ? new BuggyJournal(journal, bug) : journal;

    public Subject In(OwnedPartition partition, Ledger ledger) => bug switch
    {
        PlantedBug.RefusalForgotten => new RefusalForgotten(partition, Refused),
        PlantedBug.InFlightAsKnown => new InFlightAsKnown(partition),
        PlantedBug.BlockHalfLost => new BlockHalfLost(partition),
        PlantedBug.FloorWithoutForgetting => new FloorWithoutForgetting(partition),
        PlantedBug.ForgettingWithoutFloor => new ForgettingWithoutFloor(partition),
        PlantedBug.ExpiredWithoutTrust => new ExpiredWithoutTrust(partition, ledger),
        PlantedBug.OldBalances => new OldBalances(partition),
        PlantedBug.DirtyRead => new DirtyRead(partition, ledger),
        PlantedBug.QueueDrops => new QueueDrops(partition),
        PlantedBug.UnknownCalledBusy => new UnknownCalledBusy(partition),
        PlantedBug.RetryPaysAgain => new RetryPaysAgain(partition),
        PlantedBug.StrangersPay => new StrangersPay(partition, ledger),
        PlantedBug.OneMsatMore => new OneMsatMore(partition),
        _ => new Subject(partition),
    };

    /// <summary>Replays a batch as recovery does.</summary>
    public void Replay(Ledger ledger, ReadOnlySpan<byte> payload, Span<byte> scratch)
    {
        if (bug is not (PlantedBug.SaltsDrawnInReplay or PlantedBug.RefusalForgotten))
        {
            ledger.ReplayBatch(payload, scratch);
            return;
        }
        while (JournalRecord.TryReadHeader(payload, out var length, out _))
        {
            var entry = Entry.Read(payload[..length]);
            var salt = bug == PlantedBug.SaltsDrawnInReplay ? entry.Salt + 1 : entry.Salt;
            if (entry.Outcome != Outcome.Accepted && entry.Command is ClientCommand refused) Refused.Add(refused.Id);
            var result = ledger.Apply(entry.Command, new ApplyContext(entry.Time, entry.Tenant, salt, ClockTrusted: false, IsReplay: true), scratch);
            if (!scratch[..result.BytesWritten].SequenceEqual(payload[..length]))
                throw new LedgerInvariantException($"entry {entry.Sequence} does not follow from the entries before it");
            payload = payload[length..];
        }
    }
}
