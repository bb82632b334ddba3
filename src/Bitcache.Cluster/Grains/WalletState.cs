using Bitcache.Cluster.Placement;
using Bitcache.Core;

namespace Bitcache.Cluster.Grains;

/// <summary>How a wallet is, once that is durable. Amounts are in msat.</summary>
/// <param name="Partition">Where it lives.</param>
/// <param name="Sequence">Of its newest entry: rises from state to state, and its history goes back from there.</param>
[GenerateSerializer, Immutable]
public sealed record WalletState(
    [property: Id(0)] Guid Wallet, [property: Id(1)] int Partition, [property: Id(2)] long Sequence, [property: Id(3)] long Available,
    [property: Id(4)] long Held, [property: Id(5)] long Frozen, [property: Id(6)] long Owed, [property: Id(7)] long OwedPending)
{
    internal static WalletState Of(in Wallet wallet, int partition) => new(
        WalletKey.Of(wallet.Id), partition, wallet.LastSequence, wallet.Available.Value, wallet.Held.Value, wallet.Frozen.Value, wallet.Owed.Value, wallet.OwedPending.Value);
}

/// <summary>Hears of a wallet: once how it is, and then each time that it has changed, or several times at once. What is lost with
/// a silo is told again when the observer subscribes again.</summary>
public interface IWalletObserver : IGrainObserver
{
    [Orleans.Concurrency.OneWay]
    Task OnChangedAsync(WalletState now);
}
