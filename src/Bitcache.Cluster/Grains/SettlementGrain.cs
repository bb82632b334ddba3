// The settlement's grain: that it is active on a silo makes this silo the settlement's owner. It is kept by a reminder,
// which finds it a silo wherever the last one went; turns in between are the loop's own.

using Bitcache.Cluster.Placement;
using Microsoft.Extensions.Logging;

namespace Bitcache.Cluster.Grains;

/// <summary>There is one, with key 0, beside the first partition, which most of its commands go to.</summary>
internal interface ISettlementGrain : IGrainWithIntegerKey
{
    /// <summary>Makes sure that there is an owner, and that a reminder will.</summary>
    /// <returns>Where it is.</returns>
    Task<SiloAddress> KeepAsync();

    /// <inheritdoc cref="ISettlementHost.TakeTurnAsync"/>
    Task TakeTurnAsync();
}

[KeepAlive, BesidePartition]
internal sealed class SettlementGrain(ISettlementHost host, PlanCache plans, ISiloStatusOracle silos, ILogger<SettlementGrain> log)
    : Grain, ISettlementGrain, IRemindable
{
    public const int Key = 0;
    private const string Reminder = "keep";
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private bool _isReminded;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        await host.TakeOverAsync(cancellationToken);
        log.SettlementTaken(silos.SiloName);
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await host.HandOverAsync();
        log.SettlementLeft(silos.SiloName, reason.Description);
    }

    public async Task<SiloAddress> KeepAsync()
    {
        if (!_isReminded) await this.RegisterOrUpdateReminder(Reminder, Period, Period);
        _isReminded = true;
        if (silos.CurrentStatus == SiloStatus.Active && !plans.SiloOf(Key, silos.GetActiveSilos()).Equals(silos.SiloAddress)) this.MigrateOnIdle();
        return silos.SiloAddress;
    }

    public Task TakeTurnAsync() => host.TakeTurnAsync();

    public Task ReceiveReminder(string reminderName, TickStatus status) => host.TakeTurnAsync();
}
