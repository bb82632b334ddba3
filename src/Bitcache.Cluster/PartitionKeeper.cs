// Keeps every partition and the settlement on a silo: expiries, legs and cuts go on whether or not somebody calls. Each silo
// looks after the partitions that the plan gives to it, at once when the silos change and each second; every silo that has the
// keys looks after the settlement.

using Bitcache.Cluster.Grains;
using Bitcache.Cluster.Placement;
using Microsoft.Extensions.Logging;

namespace Bitcache.Cluster;

internal sealed class PartitionKeeper(ClusterSettings settings, IGrainFactory grains, PlanCache plans, GrainsHere here, SiloLedger ledger, ISiloStatusOracle silos, TimeProvider time, ILogger<PartitionKeeper> log)
    : ILifecycleParticipant<ISiloLifecycle>, ISiloStatusListener, IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>How long after silos came or went one that does not settle looks after the settlement: until then it may seem to be
    /// nowhere to a silo that has just come, which would take it from the one who has it.</summary>
    private static readonly TimeSpan SettlementPause = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _changed = new(0, 1);
    // Owned by the loop.
    private HashSet<SiloAddress> _active = [];
    private long _activeSince;
    private Task _loop = Task.CompletedTask;

    public void Participate(ISiloLifecycle lifecycle)
    {
        // Partitions come to a silo as soon as the others know it: before that its copies are as new as the journals, or callers
        // would wait for it to catch up.
        lifecycle.Subscribe(nameof(SiloLedger), ServiceLifecycleStage.ApplicationServices, cancel => ledger.Tail.FreshAsync().WaitAsync(cancel));
        lifecycle.Subscribe(nameof(PartitionKeeper), ServiceLifecycleStage.Active, StartAsync, StopAsync);
        // Orleans gives all grains up in this stage, a thousand at a time and wallets' among them: nobody waits for those.
        lifecycle.Subscribe(nameof(GrainsHere), ServiceLifecycleStage.GrainDeactivation, _ => Task.CompletedTask, cancel => here.LeaveAsync("the silo ends", cancel));
    }

    public void SiloStatusChangeNotification(SiloAddress updatedSilo, SiloStatus status)
    {
        lock (_changed)
        {
            if (_changed.CurrentCount == 0) _changed.Release();
        }
    }

    public void Dispose()
    {
        _stop.Dispose();
        _changed.Dispose();
    }

    private Task StartAsync(CancellationToken cancel)
    {
        silos.SubscribeToSiloStatusEvents(this);
        _loop = Task.Run(LoopAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancel)
    {
        silos.UnSubscribeFromSiloStatusEvents(this);
        await _stop.CancelAsync();
        await _loop;
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                await LookAsync();
                await _changed.WaitAsync(Period, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task LookAsync()
    {
        var active = silos.GetActiveSilos();
        if (!active.Contains(silos.SiloAddress)) return;
        var plan = plans.For(active);
        var keeping = Enumerable.Range(0, settings.Partitions).Where(partition => plan[partition].Equals(silos.SiloAddress))
            .Select(partition => TryAsync($"partition {partition}", grains.GetGrain<IPartitionGrain>(partition).KeepAsync)).ToList();
        if (KeepsSettlement(active)) keeping.Add(TryAsync("settlement", grains.GetGrain<ISettlementGrain>(SettlementGrain.Key).KeepAsync));
        await Task.WhenAll(keeping);
    }

    private bool KeepsSettlement(SiloAddress[] active)
    {
        if (!_active.SetEquals(active)) (_active, _activeSince) = ([.. active], time.GetTimestamp());
        return ledger.Settlement.CanSettle && (ledger.Settlement.IsSettling || active.Length == 1 || time.GetElapsedTime(_activeSince) >= SettlementPause);
    }

    private async Task TryAsync(string what, Func<Task<SiloAddress>> keep)
    {
        try
        {
            // One that is asked of a silo that is gone must not keep the others waiting.
            await keep().WaitAsync(Period, time, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // Whatever it is, the next look is a second away, and the others must be kept meanwhile.
        catch (Exception e)
        {
            log.NotKept(what, e);
        }
#pragma warning restore CA1031
    }
}
