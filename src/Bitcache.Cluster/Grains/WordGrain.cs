// Word from silo to silo that a partition has sent something to others: their copies of it look at its journal at once. Word that is
// lost costs the 20 ms until they look anyway.

using Bitcache.Cluster.Placement;
using Bitcache.Engine.Partitions;
using Orleans.Concurrency;

namespace Bitcache.Cluster.Grains;

/// <summary>The key is the address of the silo that hears it (<see cref="AtSilo"/>).</summary>
internal interface IWordGrain : IGrainWithStringKey
{
    /// <param name="news">Partitions, each followed by the sequence up to which it is durable.</param>
    Task TellAsync(Immutable<long[]> news);
}

[Reentrant, AtSilo]
internal sealed class WordGrain(SiloLedger ledger) : Grain, IWordGrain
{
    public Task TellAsync(Immutable<long[]> news)
    {
        foreach (var one in news.Value.Chunk(2)) ledger.Tail.Wake((int)one[0], one[1]);
        return Task.CompletedTask;
    }
}

/// <summary>Tells all other silos.</summary>
internal sealed class WordToSilos(IGrainFactory grains, ISiloStatusOracle silos, TimeProvider time)
{
    /// <summary>How long one silo may keep word from the others: longer than any takes that is well.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    /// <summary>Done when all have it, or it is lost. See <see cref="LegCourier.TellOf"/>.</summary>
    public Task TellAsync(IReadOnlyList<SentThrough> news)
    {
        var told = new Immutable<long[]>([.. news.SelectMany(one => new[] { one.Partition, one.Sequence })]);
        return Task.WhenAll(silos.GetActiveSilos().Where(silo => !silo.Equals(silos.SiloAddress)).Select(silo =>
            grains.GetGrain<IWordGrain>(silo.ToParsableString()).TellAsync(told).WaitAsync(Patience, time)));
    }
}
