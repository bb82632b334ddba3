// Clients that add without a pause to random partitions, remember what was acknowledged, and try again with the same id
// when something failed.

using System.Collections.Concurrent;
using System.Diagnostics;
using Bitcache.Cluster.Grains;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Orleans.Concurrency;
using Orleans.Configuration;

namespace Bitcache.Cluster.Tests;

internal sealed class AddingClients : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task[] _clients;
    private readonly ConcurrentBag<Guid> _acknowledged = [];
    // When each partition was last asked what it answered, by the monotonic clock. Written by the client that asks it.
    private readonly long[] _heard;
    private int _failures;

    private AddingClients(IHost host, int partitions, int clients)
    {
        (_host, _heard) = (host, new long[partitions]);
        var grains = host.Services.GetRequiredService<IGrainFactory>();
        // Each has partitions of its own, so that one that is away does not keep the others from being asked.
        _clients = [.. Enumerable.Range(0, clients).Select(client => Task.Run(() => AddAsync(grains, client, clients)))];
    }

    public int Acknowledged => _acknowledged.Count;
    public int Failures => Volatile.Read(ref _failures);

    public static async Task<AddingClients> StartAsync(string database, int partitions, int clients, CancellationToken cancel)
    {
        var settings = TestSilo.Settings(database, "client", partitions);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddLogging();
        builder.UseOrleansClient(client =>
        {
            client.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (settings.Name, "bitcache"));
            client.UseAdoNetClustering(options => (options.Invariant, options.ConnectionString) = ("Npgsql", settings.OrleansDatabase()));
            client.Configure<GatewayOptions>(gateway => gateway.GatewayListRefreshPeriod = TimeSpan.FromSeconds(1));
            client.Configure<ClientMessagingOptions>(messaging => messaging.ResponseTimeout = TimeSpan.FromSeconds(2));
        });
        var host = builder.Build();
        await host.StartAsync(cancel);
        return new AddingClients(host, partitions, clients);
    }

    /// <summary>How long it took until every partition had answered again.</summary>
    public async Task<TimeSpan> UntilAllAnswerAsync(long since, CancellationToken cancel)
    {
        while (_heard.Any(at => at <= since)) await Task.Delay(5, cancel);
        return Stopwatch.GetElapsedTime(since, _heard.Max(at => at));
    }

    /// <summary>Ends the clients, and holds what they were told against what is there.</summary>
    public async Task CheckAsync(string database)
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand(
            """
            SELECT (SELECT sum(value)::bigint FROM counters), (SELECT count(*) FROM additions),
                   (SELECT count(*) FROM additions WHERE id = ANY($1)), (SELECT count(*) FROM (SELECT partition, value FROM additions GROUP BY 1, 2 HAVING count(*) > 1) AS twice)
            """);
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. _acknowledged] });
        await using var row = await command.ExecuteReaderAsync();
        await row.ReadAsync();
        Assert.Equal(row.GetInt64(0), row.GetInt64(1));
        Assert.Equal(_acknowledged.Count, row.GetInt64(2));
        Assert.Equal(0, row.GetInt64(3));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        await _host.StopAsync();
        _host.Dispose();
        _stop.Dispose();
    }

    private async Task AddAsync(IGrainFactory grains, int client, int clients)
    {
        for (var partition = client; !_stop.IsCancellationRequested; partition = (partition + clients) % _heard.Length)
        {
            var id = Guid.NewGuid();
            while (!await TryAsync(grains, partition, id))
            {
                if (_stop.IsCancellationRequested) return;
                Interlocked.Increment(ref _failures);
                await Task.Delay(20);
            }
        }
    }

    private async Task<bool> TryAsync(IGrainFactory grains, int partition, Guid id)
    {
        var asked = Stopwatch.GetTimestamp();
        try
        {
            await grains.GetGrain<IPartitionGrain>(partition).SubmitAsync(new Immutable<byte[]>(id.ToByteArray()));
        }
#pragma warning disable CA1031 // Whatever failed, a retry tells.
        catch
        {
            return false;
        }
#pragma warning restore CA1031
        _acknowledged.Add(id);
        Volatile.Write(ref _heard[partition], asked);
        return true;
    }
}
