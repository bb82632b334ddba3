// What only the silo that settles can answer, any silo hands on to it. The request goes there as it came, with its key, and is
// looked at anew.

using System.Net;
using Bitcache.Cluster.Grains;
using Bitcache.Server.Api;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Yarp.ReverseProxy.Forwarder;

namespace Bitcache.Cluster;

/// <param name="own">This silo's own address.</param>
/// <param name="nodeTimeout">How long a call to the Bitcoin node may take there.</param>
internal sealed class SettlementForwarder(IGrainFactory grains, Uri own, TimeSpan nodeTimeout) : IDisposable
{
    /// <summary>Says that another silo has handed the request on: it is not handed on again.</summary>
    private const string ForwardedHeader = "Bitcache-Forwarded";
    /// <summary>Beyond the call to the node.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    private readonly ServiceProvider _services = new ServiceCollection().AddLogging().AddHttpForwarder().BuildServiceProvider();
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(2),
    });

    public async Task ForwardAsync(HttpContext http)
    {
        if (http.Request.Headers.ContainsKey(ForwardedHeader) || await FindAsync() is not { } there || there == own)
        {
            await new Problem(ProblemType.Busy).ExecuteAsync(http);
            return;
        }
        http.Request.Headers[ForwardedHeader] = "1";
        // The other silo says so, too.
        http.Response.Headers.Clear();
        var error = await _services.GetRequiredService<IHttpForwarder>().SendAsync(
            http, there.GetLeftPart(UriPartial.Authority), _client, new ForwarderRequestConfig { ActivityTimeout = nodeTimeout + Margin });
        if (error == ForwarderError.None || http.Response.HasStarted || http.RequestAborted.IsCancellationRequested) return;
        // It may have come there.
        http.Response.Clear();
        await new Problem(HttpMethods.IsGet(http.Request.Method) ? ProblemType.Busy : ProblemType.OutcomeUnknown).ExecuteAsync(http);
    }

    public void Dispose()
    {
        _client.Dispose();
        _services.Dispose();
    }

    /// <summary>Where settlement is; null if it is nowhere now.</summary>
    private async Task<Uri?> FindAsync()
    {
        try
        {
            return await grains.GetGrain<ISettlementGrain>(SettlementGrain.Key).WhereAsync();
        }
#pragma warning disable CA1031 // Whatever keeps the answer, there is none.
        catch (Exception)
        {
            return null;
        }
#pragma warning restore CA1031
    }
}
