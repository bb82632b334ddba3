// The HTTP host: Kestrel with tight limits, the routes, and nothing that is not named here. The builder starts from
// empty, so that no setting comes in through the environment or a stray file.

using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Server.Api;
using Bitcache.Server.Keys;
using Bitcache.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RouteEndpoint = Microsoft.AspNetCore.Routing.RouteEndpoint;

namespace Bitcache.Server;

/// <summary>A running HTTP API over an engine, which stays its caller's to dispose of, after this.</summary>
public sealed class BitcacheServer : IAsyncDisposable
{
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KeepAliveTimeout = TimeSpan.FromSeconds(120);
    /// <summary>A body may come slowly, but not for ever: 64 KiB are there after 21 seconds.</summary>
    private static readonly MinDataRate BodyRate = new(bytesPerSecond: 4096, gracePeriod: TimeSpan.FromSeconds(5));
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(10);

    private readonly WebApplication _app;

    private readonly Dispatcher _dispatcher;

    private BitcacheServer(WebApplication app, Dispatcher dispatcher) => (_app, _dispatcher) = (app, dispatcher);

    /// <summary>Where it listens, as the address that clients use; with port 0 in the settings, the port it got.</summary>
    public Uri Address => new(_app.Urls.Single());

    /// <summary>Blocks of payments that are in use; of which there are <see cref="Limits.BatchRequestsMax"/>.</summary>
    internal int BlocksOut => _dispatcher.BlocksOut;

    /// <summary>Reads the keys and listens. Requests are answered when this returns.</summary>
    /// <exception cref="KeyFileException">The keys cannot be read, or are not those of this ledger.</exception>
    /// <exception cref="IOException">The address cannot be listened on.</exception>
    /// <param name="keyPlace">Where the list of keys is; null for the data folder.</param>
    /// <param name="toSettlement">Has the silo that settles answer a request; null for a single node, which settles.</param>
    public static async Task<BitcacheServer> StartAsync(
        ServerSettings settings, LedgerEngine engine, TimeProvider time, ILoggerFactory logs, CancellationToken stop, KeyPlace? keyPlace = null, RequestDelegate? toSettlement = null)
    {
        keyPlace ??= new KeyFolder(new LinuxFileSystem(), settings.Engine.DataFolder);
        var keys = new Keyring(keyPlace, engine.Network, await engine.TenantsAsync(), time, logs.CreateLogger<Keyring>());
        var app = Build(settings, logs);
        var dispatcher = new Dispatcher(engine, keys, toSettlement, time, logs.CreateLogger<Dispatcher>());
        Map(app, dispatcher);
        try
        {
            await app.StartAsync(stop);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        var server = new BitcacheServer(app, dispatcher);
        logs.CreateLogger<BitcacheServer>().Listening(server.Address.ToString());
        return server;
    }

    /// <summary>The host without a route.</summary>
    internal static WebApplication Build(ServerSettings settings, ILoggerFactory logs)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, settings));
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(logs);
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, TransportMemoryFactory>();
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = ShutdownTimeout);
        var app = builder.Build();
        app.UseRouting();
        app.Use(DescribeMiss);
        return app;
    }

    /// <summary>Takes no more requests, and lets those under way finish.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static void Configure(KestrelServerOptions kestrel, ServerSettings settings)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = Limits.RequestBodyBytesMax;
        kestrel.Limits.MaxRequestHeadersTotalSize = Limits.RequestHeaderBytesMax;
        kestrel.Limits.MaxRequestLineSize = Limits.RequestLineBytesMax;
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = Limits.RequestHeaderBytesMax;
        kestrel.Limits.RequestHeadersTimeout = HeadersTimeout;
        kestrel.Limits.KeepAliveTimeout = KeepAliveTimeout;
        kestrel.Limits.MinRequestBodyDataRate = BodyRate;
        kestrel.Limits.MaxConcurrentConnections = settings.Connections;
        kestrel.Limits.MaxConcurrentUpgradedConnections = 0;
        kestrel.Listen(settings.Listen, listen =>
        {
            listen.Protocols = settings.UsesTls ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
            if (settings.UsesTls) listen.UseHttps(Certificate(settings.TlsCertificateFile!, settings.TlsKeyFile!));
        });
    }

    private static HttpsConnectionAdapterOptions Certificate(string certificateFile, string keyFile) => new()
    {
        ServerCertificate = TlsFiles.Load(certificateFile, keyFile),
        ServerCertificateChain = TlsFiles.LoadChain(certificateFile),
    };

    private static void Map(WebApplication app, Dispatcher dispatcher)
    {
        foreach (var route in Route.All) app.MapMethods(route.Path, [route.Method], http => dispatcher.RunAsync(route, http));
    }

    /// <summary>Paths and methods that no route has get a problem as body, too.</summary>
    private static Task DescribeMiss(HttpContext http, RequestDelegate next) => http.GetEndpoint() switch
    {
        RouteEndpoint => next(http),
        null => new Problem(ProblemType.RouteNotFound).ExecuteAsync(http),
        _ => DescribeMethodMiss(http, next),
    };

    /// <summary>Where only the method is wrong, routing's own endpoint says which are right.</summary>
    private static async Task DescribeMethodMiss(HttpContext http, RequestDelegate next)
    {
        await next(http);
        await new Problem(ProblemType.MethodNotAllowed).ExecuteAsync(http);
    }
}
