// One silo, put together: the ledger that it joins, Orleans, which says what of it is this silo's, and the HTTP API.

using Bitcache.Cli.Commands;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.Server;
using Bitcache.Server.Keys;
using Bitcache.Server.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Bitcache.Cluster;

internal sealed class RunningSilo : IAsyncDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    private readonly NodeConnections _nodes;
    private readonly IHost _host;
    private readonly LedgerEngine _engine;
    private SettlementForwarder? _forwarder;
    private Telemetry? _telemetry;
    private KeyCopy? _keys;
    private BitcacheServer? _server;

    private RunningSilo(NodeConnections nodes, IHost host, LedgerEngine engine) => (_nodes, _host, _engine) = (nodes, host, engine);

    /// <summary>Where the API is.</summary>
    public Uri Address => _server!.Address;

    /// <summary>Joins the cluster, and answers when this is done. A cluster without a ledger begins one first, for which a silo needs
    /// the Bitcoin node once.</summary>
    /// <param name="output">Told why it takes long, if it does.</param>
    /// <exception cref="SettingsException">The settings cannot be used.</exception>
    /// <exception cref="ClusterRefusedException">The database is not for this cluster.</exception>
    /// <exception cref="IOException">The database, the data folder or the address cannot be used now.</exception>
    public static async Task<RunningSilo> StartAsync(
        ServerSettings settings, TextWriter output, TimeProvider time, ILoggerFactory logs, FatalHandler fatal, CancellationToken stop)
    {
        var (own, url) = (settings.Silo!, UrlOf(settings));
        var connection = await File.ReadLinesAsync(settings.Engine.PostgresConnectionFile!, stop).FirstOrDefaultAsync("", stop);
        var nodes = new NodeConnections(settings);
        var host = await SiloHost.BuildAsync(
            new ClusterSettings(settings.Engine.Cluster, connection, own.Name, own.Address, own.Port, settings.Engine.Partitions), logs, stop);
        LedgerEngine engine;
        try
        {
            engine = await LedgerEngine.JoinAsync(
                settings.Engine, $"{own.Name} {Guid.NewGuid():N}", host.Services.GetRequiredService<IPartitionOwner>(), nodes.Node, nodes.Switch, time, logs, fatal);
        }
        catch
        {
            host.Dispose();
            nodes.Dispose();
            throw;
        }
        var silo = new RunningSilo(nodes, host, engine);
        try
        {
            host.Services.GetRequiredService<SiloLedger>().Fill(engine.Partitions, engine.Shared, new EngineSettlement(engine, url));
            await host.StartAsync(stop);
            await silo.WaitForLedgerAsync(output, time, stop);
            silo._telemetry = Telemetry.Start(engine, settings.Telemetry, own.Name);
            silo._forwarder = new SettlementForwarder(host.Services.GetRequiredService<IGrainFactory>(), url, settings.Node.Timeout);
            silo._keys = await Task.Run(() => KeyCopy.Start(new KeyTable(engine.Shared.Database), time), stop);
            silo._server = await BitcacheServer.StartAsync(settings, engine, time, logs, stop, silo._keys, silo._forwarder.ForwardAsync);
            return silo;
        }
        catch
        {
            await silo.DisposeAsync();
            throw;
        }
    }

    /// <summary>Answers what it has taken, hands on what it has, and leaves the cluster.</summary>
    public async ValueTask DisposeAsync()
    {
        await _engine.EndTurnsAsync();
        if (_server is not null) await _server.DisposeAsync();
        if (_keys is not null) await _keys.DisposeAsync();
        _telemetry?.Dispose();
        await _host.StopAsync();
        _host.Dispose();
        _forwarder?.Dispose();
        await _engine.DisposeAsync();
        _nodes.Dispose();
    }

    private static Uri UrlOf(ServerSettings settings) =>
        settings.Silo!.Url ?? new UriBuilder(settings.UsesTls ? Uri.UriSchemeHttps : Uri.UriSchemeHttp, settings.Silo.Address.ToString(), settings.Listen.Port).Uri;

    /// <summary>There is nothing to ask for before somebody has begun the ledger: this silo, or another.</summary>
    private async Task WaitForLedgerAsync(TextWriter output, TimeProvider time, CancellationToken stop)
    {
        var said = "";
        while (!await HasLedgerAsync())
        {
            if (_engine.SettlementTrouble is { } trouble && trouble != said)
            {
                await output.WriteLineAsync($"the ledger cannot be begun yet: {trouble}");
                said = trouble;
            }
            await Task.Delay(LookAgain, time, stop);
        }
    }

    private async Task<bool> HasLedgerAsync()
    {
        try
        {
            // In the last partition it is begun last.
            return await _engine.Partitions[_engine.Partitions.Count - 1].QueryAsync(ledger => ledger.Genesis is not null);
        }
        catch (PartitionUnavailableException)
        {
            return false;
        }
    }
}
