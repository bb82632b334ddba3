// Clients that pay as fast as they are answered, some one at a time and some in batches, and write down what they were told: the supervisor's view of what
// was acknowledged, held against the server after it was killed.

using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.IntegrationTests.Crashes;

internal sealed class PayingClients : IDisposable
{
    private const int BatchMax = 50;
    private const int CheckedAtOnce = 2_000;

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
        Task.WhenAll(Enumerable.Range(0, clients).Select(client => PayUntilItEndsAsync(server, inBatches: client % 4 == 3)));

    /// <summary>Everything acknowledged is there as it was told; everything, sent again, has one effect.</summary>
    public async Task CheckAsync(ServerProcess server)
    {
        foreach (var some in _sent.Chunk(CheckedAtOnce))
        {
            var again = await PayAsync(server, some);
            for (var i = 0; i < some.Length; i++)
            {
                Assert.True(again[i] is not null, $"the server does not answer payment {some[i].Id}");
                if (some[i].Sequence is { } first) Assert.Equal(first, again[i]);
                some[i].Sequence = again[i];
            }
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

    /// <summary>What the server says to anybody.</summary>
    public Task<string> GetTextAsync(ServerProcess server, string path) => _http.GetStringAsync(new Uri(server.Url, path), ServerProcess.Cancel);

    public static string NewId() => ClientIds.Next(TimeProvider.System).ToString();

    private async Task<string> CreateWalletAsync(ServerProcess server) =>
        (await PostAsync(server, "/v1/wallets", new { id = NewId() })).GetProperty("wallet").GetString()!;

    private async Task<JsonElement> PostAsync(ServerProcess server, string path, object body)
    {
        using var response = await _http.PostAsJsonAsync(new Uri(server.Url, path), body, ServerProcess.Cancel);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(ServerProcess.Cancel));
        return await response.Content.ReadFromJsonAsync<JsonElement>(ServerProcess.Cancel);
    }

    private async Task PayUntilItEndsAsync(ServerProcess server, bool inBatches)
    {
        bool answered;
        do
        {
            var count = inBatches ? 1 + Random.Shared.Next(BatchMax) : 1;
            var sent = Enumerable.Range(0, count).Select(_ => new Sent(NewId(), 1 + Random.Shared.Next(100))).ToArray();
            lock (_sent) _sent.AddRange(sent);
            var sequences = inBatches ? await PayAsync(server, sent) : [await PayAsync(server, sent[0])];
            for (var i = 0; i < count; i++) sent[i].Sequence = sequences[i];
            answered = sequences.All(s => s is not null);
        }
        while (answered);
    }

    /// <summary>The same for many payments in one request, in their order.</summary>
    private async Task<long?[]> PayAsync(ServerProcess server, Sent[] batch)
    {
        var sequences = new long?[batch.Length];
        var lines = batch.Select(s => JsonSerializer.Serialize(new { id = s.Id, payer = Payer, payee = Payee, amountMsat = s.Amount }));
        using var body = new StringContent(string.Join('\n', lines), Encoding.UTF8);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
        try
        {
            using var response = await _http.PostAsync(new Uri(server.Url, "/v1/transfers:batch"), body, ServerProcess.Cancel);
            if (!response.IsSuccessStatusCode) return sequences;
            var answers = (await response.Content.ReadAsStringAsync(ServerProcess.Cancel)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(batch.Length, answers.Length);
            for (var i = 0; i < sequences.Length; i++)
            {
                using var answer = JsonDocument.Parse(answers[i]);
                if (answer.RootElement.GetProperty("outcome").GetString() == "accepted") sequences[i] = answer.RootElement.GetProperty("sequence").GetInt64();
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // Nobody was told anything.
        }
        return sequences;
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
