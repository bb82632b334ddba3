using System.Collections.Concurrent;
using Bitcache.Cluster.Placement;
using Bitcache.Core;

namespace Bitcache.Cluster.Grains;

/// <summary>The wallets with a grain on this silo that has observers. Whoever follows the journal here asks for each entry
/// whether somebody wants to hear of it; with nobody, which is nearly always, that is one comparison.</summary>
internal sealed class WalletWatch
{
    private readonly ConcurrentDictionary<Guid, IWalletGrain> _watched = new();

    public bool IsEmpty => _watched.IsEmpty;

    public void Begin(WalletId wallet, IWalletGrain grain) => _watched[WalletKey.Of(wallet)] = grain;

    public void End(GrainId grain) => _watched.TryRemove(grain.GetGuidKey(), out _);

    /// <summary>Tells the wallet's grain, if it has observers. An entry that is durable; does not wait.</summary>
    public void Publish(WalletEvent happened)
    {
        if (_watched.TryGetValue(happened.Wallet, out var grain)) grain.NotifyAsync(happened).Ignore();
    }
}
