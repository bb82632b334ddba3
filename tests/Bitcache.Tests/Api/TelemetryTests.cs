using System.Net;
using System.Text;
using Bitcache.Server;

namespace Bitcache.Tests.Api;

/// <summary>What is measured comes to a collector, in the form of OTLP over HTTP.</summary>
[Trait("suite", "core")]
[Collection("api")]
public sealed class TelemetryTests(ApiFixture api)
{
    [Fact]
    public async Task What_the_server_measures_comes_to_the_collector_that_the_settings_name()
    {
        using var collector = new HttpListener();
        var address = new Uri($"http://127.0.0.1:{Bitcache.Cli.Demo.RegtestNode.FreePort()}/");
        collector.Prefixes.Add(address.ToString());
        collector.Start();
        var coming = collector.GetContextAsync();

        // Whatever there is is sent at the end, too.
        var ending = Task.Run(() => Telemetry.Start(api.Engine, address, "one")!.Dispose(), TestContext.Current.CancellationToken);
        var came = await coming.WaitAsync(TestContext.Current.CancellationToken);
        using var body = new MemoryStream();
        await came.Request.InputStream.CopyToAsync(body, TestContext.Current.CancellationToken);
        came.Response.Close();
        await ending;

        Assert.Equal(("POST", "/v1/metrics", "application/x-protobuf"), (came.Request.HttpMethod, came.Request.Url!.AbsolutePath, came.Request.ContentType));
        var text = Encoding.Latin1.GetString(body.ToArray());
        Assert.All((string[])["bitcache.partition.entries", "bitcache.partition.queued", "bitcache.settlement.here", "service.instance.id"], name => Assert.Contains(name, text, StringComparison.Ordinal));
        Assert.Null(Telemetry.Start(api.Engine, null, "one"));
    }
}
