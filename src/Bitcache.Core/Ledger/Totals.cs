namespace Bitcache.Core;

/// <summary>The sums of one partition, in msat. What came in from Bitcoin or from other partitions and has not gone out
/// again is what is owed to wallets: that is conservation, checked after every batch.</summary>
public sealed record Totals
{
    // Liabilities, kept in step with every balance.
    public long Available { get; internal set; }
    public long Held { get; internal set; }
    public long Frozen { get; internal set; }
    public long Suspense { get; internal set; }
    /// <summary>Receivables of reversed deposits; those of frozen deposits are still covered by them.</summary>
    public long Owed { get; internal set; }

    // What Bitcoin says, kept in step with every deposit and family.
    public long Deposited { get; internal set; }
    public long ToppedUp { get; internal set; }
    public long Reversed { get; internal set; }
    public long Withdrawn { get; internal set; }
    public long MiningFees { get; internal set; }

    /// <summary>What other partitions sent here and arrived, less what was sent to them, whether or not it arrived there.</summary>
    public long FromPartitions { get; internal set; }

    /// <summary>wallets + holds + frozen + suspense - receivables.</summary>
    public long Inside => Available + Held + Frozen + Suspense - Owed;

    /// <summary>deposits + top-ups - reversed - withdrawn - mining fees.</summary>
    public long FromBitcoin => Deposited + ToppedUp - Reversed - Withdrawn - MiningFees;

    public bool IsConserved => Inside == FromBitcoin + FromPartitions;

    /// <summary>The sums of several partitions. What they sent each other and is still on its way is in <see cref="FromPartitions"/>,
    /// below zero; sums of different moments may have it above, where what was sent in between had arrived.</summary>
    public static Totals Sum(IEnumerable<Totals> partitions)
    {
        var sum = new Totals();
        foreach (var one in partitions)
        {
            sum.Available += one.Available;
            sum.Held += one.Held;
            sum.Frozen += one.Frozen;
            sum.Suspense += one.Suspense;
            sum.Owed += one.Owed;
            sum.Deposited += one.Deposited;
            sum.ToppedUp += one.ToppedUp;
            sum.Reversed += one.Reversed;
            sum.Withdrawn += one.Withdrawn;
            sum.MiningFees += one.MiningFees;
            sum.FromPartitions += one.FromPartitions;
        }
        return sum;
    }

    /// <summary>What is owed to wallets and to suspense, receivables not deducted.</summary>
    public long Liabilities => Available + Held + Frozen + Suspense;
}
