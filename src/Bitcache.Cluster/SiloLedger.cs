// The ledger of this silo, as its grains find it. Opened after the silo was built, because whatever it wants of the partitions
// that others have goes through grains, and before the silo starts, because from then on partitions come to it.

using Bitcache.Cluster.Grains;
using Bitcache.Engine.Journal.Postgres;
using Bitcache.Engine.Partitions;

namespace Bitcache.Cluster;

internal sealed class SiloLedger(WordToSilos word)
{
    // Written once, before the silo starts.
    private Filled? _filled;

    /// <summary>All partitions, wherever they are written.</summary>
    public PartitionSet Partitions => Ledger.Partitions;

    /// <summary>Those that are written here, for the others.</summary>
    public OwnPartitions Own => Ledger.Own;

    /// <summary>What has its copies follow.</summary>
    public JournalTail Tail => Ledger.Tail;

    public ISettlementHost Settlement => Ledger.Settlement;

    private Filled Ledger => _filled ?? throw new InvalidOperationException("the silo's ledger is not open yet");

    /// <summary>One partition, as this silo has it.</summary>
    public SharedPartition this[int partition] => (SharedPartition)Ledger.Partitions[partition];

    /// <param name="partitions">Of the kind that moves between processes, each of them.</param>
    /// <param name="shared">What they have in common.</param>
    public void Fill(PartitionSet partitions, SharedLedger shared, ISettlementHost settlement)
    {
        if (_filled is not null) throw new InvalidOperationException("the silo has a ledger already");
        _filled = new Filled(partitions, new OwnPartitions(partitions.All), shared.Tail, settlement);
        shared.Courier?.TellOf(word.TellAsync);
    }

    private sealed record Filled(PartitionSet Partitions, OwnPartitions Own, JournalTail Tail, ISettlementHost Settlement);
}
