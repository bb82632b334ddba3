// This process beside the silos: a copy of the ledger that follows theirs and is never the writer, with the way to whoever is.

using Bitcache.Cluster.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Configuration;

namespace Bitcache.Cluster.Tests;

internal sealed class Observer : IAsyncDisposable
{
    private readonly IHost _host;

    private Observer(IHost host, JoinedLedger ledger) => (_host, Ledger) = (host, ledger);

    public JoinedLedger Ledger { get; }

    public static async Task<Observer> StartAsync(string database, int partitions, CancellationToken cancel)
    {
        var settings = TestSilo.Settings(database, "observer", partitions);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddLogging();
        builder.UseOrleansClient(client =>
        {
            client.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (settings.Name, "bitcache"));
            client.UseAdoNetClustering(options => (options.Invariant, options.ConnectionString) = ("Npgsql", settings.OrleansDatabase()));
        });
        var host = builder.Build();
        await host.StartAsync(cancel);
        var owner = GrainPartitionOwner.Over(host.Services.GetRequiredService<IGrainFactory>(), TimeProvider.System);
        return new Observer(host, await JoinedLedger.OpenAsync(database, partitions, owner, NullLogger.Instance, (why, cause) => Environment.FailFast(why, cause)));
    }

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        await _host.StopAsync();
        _host.Dispose();
    }
}
