// Mistakes of the plausible kind between partitions, each a line that somebody could have written, put in front of the
// courier or into the table of what is on its way.

using System.Runtime.CompilerServices;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

internal enum LegBug
{
    None,
    /// <summary>The destination credits, and does not count.</summary>
    WatermarkNotAdvanced,
    /// <summary>A parcel is called arrived when it is applied, not when it is durable.</summary>
    AcknowledgedBeforeDurable,
    /// <summary>A leg leaves with the debit, before that is durable.</summary>
    SentBeforeDurable,
    /// <summary>What was not taken up is not offered again.</summary>
    LostOnRetry,
    /// <summary>A destination that is an epoch behind credits all the same.</summary>
    EpochNotFollowed,
    /// <summary>A snapshot has the debits, and not what is on its way because of them.</summary>
    LeftOutOfSnapshot,
    /// <summary>A leg that comes again is taken for a new one.</summary>
    CreditedTwice,
    /// <summary>What was acknowledged is what was sent.</summary>
    AcknowledgedTooMuch,
    /// <summary>A restart takes what was under way for arrived.</summary>
    NotSentAfterRestart,

    // Between processes:

    /// <summary>Whoever takes a destination over asks a copy that lags.</summary>
    AnswerIsOld,
    /// <summary>A writer that was replaced and has nothing to write goes on to take what it has for what there is.</summary>
    ReplacedUnaware,
    /// <summary>A writer that cannot tell what is durable lets its legs go.</summary>
    GivenUpAndSent,
}

internal sealed class LegPlanter(LegBug bug)
{
    private readonly Dictionary<(int From, int To), long> _early = [];

    /// <summary>Puts an item into a partition's queue, or what a mistake makes of it.</summary>
    public bool Hand(Partition partition, WorkItem item)
    {
        if (item is LegAcknowledgement && bug == LegBug.AcknowledgedTooMuch) item = new AcknowledgeAll(item);
        if (item is not LegParcel parcel) return partition.TryEnqueue(item);
        switch (bug)
        {
            case LegBug.AcknowledgedBeforeDurable:
                return partition.TryEnqueue(new Between(item, completeAtOnce: true));
            case LegBug.LostOnRetry:
                if (!partition.TryEnqueue(new Between(item, completeOnFailure: true))) item.Complete();
                return true;
            case LegBug.EpochNotFollowed:
                return partition.TryEnqueue(new Changed(item, parcel.Legs, (_, leg) => leg with { Epoch = 0 }));
            case LegBug.CreditedTwice:
                return partition.TryEnqueue(new Changed(item, parcel.Legs, (there, leg) => leg with { Number = there.LegsReceivedFrom(leg.Source) + 1 }));
            case LegBug.WatermarkNotAdvanced:
                return partition.TryEnqueue(new Changed(item, parcel.Legs, (there, leg) => leg, (there, leg) => LegsOf(there).Receive(leg.Source, leg.Number - 1)));
            default:
                return partition.TryEnqueue(item);
        }
    }

    /// <summary>After a turn of the owner thread: batches wait for their sync.</summary>
    public void AfterOwnerTurn(OwnedPartition source, IReadOnlyList<OwnedPartition> partitions)
    {
        if (bug != LegBug.SentBeforeDurable) return;
        foreach (var legs in WaitingIn(source).GroupBy(leg => leg.Destination))
        {
            var before = _early.GetValueOrDefault((source.Number, legs.Key));
            Leg[] early = [.. legs.Where(leg => leg.Number > before)];
            if (early.Length == 0) continue;
            partitions[legs.Key].TryEnqueue(new LegParcel(early, _ => { }));
            _early[(source.Number, legs.Key)] = early[^1].Number;
        }
    }

    /// <summary>Legs of batches that wait for their sync.</summary>
    public static IReadOnlyList<Leg> WaitingIn(OwnedPartition source) => [.. FilledOf(source).Waiting.SelectMany(batch => batch.Legs)];

    /// <summary>After recovery, before anything is sent.</summary>
    /// <param name="from">The first entry behind the snapshot that the recovery began with; 0 without one.</param>
    public void AfterRecovery(Ledger ledger, long from, int partitions)
    {
        _early.Clear();
        for (var to = 0; to < partitions; to++)
        {
            var lost = bug switch
            {
                LegBug.LeftOutOfSnapshot => ledger.LegsTo(to).LastOrDefault(leg => leg.Sequence < from).Number,
                LegBug.NotSentAfterRestart => ledger.LegsTo(to).LastOrDefault().Number,
                _ => 0,
            };
            if (lost > 0) LegsOf(ledger).Acknowledge(to, lost);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_legs")]
    private static extern ref LegTable LegsOf(Ledger ledger);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_filled")]
    private static extern ref BatchQueue FilledOf(OwnedPartition partition);

    /// <summary>An item that ends otherwise than it should.</summary>
    private sealed class Between(WorkItem item, bool completeAtOnce = false, bool completeOnFailure = false) : WorkItem
    {
        internal override int Cost => item.Cost;
        internal override bool Writes => item.Writes;

        internal override bool Run(Ledger ledger, Batch batch)
        {
            var finished = item.Run(ledger, batch);
            if (finished && completeAtOnce) item.Complete();
            return finished;
        }

        internal override void Complete()
        {
            if (!completeAtOnce) item.Complete();
        }

        internal override void Fail(Exception reason)
        {
            if (completeOnFailure && reason is PartitionUnavailableException) item.Complete();
            else if (!completeAtOnce) item.Fail(reason);
        }
    }

    /// <summary>A parcel whose legs are not those that were sent.</summary>
    private sealed class Changed(WorkItem item, IReadOnlyList<Leg> legs, Func<Ledger, Leg, Leg> change, Action<Ledger, Leg>? after = null) : WorkItem
    {
        internal override int Cost => item.Cost;
        internal override bool Writes => item.Writes;

        internal override bool Run(Ledger ledger, Batch batch)
        {
            foreach (var leg in legs)
            {
                if (!new LegParcel([change(ledger, leg)], _ => { }).Run(ledger, batch)) return false;
                after?.Invoke(ledger, leg);
            }
            return true;
        }

        internal override void Complete() => item.Complete();
        internal override void Fail(Exception reason) => item.Fail(reason);
    }

    /// <summary>Acknowledges whatever is on its way.</summary>
    private sealed class AcknowledgeAll(WorkItem item) : WorkItem
    {
        internal override int Cost => item.Cost;
        internal override bool Writes => item.Writes;

        internal override bool Run(Ledger ledger, Batch batch)
        {
            var finished = item.Run(ledger, batch);
            for (var to = 0; to < ledger.Genesis!.Partitions; to++)
            {
                if (ledger.LegsTo(to).LastOrDefault().Number is > 0 and var last) LegsOf(ledger).Acknowledge(to, last);
            }
            return finished;
        }

        internal override void Complete() => item.Complete();
        internal override void Fail(Exception reason) => item.Fail(reason);
    }
}
