using System.Diagnostics;

namespace Bitcache.Cluster.Tests;

/// <summary>Two silos as two processes on one PostgreSQL, and clients that pay by way of both.</summary>
internal sealed class TwoSilos : IAsyncDisposable
{
    private const int WalletsEach = 16;
    private const long SatEach = 1_000_000;
    private const int ClientsEach = 16;
    private static readonly string[] Names = ["one", "two"];

    private readonly string _database;
    private readonly int _partitions;
    private readonly Observer _observer;

    private TwoSilos(string database, int partitions, SiloProcess[] all, Observer observer, PayingClients clients) =>
        (_database, _partitions, All, _observer, Clients) = (database, partitions, all, observer, clients);

    public SiloProcess[] All { get; }
    public PayingClients Clients { get; }

    public static async Task<TwoSilos> StartAsync(string database, int partitions, CancellationToken cancel)
    {
        var silos = new SiloProcess[Names.Length];
        for (var at = 0; at < silos.Length; at++) silos[at] = await SiloProcess.StartAsync(database, Names[at], partitions, cancel);
        var observer = await Observer.StartAsync(database, partitions, cancel);
        var wallets = await observer.Ledger.BeginAsync(WalletsEach, SatEach);
        var two = new TwoSilos(database, partitions, silos, observer, new PayingClients(silos, wallets, partitions, ClientsEach));
        await two.Clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), cancel);
        return two;
    }

    /// <summary>Another process in the place of one that has ended.</summary>
    public async Task ReplaceAsync(int at, CancellationToken cancel)
    {
        await All[at].DisposeAsync();
        All[at] = await SiloProcess.StartAsync(_database, Names[at], _partitions, cancel);
        await Clients.UntilAllAnswerAsync(Stopwatch.GetTimestamp(), cancel);
    }

    /// <summary>Everything that was acknowledged is there once, and no money is lost or made.</summary>
    public async Task CheckAsync(CancellationToken cancel)
    {
        await Clients.EndAsync(cancel);
        await Clients.CheckAsync(_observer.Ledger.Set, SatEach * Core.Limits.MsatPerSat);
    }

    public async ValueTask DisposeAsync()
    {
        await Clients.AbandonAsync();
        await _observer.DisposeAsync();
        foreach (var silo in All) await silo.DisposeAsync();
    }
}
