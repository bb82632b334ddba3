// What the courier of legs puts into partitions' queues.

using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Legs for one partition, in order. What ends with no room left to write is offered again.</summary>
internal sealed class LegParcel(Leg[] legs, Action<bool> end) : WorkItem
{
    private int _applied;

    internal IReadOnlyList<Leg> Legs => legs;

    /// <summary>Legs are bounded before they are made: no queue is too full for them.</summary>
    internal override int Cost => 0;
    internal override bool Writes => true;

    internal override bool Run(Ledger ledger, Batch batch)
    {
        for (; _applied < legs.Length; _applied++)
        {
            if (batch.IsFull) return false;
            ref readonly var leg = ref legs[_applied];
            if (!FollowEpoch(ledger, batch, leg.Epoch)) return false;
            batch.Take(ledger.Apply(leg, batch.NewContext(Ledger.OperatorTenant), batch.Free));
        }
        return true;
    }

    internal override void Complete() => end(true);
    internal override void Fail(Exception reason) => end(false);

    /// <summary>Closes the epochs that are closed where a leg comes from; false if the batch is full.</summary>
    private static bool FollowEpoch(Ledger ledger, Batch batch, long epoch)
    {
        for (var next = (ledger.LastEpoch?.Number ?? 0) + 1; next <= epoch; next++)
        {
            if (batch.IsFull) return false;
            // It was cut under the term of its time.
            batch.Apply(ledger, new EpochCut(default, next), term: ledger.Term);
        }
        return !batch.IsFull;
    }
}

/// <summary>Tells a partition that legs of its own are durable where they went.</summary>
internal sealed class LegAcknowledgement(AcknowledgeLegs command, Action<bool> end) : WorkItem
{
    internal override int Cost => 0;
    internal override bool Writes => true;

    internal override bool Run(Ledger ledger, Batch batch)
    {
        batch.Apply(ledger, command);
        return true;
    }

    internal override void Complete() => end(true);
    internal override void Fail(Exception reason) => end(false);
}
