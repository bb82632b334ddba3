// Payments a second through two silos over one PostgreSQL, over HTTP at both at once: in batches and one by one. The generators, the
// silos and PostgreSQL share the machine.

using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bitcache.Benchmarks.Load;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Benchmarks.Http;

/// <param name="Program">The program bitcache-silo, as the path of its dll.</param>
/// <param name="Connections">Of single payments, to each silo.</param>
/// <param name="BatchConnections">Of batches, to each silo.</param>
internal sealed record ClusterBenchOptions(string Program, int Partitions, int Wallets, int Connections, int BatchConnections, TimeSpan Duration, int Runs);

internal sealed class ClusterBench : IDisposable
{
    private const int Silos = 2;
    private const int PaymentsPerBatch = 2_048;
    private const int MadeAtOnce = 64;
    private static readonly Msat Start = new(1_000_000);
    /// <summary>Two processes compile what they run, and compile it again.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(20);

    private readonly LocalCluster _cluster;
    private readonly HttpClient _http = new();
    private readonly CancellationToken _cancel;
    private WalletId[] _wallets = [];
    private int _busy;

    private ClusterBench(LocalCluster cluster, CancellationToken cancel)
    {
        (_cluster, _cancel) = (cluster, cancel);
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", cluster.UserKey);
    }

    public static async Task<BenchResult> RunAsync(ClusterBenchOptions options, CancellationToken cancel)
    {
        await using var cluster = await LocalCluster.StartAsync(options.Program, Silos, options.Partitions, Console.Error.WriteLine, cancel);
        using var bench = new ClusterBench(cluster, cancel);
        await bench.FundAsync(options.Wallets);
        var (batches, singles) = (new List<double>(), new List<double>());
        var (batchLatencies, singleLatencies) = (new List<double>(), new List<double>());
        for (var run = 0; run <= options.Runs; run++)
        {
            await Console.Error.WriteLineAsync(run == 0 ? "warming up" : $"run {run} of {options.Runs}");
            var inBatches = await bench.PayAsync(url => new BatchPayments(url, cluster.UserKey, bench._wallets, PaymentsPerBatch), options.BatchConnections, run == 0 ? WarmUp : options.Duration);
            var oneByOne = await bench.PayAsync(url => new SinglePayments(url, EmptyEndpoint.Route, cluster.UserKey, (int)HttpStatusCode.Created, bench._wallets), options.Connections, run == 0 ? WarmUp : options.Duration);
            if (run == 0) continue;
            batches.Add(inBatches.Rate);
            singles.Add(oneByOne.Rate);
            batchLatencies.Add(inBatches.P99);
            singleLatencies.Add(oneByOne.P99);
            await Console.Error.WriteLineAsync($"run {run} of {options.Runs}: {inBatches.Rate:N0} payments/s in batches, {oneByOne.Rate:N0}/s one by one");
        }
        await bench.CheckAsync();
        return new BenchResult("cluster", "payments/s", batches, new Dictionary<string, double>(), new Dictionary<string, object>
        {
            ["silos"] = Silos,
            ["partitions"] = options.Partitions,
            ["wallets"] = options.Wallets,
            ["paymentsPerRequest"] = PaymentsPerBatch,
            ["batchConnectionsOfSilo"] = options.BatchConnections,
            ["p99MsOfBatches"] = BenchResult.Median(batchLatencies),
            ["singlesPerSecond"] = Math.Round(BenchResult.Median(singles)),
            ["connectionsOfSilo"] = options.Connections,
            ["requestsAnsweredBusy"] = bench._busy,
            ["p99MsOfSingles"] = BenchResult.Median(singleLatencies),
        });
    }

    public void Dispose() => _http.Dispose();

    /// <summary>At all silos at once; the rates add up, the worse latency counts.</summary>
    private async Task<(double Rate, double P99)> PayAsync(Func<Uri, Dialogue> dialogue, int connections, TimeSpan duration)
    {
        var results = await Task.WhenAll(_cluster.Silos.Select(async silo =>
        {
            var patient = new PatientDialogue(dialogue(silo.Url));
            using var load = new LoadGenerator(new IPEndPoint(IPAddress.Loopback, silo.Url.Port), connections, patient);
            var result = await load.RunAsync(duration, null, _cancel);
            Interlocked.Add(ref _busy, patient.Busy);
            return result;
        }));
        return (results.Sum(result => result.Rate), results.Max(result => result.Latencies.Quantile(0.99)));
    }

    private async Task FundAsync(int count)
    {
        await Console.Error.WriteLineAsync($"making {count} wallets");
        var treasury = await MakeWalletAsync();
        var sat = (Start.Value / Limits.MsatPerSat * count) + 1;
        var address = await PostAsync($"/v1/wallets/{treasury}/addresses", new { id = NewId() });
        await _cluster.Node.PayAsync(address.GetProperty("address").GetString()!, new Sats(sat), _cancel);
        await _cluster.Node.MineAsync(1, _cancel);
        await DemoCheck.EventuallyAsync("the deposit", async () => await BalanceAsync(treasury) > 0 ? "" : null, _cancel);
        var wallets = new List<WalletId>();
        foreach (var some in Enumerable.Range(0, count).Chunk(MadeAtOnce)) wallets.AddRange(await Task.WhenAll(some.Select(async _ =>
        {
            var wallet = await MakeWalletAsync();
            await PostAsync("/v1/transfers", new { id = NewId(), payer = treasury.ToString(), payee = wallet.ToString(), amountMsat = Start.Value });
            return wallet;
        })));
        _wallets = [.. wallets];
    }

    /// <summary>Every credit has followed its debit, and the wallets together have what they began with.</summary>
    private async Task CheckAsync()
    {
        long sum = 0;
        await DemoCheck.EventuallyAsync("all credits", async () =>
        {
            sum = 0;
            foreach (var some in _wallets.Chunk(MadeAtOnce)) sum += (await Task.WhenAll(some.Select(BalanceAsync))).Sum();
            return sum == Start.Value * _wallets.Length ? "" : null;
        }, _cancel);
    }

    private async Task<WalletId> MakeWalletAsync() =>
        WalletId.TryParse((await PostAsync("/v1/wallets", new { id = NewId() })).GetProperty("wallet").GetString()!, out var wallet) ? wallet : throw new BenchFailedException("a wallet has no id");

    private async Task<long> BalanceAsync(WalletId wallet) =>
        (await _http.GetFromJsonAsync<JsonElement>(new Uri(_cluster.Silos[0].Url, $"/v1/wallets/{wallet}"), _cancel)).GetProperty("availableMsat").GetInt64();

    private async Task<JsonElement> PostAsync(string path, object body)
    {
        using var response = await _http.PostAsJsonAsync(new Uri(_cluster.Silos[0].Url, path), body, _cancel);
        if (!response.IsSuccessStatusCode) throw new BenchFailedException($"{path} was answered {await response.Content.ReadAsStringAsync(_cancel)}");
        return await response.Content.ReadFromJsonAsync<JsonElement>(_cancel);
    }

    private static string NewId() => ClientIds.Next(TimeProvider.System).ToString();
}
