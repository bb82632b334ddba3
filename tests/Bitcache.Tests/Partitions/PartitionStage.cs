// What a simulated partition stands on, and in which ways that fails: a simulated disk, or another journal's own faults.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging;

namespace Bitcache.Tests.Partitions;

internal abstract class PartitionStage
{
    /// <summary>Recovers the partition.</summary>
    public abstract RecoveredLedger<IRecoveredJournal> Open(RecoveryTerms terms, ILogger log);

    /// <summary>The journal as the partition uses it.</summary>
    public virtual IJournal Plant(IRecoveredJournal journal) => journal;

    /// <summary>Has what the partition stands on fail within so many operations.</summary>
    public abstract void HaltWithin(int operations);

    /// <summary>Its process has ended.</summary>
    public abstract void Crash();

    /// <summary>The ledger that the whole journal leads to, without any snapshot.</summary>
    public abstract Ledger Replayed();
}
