// Users who pay through whichever silo answers: each has a wallet, pays the next one, and asks again under the same id until he is
// told what came of it. What they were told is held against the ledger in the end.

using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Cluster.Tests;

internal sealed class HttpPayers : IDisposable
{
    private const int WalletsOfPartition = 2;
    /// <summary>Of each, about: payments that are sent again in the end.</summary>
    private const int SentAgain = 25;
    private static readonly Sats Funds = new(1_000_000);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(20);
    /// <summary>Of one request: a silo that stands still must not keep its users from the other.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly LocalCluster _cluster;
    private readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(1), ConnectTimeout = TimeSpan.FromSeconds(1) }) { Timeout = Patience };
    private readonly List<Payer> _payers = [];
    private int _failures;

    private HttpPayers(LocalCluster cluster)
    {
        _cluster = cluster;
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", cluster.UserKey);
    }

    /// <summary>One payment and what came of it.</summary>
    private sealed record Sent(string Id, long Amount)
    {
        public long Sequence { get; set; }
        public long BegunAt { get; } = Stopwatch.GetTimestamp();
    }

    private sealed class Payer(string wallet)
    {
        public string Wallet => wallet;
        public string Payee { get; set; } = "";
        public List<Sent> Sent { get; } = [];
        // When the newest acknowledged payment was begun.
        public long AcknowledgedSince;
    }

    public int Acknowledged => _payers.Sum(payer => payer.Sent.Count);

    /// <summary>Requests that were not answered, or with what promises nothing.</summary>
    public int Failures => Volatile.Read(ref _failures);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Makes wallets in every partition, each with money.</summary>
    public static async Task<HttpPayers> CreateAsync(LocalCluster cluster, int partitions)
    {
        var payers = new HttpPayers(cluster);
        var treasury = await payers.CreateWalletAsync();
        await payers.FundAsync(treasury);
        var missing = Enumerable.Repeat(WalletsOfPartition, partitions).ToArray();
        while (missing.Any(left => left > 0))
        {
            var wallet = await payers.CreateWalletAsync();
            if (!WalletId.TryParse(wallet, out var id) || --missing[id.PartitionOf(partitions)] < 0) continue;
            payers._payers.Add(new Payer(wallet));
            await payers.SendAsync(treasury, wallet, NewId(), Funds.ToMsat().Value / 100);
        }
        for (var i = 0; i < payers._payers.Count; i++) payers._payers[i].Payee = payers._payers[(i + 1) % payers._payers.Count].Wallet;
        return payers;
    }

    /// <summary>A deposit is credited, whichever silo settles.</summary>
    public async Task FundAsync(string wallet)
    {
        var before = await BalanceAsync(0, wallet);
        var address = await UntilAnsweredAsync(silo => PostAsync(silo, $"/v1/wallets/{wallet}/addresses", new { id = NewId() }));
        await _cluster.Node.PayAsync(address.GetProperty("address").GetString()!, Funds, Cancel);
        await _cluster.Node.MineAsync(1, Cancel);
        await DemoCheck.EventuallyAsync("a deposit", async () => await BalanceAsync(0, wallet) == before + Funds.ToMsat().Value ? "" : null, Cancel);
    }

    public async Task<string> CreateWalletAsync()
    {
        var id = NewId();
        return (await UntilAnsweredAsync(silo => PostAsync(silo, "/v1/wallets", new { id }))).GetProperty("wallet").GetString()!;
    }

    /// <summary>All of them pay, one payment after the other, until they are told to stop.</summary>
    public Task PayAsync(CancellationToken stop) => Task.WhenAll(_payers.Select(payer => Task.Run(() => PayAsync(payer, stop), Cancel)));

    /// <summary>How long it took from a moment on until everybody was answered a payment that he had begun after it.</summary>
    public async Task<TimeSpan> UntilAllAnsweredAsync(long since)
    {
        while (_payers.Exists(payer => Volatile.Read(ref payer.AcknowledgedSince) < since)) await Task.Delay(RetryAfter, Cancel);
        return Stopwatch.GetElapsedTime(since);
    }

    /// <summary>Everything acknowledged is there as it was told, once, whichever silo is asked.</summary>
    public async Task CheckAsync()
    {
        await Task.WhenAll(_payers.Select(async payer =>
        {
            Assert.Equal(payer.Sent.Count, payer.Sent.Select(sent => sent.Sequence).Distinct().Count());
            // Asking for each again would take longer than paying did: some of all of the time.
            var apart = Math.Max(1, payer.Sent.Count / SentAgain);
            foreach (var (sent, at) in payer.Sent.Select((sent, at) => (sent, at)))
            {
                if (at % apart == 0) Assert.Equal(sent.Sequence, await SendAsync(payer.Wallet, payer.Payee, sent.Id, sent.Amount));
            }
        }));
        for (var silo = 0; silo < _cluster.Silos.Count; silo++)
        {
            for (var i = 0; i < _payers.Count; i++)
            {
                var (payer, before, at) = (_payers[i], _payers[(i + _payers.Count - 1) % _payers.Count], silo);
                var expected = (Funds.ToMsat().Value / 100) + before.Sent.Sum(sent => sent.Amount) - payer.Sent.Sum(sent => sent.Amount);
                await DemoCheck.EventuallyAsync($"the balance of {payer.Wallet}", async () => await BalanceAsync(at, payer.Wallet) == expected ? "" : null, Cancel);
            }
        }
    }

    public void Dispose() => _http.Dispose();

    private static string NewId() => ClientIds.Next(TimeProvider.System).ToString();

    private async Task PayAsync(Payer payer, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var sent = new Sent(NewId(), 1 + Random.Shared.Next(5));
            sent.Sequence = await SendAsync(payer.Wallet, payer.Payee, sent.Id, sent.Amount);
            payer.Sent.Add(sent);
            Volatile.Write(ref payer.AcknowledgedSince, sent.BegunAt);
        }
    }

    /// <returns>The payment's sequence.</returns>
    private async Task<long> SendAsync(string payer, string payee, string id, long amount) =>
        (await UntilAnsweredAsync(silo => PostAsync(silo, "/v1/transfers", new { id, payer, payee, amountMsat = amount }))).GetProperty("sequence").GetInt64();

    private async Task<long> BalanceAsync(int silo, string wallet) =>
        (await UntilAnsweredAsync(_ => GetAsync(_cluster.Silos[silo], $"/v1/wallets/{wallet}"))).GetProperty("availableMsat").GetInt64();

    private async Task<JsonElement> UntilAnsweredAsync(Func<LocalSilo, Task<JsonElement?>> ask)
    {
        for (var attempt = Random.Shared.Next(_cluster.Silos.Count); ; attempt++)
        {
            if (await ask(_cluster.Silos[attempt % _cluster.Silos.Count]) is { } answer) return answer;
            Interlocked.Increment(ref _failures);
            await Task.Delay(RetryAfter, Cancel);
        }
    }

    private Task<JsonElement?> PostAsync(LocalSilo silo, string path, object body) => AskAsync(() => _http.PostAsJsonAsync(new Uri(silo.Url, path), body, Cancel));

    private Task<JsonElement?> GetAsync(LocalSilo silo, string path) => AskAsync(() => _http.GetAsync(new Uri(silo.Url, path), Cancel));

    /// <summary>Null where nothing is promised, and a retry tells. Any other refusal is a failure of the test.</summary>
    private static async Task<JsonElement?> AskAsync(Func<Task<HttpResponseMessage>> ask)
    {
        try
        {
            using var response = await ask();
            if (response.IsSuccessStatusCode) return await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);
            var text = await response.Content.ReadAsStringAsync(Cancel);
            return response.StatusCode is HttpStatusCode.ServiceUnavailable || text.Contains("\"id_in_flight\"", StringComparison.Ordinal)
                ? null
                : throw new InvalidOperationException($"{(int)response.StatusCode}: {text}");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException && !Cancel.IsCancellationRequested)
        {
            return null;
        }
    }
}
