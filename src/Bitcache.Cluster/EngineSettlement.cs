using Bitcache.Cluster.Grains;
using Bitcache.Engine;

namespace Bitcache.Cluster;

/// <summary>Settlement from this silo's engine.</summary>
/// <param name="address">Where the other silos reach this one's API.</param>
internal sealed class EngineSettlement(LedgerEngine engine, Uri address) : ISettlementHost
{
    public bool CanSettle => engine.MaySettle;
    public bool IsSettling => engine.IsSettling;
    public Uri Address => address;

    /// <summary>What it takes to begin may take long, or wait for the node: nobody waits for that.</summary>
    public Task TakeOverAsync(CancellationToken cancel)
    {
        engine.BeginSettling();
        return Task.CompletedTask;
    }

    public Task TakeTurnAsync()
    {
        engine.WakeSettlement();
        return Task.CompletedTask;
    }

    public Task HandOverAsync() => engine.EndSettlingAsync();
}
