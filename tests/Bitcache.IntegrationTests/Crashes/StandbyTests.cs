using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.IntegrationTests.Bitcoin;
using Bitcache.Server.Api;

namespace Bitcache.IntegrationTests.Crashes;

/// <summary>What the operator and users see through HTTP when a standby takes over.</summary>
[Trait("suite", "node")]
public sealed class StandbyTests(RegtestPairFixture pair) : IClassFixture<RegtestPairFixture>
{
    [Fact]
    public async Task A_server_with_a_standby_in_its_settings_goes_on_with_it_and_says_so()
    {
        await using var server = new ServerProcess(pair.First, more: new Dictionary<string, string>
        {
            ["standbyUrl"] = pair.Second.Endpoint.ToString(),
            ["standbyCookieFile"] = pair.Second.CookieFile,
        });
        using var clients = new PayingClients(server);
        using var http = new HttpClient();
        await server.StartAsync();
        await clients.PrepareAsync(server, new Sats(1_000_000));
        await pair.SyncAsync();
        await UntilAsync(server, http, nodes => nodes is [{ Used: true, Trouble: null }, { Used: false, Trouble: null }]);

        await pair.First.KillAsync();
        await UntilAsync(server, http, nodes => nodes[0] is { Trouble: null } && nodes[0].Node == Name(pair.Second) && nodes[1] is { Trouble: not null });
        Assert.Equal(["standby_unavailable"], await ReasonsAsync(server, http));
        using var address = new HttpRequestMessage(HttpMethod.Post, new Uri(server.Url, $"/v1/wallets/{clients.Payer}/addresses"))
        {
            Content = JsonContent.Create(new { id = PayingClients.NewId() }),
            Headers = { Authorization = new AuthenticationHeaderValue("Bearer", server.UserKey) },
        };
        using var given = await http.SendAsync(address, ServerProcess.Cancel);
        Assert.Equal(HttpStatusCode.Created, given.StatusCode);

        await pair.First.RestartAsync(ServerProcess.Cancel);
        await pair.JoinAsync();
        await UntilAsync(server, http, nodes => nodes is [{ Used: true, Why: not null }, { Trouble: null }]);
        Assert.Empty(await ReasonsAsync(server, http));
    }

    private static string Name(Cli.Demo.RegtestNode node) => node.Endpoint.GetLeftPart(UriPartial.Authority);

    /// <summary>Waits until the operator's health lists the nodes as expected.</summary>
    private static async Task UntilAsync(ServerProcess server, HttpClient http, Predicate<NodeReply[]> isSo)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Url, "/v1/operator/health"))
            {
                Headers = { Authorization = new AuthenticationHeaderValue("Bearer", server.OperatorKey) },
            };
            using var answer = await http.SendAsync(request, ServerProcess.Cancel);
            var health = await answer.Content.ReadFromJsonAsync<JsonElement>(ServerProcess.Cancel);
            if (isSo(health.GetProperty("nodes").Deserialize<NodeReply[]>(JsonSerializerOptions.Web)!)) return;
            await timer.WaitForNextTickAsync(ServerProcess.Cancel);
        }
    }

    /// <summary>What does not work, without what an operator with no money brings along. The answer may be a second old.</summary>
    private static async Task<string[]> ReasonsAsync(ServerProcess server, HttpClient http)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.1));
        await timer.WaitForNextTickAsync(ServerProcess.Cancel);
        var health = await http.GetFromJsonAsync<JsonElement>(new Uri(server.Url, "/v1/health"), ServerProcess.Cancel);
        return [.. health.GetProperty("reasons").EnumerateArray().Select(r => r.GetString()!).Where(r => r != "operator_funds_low")];
    }
}
