using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Crashes;

/// <summary>What users see through HTTP while the Bitcoin node is away.</summary>
[Trait("suite", "node")]
public sealed class NodeDownTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    [Fact]
    public async Task With_the_node_down_payments_go_on_withdrawals_queue_and_health_says_so()
    {
        await using var server = new ServerProcess(regtest.Node);
        using var clients = new PayingClients(server);
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", server.UserKey);
        await server.StartAsync();
        await clients.PrepareAsync(server, new Sats(1_000_000));
        var address = await regtest.Node.NewMinerAddressAsync(ServerProcess.Cancel);

        await regtest.Node.StopAsync(ServerProcess.Cancel);
        await WaitForHealthAsync(http, server, "degraded");
        using var payment = await clients.SendAsync(server, PayingClients.NewId(), 1_000);
        Assert.Equal(HttpStatusCode.Created, payment.StatusCode);
        var withdrawal = new { id = PayingClients.NewId(), address, amountSat = 50_000 };
        using var queued = await http.PostAsJsonAsync(new Uri(server.Url, $"/v1/wallets/{clients.Payer}/withdrawals"), withdrawal, ServerProcess.Cancel);
        Assert.Equal(HttpStatusCode.Created, queued.StatusCode);
        using var refused = await http.PostAsJsonAsync(
            new Uri(server.Url, $"/v1/wallets/{clients.Payer}/addresses"), new { id = PayingClients.NewId() }, ServerProcess.Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("node_unavailable", (await refused.Content.ReadFromJsonAsync<JsonElement>(ServerProcess.Cancel)).GetProperty("code").GetString());

        await regtest.Node.RestartAsync(ServerProcess.Cancel);
        await WaitForHealthAsync(http, server, "ok");
        var state = await http.GetFromJsonAsync<JsonElement>(
            new Uri(server.Url, $"/v1/wallets/{clients.Payer}/withdrawals/{withdrawal.id}"), ServerProcess.Cancel);
        Assert.Equal("queued", state.GetProperty("state").GetString());
    }

    private static async Task WaitForHealthAsync(HttpClient http, ServerProcess server, string status)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            var health = await http.GetFromJsonAsync<JsonElement>(new Uri(server.Url, "/v1/health"), ServerProcess.Cancel);
            if (health.GetProperty("status").GetString() == status) return;
            await timer.WaitForNextTickAsync(ServerProcess.Cancel);
        }
    }
}
