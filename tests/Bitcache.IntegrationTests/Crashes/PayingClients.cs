// Clients that pay as fast as they are answered, and write down what they were told: the supervisor's view of what
// was acknowledged, held against the server after it was killed.

using System.Net.Http.Json;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.IntegrationTests.Crashes;

internal sealed class PayingClients : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(1) });
    private readonly List<Sent> _sent = [];

    /// <summary>One payment and what came of it; no sequence means that nobody was told anything.</summary>
    internal sealed class Sent(string id, long amount)
    {
        public string Id { get; } = id;
        public long Amount { get; } = amount;
        public long? Sequence { get; set; }
    }

    public PayingClients(ServerProcess server) => _http.DefaultRequestHeaders.Authorization = new("Bearer", server.UserKey);

    public string Payer { get; private set; } = "";
    public string Payee { get; private set; } = "";
    public int Acknowledged => _sent.Count(s => s.Sequence is not null);

    /// <summary>Makes two wallets and has the first funded by a deposit.</summary>
    public async Task PrepareAsync(ServerProcess server, Sats amount)
    {
        (Payer, Payee) = (await CreateWalletAsync(server), await CreateWalletAsync(server));
        var address = await PostAsync(server, $"/v1/wallets/{Payer}/addresses", new { id = NewId() });
        await server.Node.PayAsync(address.GetProperty("address").GetString()!, amount, ServerProcess.Cancel);
        await server.Node.MineAsync(1, ServerProcess.Cancel);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (await BalanceAsync(server, Payer) == 0) await timer.WaitForNextTickAsync(ServerProcess.Cancel);
    }

    /// <summary>Pays with so many clients until the server no longer answers.</summary>
    public Task PayUntilItEndsAsync(ServerProcess server, int clients) =>
        Task.WhenAll(Enumerable.Range(0, clients).Select(_ => PayUntilItEndsAsync(server)));

    /// <summary>Everything acknowledged is there as it was told; everything, sent again, has one effect.</summary>
    public async Task CheckAsync(ServerProcess server)
    {
        foreach (var sent in _sent)
        {
            var first = sent.Sequence;
            var again = await PayAsync(server, sent);
            Assert.True(again is not null, $"the server does not answer payment {sent.Id}");
            if (first is not null) Assert.Equal(first, again);
            sent.Sequence = again;
        }
        Assert.Equal(_sent.Count, _sent.Select(s => s.Sequence).Distinct().Count());
        Assert.Equal(_sent.Sum(s => s.Amount), await BalanceAsync(server, Payee));
    }

    public async Task<long> BalanceAsync(ServerProcess server, string wallet)
    {
        var reply = await _http.GetFromJsonAsync<JsonElement>(new Uri(server.Url, $"/v1/wallets/{wallet}"), ServerProcess.Cancel);
        return reply.GetProperty("availableMsat").GetInt64();
    }

    public async Task<HttpResponseMessage> SendAsync(ServerProcess server, string id, long amount) => await _http.PostAsJsonAsync(
        new Uri(server.Url, "/v1/transfers"), new { id, payer = Payer, payee = Payee, amountMsat = amount }, ServerProcess.Cancel);

    public static string NewId() => ClientIds.Next(TimeProvider.System).ToString();

    private async Task<string> CreateWalletAsync(ServerProcess server) =>
        (await PostAsync(server, "/v1/wallets", new { id = NewId() })).GetProperty("wallet").GetString()!;

    private async Task<JsonElement> PostAsync(ServerProcess server, string path, object body)
    {
        using var response = await _http.PostAsJsonAsync(new Uri(server.Url, path), body, ServerProcess.Cancel);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(ServerProcess.Cancel));
        return await response.Content.ReadFromJsonAsync<JsonElement>(ServerProcess.Cancel);
    }

    private async Task PayUntilItEndsAsync(ServerProcess server)
    {
        do
        {
            var sent = new Sent(NewId(), 1 + Random.Shared.Next(1_000));
            lock (_sent) _sent.Add(sent);
            sent.Sequence = await PayAsync(server, sent);
            if (sent.Sequence is null) return;
        }
        while (true);
    }

    /// <summary>The sequence that was acknowledged, or null when there was no answer or one that promises nothing.</summary>
    private async Task<long?> PayAsync(ServerProcess server, Sent sent)
    {
        try
        {
            using var response = await SendAsync(server, sent.Id, sent.Amount);
            if (!response.IsSuccessStatusCode) return null;
            var reply = await response.Content.ReadFromJsonAsync<JsonElement>(ServerProcess.Cancel);
            return reply.GetProperty("sequence").GetInt64();
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();
}
