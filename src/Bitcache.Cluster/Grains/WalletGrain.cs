// A wallet's grain stands for the wallet to everybody who addresses it: it knows the way to the wallet's partition, and who
// wants to hear of the wallet. Balances and limits are the partition's. It reads its state only when somebody subscribes:
// making one costs no question to the database, and there may be millions.

using Bitcache.Cluster.Placement;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Concurrency;
using Orleans.Storage;

namespace Bitcache.Cluster.Grains;

/// <summary>The key is the wallet's id (<see cref="WalletKey"/>).</summary>
internal interface IWalletGrain : IGrainWithGuidKey
{
    /// <summary>Has decided what the wallet asks for, wherever that is; see <see cref="WalletRoute"/> and <see cref="OwnerMessages"/>.</summary>
    [AlwaysInterleave]
    Task<Immutable<byte[]>> AskAsync(Immutable<byte[]> question);

    /// <summary>How the wallet is now: as new as whatever was acknowledged before. Null if there is none.</summary>
    /// <exception cref="PartitionNotTakenException">It cannot be told now.</exception>
    [AlwaysInterleave]
    Task<WalletState?> FindAsync();

    /// <summary>Tells an observer of the wallet from now on, until <see cref="Limits.SubscriptionMinutes"/> have passed without
    /// another call of this.</summary>
    /// <returns>False if the wallet has as many observers as it may have.</returns>
    Task<bool> SubscribeAsync(IWalletObserver observer);

    Task UnsubscribeAsync(IWalletObserver observer);

    /// <summary>Tells all observers. Called on the wallet's own silo, by its <see cref="WalletWatch"/>.</summary>
    [OneWay, AlwaysInterleave]
    Task NotifyAsync(WalletState now);
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
internal sealed class WalletGrain([FromKeyedServices(GrainStates.Storage)] IGrainStorage storage, SiloLedger ledger, WalletWatch watch, TimeProvider time)
    : Grain, IWalletGrain
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(Limits.SubscriptionMinutes);

    // Null until somebody subscribes.
    private GrainState<WalletSubscriptions>? _subscriptions;

    private static List<Subscription> Of(GrainState<WalletSubscriptions> state) => state.State?.All ?? [];

    private WalletId Wallet => WalletKey.Read(this.GetPrimaryKey());

    public async Task<Immutable<byte[]>> AskAsync(Immutable<byte[]> question) =>
        new(await OwnerMessages.AnswerAsync(new WalletRoute(Wallet, ledger.Partitions), ledger.Partitions.HomeOf(Wallet).Number, question.Value));

    public async Task<WalletState?> FindAsync()
    {
        var home = ledger.Partitions.HomeOf(Wallet);
        try
        {
            var wallet = Wallet;
            return await home.QueryAsync(copy => copy.FindWallet(wallet)) is { } found ? WalletState.Of(found, home.Number) : null;
        }
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
        {
            throw new PartitionNotTakenException(e.Message);
        }
    }

    public async Task<bool> SubscribeAsync(IWalletObserver observer)
    {
        var state = await LoadAsync();
        var now = time.GetUtcNow();
        List<Subscription> others = [.. Of(state).Where(known => known.Until > now && !known.Observer.Equals(observer))];
        if (others.Count >= Limits.WalletObserversMax) return false;
        var isKnown = Of(state).Exists(known => known.Until > now && known.Observer.Equals(observer));
        await SaveAsync(state, [.. others, new Subscription(observer, now + Lease)], isNew: !isKnown);
        return true;
    }

    public async Task UnsubscribeAsync(IWalletObserver observer)
    {
        var state = await LoadAsync();
        await SaveAsync(state, [.. Of(state).Where(known => !known.Observer.Equals(observer))], isNew: false);
    }

    public async Task NotifyAsync(WalletState now)
    {
        if (_subscriptions is null) return;
        var moment = time.GetUtcNow();
        // Those whose lease is over are dropped when the next one subscribes.
        await Task.WhenAll(Of(_subscriptions).Where(known => known.Until > moment).Select(known => known.Observer.OnChangedAsync(now)));
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

    /// <param name="isNew">Whether there is one who does not know yet how the wallet is.</param>
    private async Task SaveAsync(GrainState<WalletSubscriptions> state, List<Subscription> subscriptions, bool isNew)
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
        watch.Begin(Wallet, this.AsReference<IWalletGrain>(), isNew);
    }
}

/// <summary>Names of grain states. The key in the storage has no grain type: each name stands for one type, for ever.</summary>
internal static class GrainStates
{
    public const string Storage = "bitcache";
    public const string Wallet = "bitcache.wallet";
}
