// Deposits and addresses, with a real node on regtest: the seconds from the moment at which the node's wallet has a block
// full of deposits until each of them is credited and durable, beside the time that the node itself takes; and addresses a
// second, asked for in bulk.

using System.Diagnostics;
using System.Text.Json.Nodes;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Benchmarks;

/// <param name="Deposits">In one block.</param>
/// <param name="Outputs">Deposits that one transaction makes.</param>
/// <param name="Addresses">That are asked for; 0 to leave that out.</param>
internal sealed record BitcoinBenchOptions(int Deposits, int Outputs, int Addresses, int Runs, string Folder);

internal static class BitcoinBench
{
    private static readonly Sats Amount = new(10_000);

    public static async Task<BenchResult> RunAsync(BitcoinBenchOptions options, CancellationToken stop)
    {
        using var scratch = new ScratchFolder(options.Folder);
        var credits = await CreditAsync(options, scratch.Inside("deposits"), stop);
        var rates = new List<double>();
        for (var run = 0; run < options.Runs && options.Addresses > 0; run++)
            rates.Add(await AssignAsync(options.Addresses, scratch.Inside($"addresses-{run}"), stop));
        var details = new Dictionary<string, object>
        {
            ["deposits"] = options.Deposits,
            ["depositsPerTransaction"] = options.Outputs,
            ["nodeWalletSeconds"] = BenchResult.Median([.. credits.Select(c => c.Wallet)]),
            ["nodeListSeconds"] = BenchResult.Median([.. credits.Select(c => c.List)]),
        };
        if (rates.Count > 0) (details["addresses"], details["addressesPerSecond"]) = (options.Addresses, BenchResult.Median(rates));
        return new BenchResult(
            "bitcoin", "seconds from the wallet's knowing a block to its deposits' being credited", [.. credits.Select(c => c.Credited)],
            new Dictionary<string, double> { ["floor"] = BenchResult.Median([.. credits.Select(c => c.Credited / c.List)]) }, details);
    }

    /// <param name="Wallet">How long the node's wallet took for the block once the chain had it.</param>
    /// <param name="List">How long the node takes to list what is in it.</param>
    private readonly record struct Credit(double Wallet, double Credited, double List);

    private static async Task<List<Credit>> CreditAsync(BitcoinBenchOptions options, string folder, CancellationToken stop)
    {
        // Some nodes make smaller blocks than they accept.
        await using var node = await RegtestNode.StartAsync(Path.Combine(folder, "node"), stop, "-blockmaxweight=3990000");
        await using var engine = await OpenAsync(node, folder, stop);
        var payers = new DepositPayers(node);
        var credits = new List<Credit>();
        for (var run = 0; run < options.Runs; run++)
        {
            var addresses = await AddressesAsync(engine, options.Deposits, stop);
            await payers.PayAsync(addresses, Amount, options.Outputs, stop);
            await engine.SettleAsync(stop);
            var before = (await node.Node.GetBlockchainInfoAsync(stop)).BestBlock;
            var miner = await node.NewMinerAddressAsync(stop);
            await node.Rpc.CallAsync(null, "generatetoaddress", [1, miner], stop);
            var watch = Stopwatch.StartNew();
            await node.Rpc.CallAsync(null, "syncwithvalidationinterfacequeue", [], stop);
            var wallet = watch.Elapsed.TotalSeconds;
            var left = await node.Rpc.CallAsync(null, "getmempoolinfo", [], a => a.Get("size").ToInt(), stop);
            if (left > 0) throw new BenchFailedException($"{left} of the transactions have no room in one block");
            watch.Restart();
            await engine.SettleAsync(stop);
            var credited = watch.Elapsed.TotalSeconds;
            await CheckAsync(engine, (long)(run + 1) * options.Deposits);
            watch.Restart();
            await node.Rpc.CallAsync(RegtestNode.ServerWallet, "listsinceblock", [before.ToString()], stop);
            credits.Add(new Credit(wallet, credited, watch.Elapsed.TotalSeconds));
            await Console.Error.WriteLineAsync(
                $"run {run + 1} of {options.Runs}: credited in {credited:0.000} s; the node's wallet took {wallet:0.000} s for the block, and lists it in {watch.Elapsed.TotalSeconds:0.000} s");
        }
        return credits;
    }

    private static async Task<double> AssignAsync(int count, string folder, CancellationToken stop)
    {
        await using var node = await RegtestNode.StartAsync(Path.Combine(folder, "node"), stop);
        await using var engine = await OpenAsync(node, folder, stop);
        var watch = Stopwatch.StartNew();
        var addresses = await AddressesAsync(engine, count, stop);
        var rate = count / watch.Elapsed.TotalSeconds;
        if (addresses.Distinct().Count() != count) throw new BenchFailedException("an address was given away twice");
        await Console.Error.WriteLineAsync($"{count:N0} addresses: {rate:N0}/s");
        return rate;
    }

    private static Task<LedgerEngine> OpenAsync(RegtestNode node, string folder, CancellationToken stop) => LedgerEngine.OpenAsync(
        new EngineSettings
        {
            DataFolder = Path.Combine(folder, "data"),
            Origin = "bench.example/log",
            ConfirmationsToCredit = [new ConfirmationRule(0, 1)],
            // The longest there is: turns are taken when they are asked for.
            PollInterval = TimeSpan.FromMinutes(10),
        },
        node.Node, TimeProvider.System, NullLoggerFactory.Instance, Environment.FailFast, stop);

