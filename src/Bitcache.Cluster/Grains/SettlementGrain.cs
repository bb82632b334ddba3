// The settlement's grain: that it is active on a silo makes this silo the settlement's owner. Silos that have the keys keep it,
// each second, where it is or at themselves; one that has none does not take it. It has two doors, by which deposits and payouts
// are looked at now, wherever it is; each is called by a reminder, so that the chain is looked at even if nobody keeps it.

using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Bitcache.Cluster.Grains;

/// <summary>There is one, with key 0.</summary>
internal interface ISettlementGrain : IGrainWithIntegerKey
{
    /// <summary>Makes sure that there is an owner, and that reminders will. Only for silos that have the keys: it comes to
    /// whoever calls first.</summary>
    /// <returns>Where it is.</returns>
    Task<SiloAddress> KeepAsync();

    /// <summary>The HTTP interface of the silo that settles.</summary>
    /// <exception cref="PartitionNotTakenException">Nobody settles now, or nobody that is known yet.</exception>
    Task<Uri> WhereAsync();

    /// <inheritdoc cref="ISettlementHost.TakeTurnAsync"/>
    Task TakeTurnAsync();
}

/// <summary>Deposits, with key 0.</summary>
internal interface IDepositGrain : ISettlementDoor;

/// <summary>Withdrawals, with key 0.</summary>
internal interface IPayoutGrain : ISettlementDoor;

internal interface ISettlementDoor : IGrainWithIntegerKey
{
    /// <summary>Has the settlement look now.</summary>
    Task LookAsync();

    /// <summary>Makes sure that a reminder does so.</summary>
    Task KeepAsync();
}

[Reentrant, KeepAlive, PreferLocalPlacement]
internal sealed class SettlementGrain(SiloLedger ledger, GrainsHere here, ISiloStatusOracle silos, ILogger<SettlementGrain> log)
    : Grain, ISettlementGrain
{
    public const int Key = 0;
    private bool _isReminded;

    private ISettlementHost Host => ledger.Settlement;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (!Host.CanSettle) throw new PartitionNotTakenException($"silo {silos.SiloName} has no keys to settle with");
        try
        {
            await Host.TakeOverAsync(cancellationToken);
        }
#pragma warning disable CA1031 // An exception of the database, say, no other silo can read.
        catch (Exception e)
        {
            log.SettlementNotTaken(silos.SiloName, e);
            throw new PartitionNotTakenException(e.Message);
        }
#pragma warning restore CA1031
        here.Settles(GrainContext);
        log.SettlementTaken(silos.SiloName);
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        here.Settles(null);
        await Host.HandOverAsync();
        log.SettlementLeft(silos.SiloName, reason.Description);
    }

    public async Task<SiloAddress> KeepAsync()
    {
        // Another silo has begun a term: whoever is called next finds it.
        if (!Host.IsSettling) DeactivateOnIdle();
        if (!_isReminded)
        {
            await GrainFactory.GetGrain<IDepositGrain>(Key).KeepAsync();
            await GrainFactory.GetGrain<IPayoutGrain>(Key).KeepAsync();
        }
        _isReminded = true;
        return silos.SiloAddress;
    }

    public Task<Uri> WhereAsync() => Task.FromResult(Host.Address);

    public Task TakeTurnAsync() => Host.TakeTurnAsync();
}

internal abstract class SettlementDoor : Grain, IRemindable
{
    private const string Reminder = "look";
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    public Task LookAsync() => GrainFactory.GetGrain<ISettlementGrain>(SettlementGrain.Key).TakeTurnAsync();

    public Task KeepAsync() => this.RegisterOrUpdateReminder(Reminder, Period, Period);

    public Task ReceiveReminder(string reminderName, TickStatus status) => LookAsync();
}

internal sealed class DepositGrain : SettlementDoor, IDepositGrain;

internal sealed class PayoutGrain : SettlementDoor, IPayoutGrain;
