using System.Threading.Channels;
using Bitcache.Cluster.Grains;
using Bitcache.Cluster.Placement;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Cluster.Tests;

/// <summary>What tests of silos in this process have in common.</summary>
internal static class SiloStage
{
    public const int Partitions = 8;
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static Task<TestSilo> StartAsync(string database, string name) => TestSilo.StartAsync(TestSilo.Settings(database, name, Partitions), Cancel);

    /// <summary>Two that have shared the partitions evenly.</summary>
    public static async Task<TwoTestSilos> StartTwoAsync(string database)
    {
        var silos = new TwoTestSilos(await StartAsync(database, "one"), await StartAsync(database, "two"));
        // Each is written by one of them, as far as both know.
        await UntilAsync(() => silos.First.Ledger.Owned == Partitions / 2
            && Enumerable.Range(0, Partitions).All(partition => silos.First.Ledger[partition].IsOwned != silos.Second.Ledger[partition].IsOwned));
        return silos;
    }

    public static async Task PayAsync(TestSilo silo, WalletId payer, WalletId payee) =>
        Assert.Equal(Outcome.Accepted, (await silo.Ledger.PayAsync(ClientIds.Next(TimeProvider.System), payer, payee)).Outcome);

    public static Task<WalletState?> FindAsync(TestSilo silo, WalletId wallet) => silo.Grains.GetGrain<IWalletGrain>(WalletKey.Of(wallet)).FindAsync();

    public static Task UntilAsync(Func<bool> isSo) => UntilAsync(() => Task.FromResult(isSo()));

    public static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!await isSo()) await Task.Delay(20, late.Token);
    }
}

internal sealed record TwoTestSilos(TestSilo First, TestSilo Second) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await Second.DisposeAsync();
        await First.DisposeAsync();
    }
}

/// <summary>Hears of a wallet.</summary>
internal sealed class Ear : IWalletObserver
{
    private readonly Channel<WalletState> _heard = Channel.CreateUnbounded<WalletState>();

    /// <summary>Waits until it was told that so much is available.</summary>
    public async Task HearsAsync(long msat)
    {
        using var late = new CancellationTokenSource(SiloStage.Patience);
        while ((await _heard.Reader.ReadAsync(late.Token)).Available != msat)
        {
        }
    }

    public Task OnChangedAsync(WalletState now)
    {
        _heard.Writer.TryWrite(now);
        return Task.CompletedTask;
    }
}