    /// <summary>Fresh addresses of as many wallets as it takes, as many at once as one request may ask for.</summary>
    private static async Task<string[]> AddressesAsync(LedgerEngine engine, int count, CancellationToken stop)
    {
        const uint Tenant = 1;
        var addresses = new List<string>();
        WalletId wallet = default;
        while (addresses.Count < count)
        {
            if (addresses.Count % Limits.AddressesPerWalletMax == 0)
                wallet = (await engine.Partitions.CreateWalletAsync(ClientIds.Next(TimeProvider.System), Tenant)).Owner!.Value.Id;
            var answer = await engine.AssignAddressesAsync(
                ClientIds.Next(TimeProvider.System), wallet, Tenant, AddressPurpose.Deposit, Math.Min(Limits.AddressesAtOnceMax, count - addresses.Count), stop);
            if (answer.Entry?.Command is not AssignAddresses made) throw new BenchFailedException($"addresses were refused: {answer.Outcome}");
            addresses.AddRange(made.Addresses.Select(a => Core.Bitcoin.BitcoinAddress.FromScript(a.Script.Span, engine.Network)!));
        }
        return [.. addresses];
    }

    private static async Task CheckAsync(LedgerEngine engine, long deposits)
    {
        var (totals, open) = await engine.Partitions.First.QueryAsync(ledger => (ledger.Totals, ledger.OpenDeposits().Count));
        var wanted = new Sats(deposits * Amount.Value).ToMsat().Value;
        if (totals.Deposited != wanted || !totals.IsConserved)
            throw new BenchFailedException($"{totals.Deposited} msat were credited where {wanted} were paid ({open} deposits are open)");
    }
}

/// <summary>The world outside: coins of its own, one for each transaction that pays.</summary>
internal sealed class DepositPayers(RegtestNode node)
{
    private const long FeeSat = 1_000;
    private const int OutputsMax = 1_000;
    private string[] _own = [];

    /// <summary>Pays each address once; all wait in the mempool when this returns.</summary>
    public async Task PayAsync(IReadOnlyList<string> addresses, Sats amount, int outputs, CancellationToken stop)
    {
        var payments = addresses.Chunk(outputs).ToArray();
        var coins = await FundAsync(payments.Length, new Sats((amount.Value * outputs) + FeeSat + (outputs * 50L)), stop);
        for (var i = 0; i < payments.Length; i++)
        {
            var pays = new JsonObject(payments[i].Select(address => KeyValuePair.Create(address, (JsonNode?)Amounts.FormatBtc(amount))));
            var unsigned = await node.Rpc.CallAsync(null, "createrawtransaction", [new JsonArray(Input(coins[i])), pays], NodeJson.ToText, stop);
            await SendAsync(unsigned, stop);
        }
        await node.Rpc.CallAsync(null, "syncwithvalidationinterfacequeue", [], stop);
    }

    /// <summary>Makes coins of one size, and confirms them.</summary>
    private async Task<List<OutPoint>> FundAsync(int count, Sats each, CancellationToken stop)
    {
        if (_own.Length < count) _own = await OwnAddressesAsync(count, stop);
        var coins = new List<OutPoint>();
        foreach (var some in _own[..count].Chunk(OutputsMax))
        {
            var pays = new JsonArray([.. some.Select(address => (JsonNode)new JsonObject { [address] = Amounts.FormatBtc(each) })]);
            var psbt = await node.MinerAsync("walletcreatefundedpsbt", [new JsonArray(), pays, 0, new JsonObject { ["fee_rate"] = "2", ["changePosition"] = some.Length }], a => a.Get("psbt").ToText(), stop);
            var raw = await node.MinerAsync("walletprocesspsbt", [psbt], a => a.Get("hex").ToText(), stop);
            var txid = await node.Rpc.CallAsync(null, "sendrawtransaction", [raw], NodeJson.ToTxid, stop);
            coins.AddRange(Enumerable.Range(0, some.Length).Select(i => new OutPoint(txid, (uint)i)));
        }
        await node.MineAsync(1, stop);
        return coins;
    }

    private async Task<string[]> OwnAddressesAsync(int count, CancellationToken stop)
    {
        var miner = new BitcoinRpcNode(node.Rpc, RegtestNode.MinerWallet);
        await miner.RefillKeypoolAsync(count, stop);
        var descriptor = (await miner.ListDescriptorsAsync(stop)).First(d => d.GivesTaproot);
        return [.. await miner.DeriveAddressesAsync(descriptor.Text, descriptor.Next, descriptor.Next + (uint)count - 1, stop)];
    }

    private async Task SendAsync(string unsigned, CancellationToken stop)
    {
        var raw = await node.MinerAsync("signrawtransactionwithwallet", [unsigned], a => a.Get("hex").ToText(), stop);
        await node.Rpc.CallAsync(null, "sendrawtransaction", [raw], stop);
    }

    private static JsonObject Input(OutPoint coin) => new() { ["txid"] = coin.Txid.ToString(), ["vout"] = coin.Index };
}
