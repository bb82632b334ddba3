// Tells wallets' grains on this silo how their wallets are now, if somebody listens. Nothing that is written costs anything for
// it: from time to time the copy of the ledger that every silo has is asked for the newest entries of those wallets, and only
// of partitions that were written to meanwhile. So it does not matter which silo writes them; of many changes in between only
// the last is told, and it is durable.

using System.Collections.Concurrent;
using Bitcache.Cluster.Placement;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Cluster.Grains;

/// <summary>The wallets with a grain on this silo that has observers. Any thread may call it.</summary>
internal sealed class WalletWatch(SiloLedger ledger, PlanCache plans, TimeProvider time) : ILifecycleParticipant<ISiloLifecycle>, IDisposable
{
    /// <summary>How often is looked. With nobody to tell, which is nearly always, nothing is.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentDictionary<Guid, Watched> _watched = new();
    private readonly SemaphoreSlim _begun = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    public bool IsEmpty => _watched.IsEmpty;

    /// <summary>From now on the wallet's grain is told.</summary>
    /// <param name="anew">Also how the wallet is now.</param>
    public void Begin(WalletId wallet, IWalletGrain grain, bool anew)
    {
        var watched = _watched.GetOrAdd(WalletKey.Of(wallet), _ => new Watched(wallet, plans.PartitionOf(wallet), grain));
        if (anew) watched.Told = -1;
        lock (_begun)
        {
            if (_begun.CurrentCount == 0) _begun.Release();
        }
    }

    public void End(GrainId grain) => _watched.TryRemove(grain.GetGuidKey(), out _);

    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(nameof(WalletWatch), ServiceLifecycleStage.Active, StartAsync, StopAsync);

    public void Dispose()
    {
        _stop.Dispose();
        _begun.Dispose();
    }

    private Task StartAsync(CancellationToken cancel)
    {
        _loop = Task.Run(LoopAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancel)
    {
        await _stop.CancelAsync();
        await _loop;
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                if (_watched.IsEmpty) await _begun.WaitAsync(_stop.Token);
                var groups = _watched.Values.GroupBy(watched => watched.Partition);
                await Task.WhenAll(groups.Select(group => LookAsync(ledger.Partitions[group.Key], [.. group])));
                await Task.Delay(Pace, time, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task LookAsync(Partition partition, Watched[] all)
    {
        // What was durable before the question is in its answer.
        var durable = partition.DurableSequence;
        var due = all.Where(watched => watched.Seen < durable || watched.Told < 0).OrderBy(watched => watched.Seen).Take(Limits.WalletsLookedAtOnceMax).ToArray();
        if (due.Length == 0) return;
        Wallet?[] found;
        try
        {
            found = await partition.QueryAsync(ledger => Array.ConvertAll(due, watched => ledger.FindWallet(watched.Wallet)));
        }
        catch (Exception e) when (e is PartitionUnavailableException or OutcomeUnknownException)
        {
            // The next look asks again.
            return;
        }
        for (var i = 0; i < due.Length; i++)
        {
            due[i].Seen = durable;
            if (found[i] is { } wallet) due[i].Tell(wallet);
        }
    }

    /// <param name="grain">As it was when it began; any reference to it is as good.</param>
    private sealed class Watched(WalletId wallet, int partition, IWalletGrain grain)
    {
        private long _told = -1;

        public WalletId Wallet => wallet;
        public int Partition => partition;

        /// <summary>Up to which sequence of the partition it was looked at. Owned by the loop.</summary>
        public long Seen { get; set; } = -1;

        /// <summary>The newest entry of the wallet that was told; below zero for nothing yet.</summary>
        public long Told
        {
            get => Volatile.Read(ref _told);
            set => Volatile.Write(ref _told, value);
        }

        /// <summary>Does not wait.</summary>
        public void Tell(in Wallet now)
        {
            if (now.LastSequence <= Told) return;
            Told = now.LastSequence;
            grain.NotifyAsync(WalletState.Of(now, partition)).Ignore();
        }
    }
}
