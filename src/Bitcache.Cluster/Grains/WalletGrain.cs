// A wallet's grain stands for the wallet to everybody who addresses it: it knows the way to the wallet's partition, and who
// wants to hear of the wallet. Balances and limits are the partition's. It reads its state only when somebody subscribes:
// making one costs no question to the database, and there may be millions.

using Bitcache.Cluster.Placement;
using Bitcache.Core;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Concurrency;
using Orleans.Storage;

namespace Bitcache.Cluster.Grains;

/// <summary>Something that happened to a wallet, once it is durable.</summary>
/// <param name="Partition">Where the entry stands.</param>
/// <param name="Sequence">Of the entry; rises from event to event of a wallet, so that whoever missed one knows to read its history.</param>
/// <param name="Statement">The entry's statement, as it is in the log.</param>
[GenerateSerializer, Immutable]
public sealed record WalletEvent([property: Id(0)] Guid Wallet, [property: Id(1)] int Partition, [property: Id(2)] long Sequence, [property: Id(3)] byte[] Statement);

/// <summary>Hears of wallets. Events may be lost with a silo; a gap is seen by the sequence that a history shows.</summary>
public interface IWalletObserver : IGrainObserver
{
    [OneWay]
    Task OnEventAsync(WalletEvent happened);
}

/// <summary>The key is the wallet's id (<see cref="WalletKey"/>).</summary>
internal interface IWalletGrain : IGrainWithGuidKey
{
    /// <summary>Has the wallet's partition decide; see <see cref="IPartitionHost.SubmitAsync"/>.</summary>
    [AlwaysInterleave]
    Task<Immutable<byte[]>> SubmitAsync(Immutable<byte[]> items);

    /// <summary>Tells an observer of the wallet from now on, until <see cref="Limits.SubscriptionMinutes"/> have passed without
    /// another call of this.</summary>
    /// <returns>False if the wallet has as many observers as it may have.</returns>
    Task<bool> SubscribeAsync(IWalletObserver observer);

    Task UnsubscribeAsync(IWalletObserver observer);

    /// <summary>Tells all observers. Called on the wallet's own silo, by whoever follows the journal there.</summary>
    [OneWay, AlwaysInterleave]
    Task NotifyAsync(WalletEvent happened);
}

/// <param name="Until">When it ends unless it is renewed.</param>
[GenerateSerializer]
internal sealed record Subscription([property: Id(0)] IWalletObserver Observer, [property: Id(1)] DateTimeOffset Until);

[GenerateSerializer]
internal sealed class WalletSubscriptions
{
    [Id(0)]
    public List<Subscription> All { get; set; } = [];
}

[BesidePartition]
internal sealed class WalletGrain([FromKeyedServices(GrainStates.Storage)] IGrainStorage storage, PlanCache plans, WalletWatch watch, TimeProvider time)
    : Grain, IWalletGrain
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(Limits.SubscriptionMinutes);

    // Null until somebody subscribes.
    private GrainState<WalletSubscriptions>? _subscriptions;

    private static List<Subscription> Of(GrainState<WalletSubscriptions> state) => state.State?.All ?? [];

    public Task<Immutable<byte[]>> SubmitAsync(Immutable<byte[]> items) =>
        GrainFactory.GetGrain<IPartitionGrain>(plans.PartitionOf(this.GetGrainId())).SubmitAsync(items);

    public async Task<bool> SubscribeAsync(IWalletObserver observer)
    {
        var state = await LoadAsync();
        var now = time.GetUtcNow();
        List<Subscription> others = [.. Of(state).Where(known => known.Until > now && !known.Observer.Equals(observer))];
        if (others.Count >= Limits.WalletObserversMax) return false;
        await SaveAsync(state, [.. others, new Subscription(observer, now + Lease)]);
        return true;
    }

    public async Task UnsubscribeAsync(IWalletObserver observer)
    {
        var state = await LoadAsync();
        await SaveAsync(state, [.. Of(state).Where(known => !known.Observer.Equals(observer))]);
    }

    public async Task NotifyAsync(WalletEvent happened)
    {
        if (_subscriptions is null) return;
        var now = time.GetUtcNow();
        // Those whose lease is over are dropped when the next one subscribes.
        await Task.WhenAll(Of(_subscriptions).Where(known => known.Until > now).Select(known => known.Observer.OnEventAsync(happened)));
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        watch.End(this.GetGrainId());
        return Task.CompletedTask;
    }

    private async Task<GrainState<WalletSubscriptions>> LoadAsync()
    {
        if (_subscriptions is not null) return _subscriptions;
        var state = new GrainState<WalletSubscriptions>();
        await storage.ReadStateAsync(GrainStates.Wallet, this.GetGrainId(), state);
        return _subscriptions ??= state;
    }

    private async Task SaveAsync(GrainState<WalletSubscriptions> state, List<Subscription> subscriptions)
    {
        var before = state.State;
        state.State = new WalletSubscriptions { All = subscriptions };
        try
        {
            if (subscriptions.Count > 0) await storage.WriteStateAsync(GrainStates.Wallet, this.GetGrainId(), state);
            else if (state.RecordExists) await storage.ClearStateAsync(GrainStates.Wallet, this.GetGrainId(), state);
        }
        catch
        {
            // Another activation may have written: the next call reads it anew.
            (state.State, _subscriptions) = (before, null);
            throw;
        }
        if (subscriptions.Count == 0)
        {
            _subscriptions = null;
            watch.End(this.GetGrainId());
            return;
        }
        // Whoever is told of a wallet keeps its grain here; the rest of them come and go.
        DelayDeactivation(Lease);
        watch.Begin(WalletKey.Read(this.GetPrimaryKey()), this.AsReference<IWalletGrain>());
    }
}

/// <summary>Names of grain states. The key in the storage has no grain type: each name stands for one type, for ever.</summary>
internal static class GrainStates
{
    public const string Storage = "bitcache";
    public const string Wallet = "bitcache.wallet";
}
