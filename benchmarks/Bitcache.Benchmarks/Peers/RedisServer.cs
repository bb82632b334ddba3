// A Redis of its own, with the settings and scripts of benchmarks/peers.

using System.Globalization;
using System.Net;
using Bitcache.Cli.Demo;

namespace Bitcache.Benchmarks.Peers;

internal sealed class RedisServer : IAsyncDisposable
{
    private const int WalletsPerScript = 10_000;

    private readonly PeerProcess _process;
    private readonly int _wallets;

    private RedisServer(PeerProcess process, int port, int wallets)
    {
        (_process, _wallets) = (process, wallets);
        EndPoint = new IPEndPoint(IPAddress.Loopback, port);
    }

    public EndPoint EndPoint { get; }

    /// <summary>The name under which Redis knows the script of a transfer.</summary>
    public string TransferScript { get; private set; } = "";

    public static async Task<RedisServer> StartAsync(string folder, int wallets, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        var settings = Path.Combine(folder, "redis.conf");
        await File.WriteAllTextAsync(settings, PeerProcess.FileText("redis.conf"), cancel);
        var port = RegtestNode.FreePort();
        var process = await PeerProcess.StartAsync(
            "redis-server", [settings, "--dir", folder, "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture)],
            "Ready to accept connections", cancel);
        var server = new RedisServer(process, port, wallets);
        try
        {
            server.Fill();
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
        return server;
    }

    /// <summary>Every acknowledged transfer has a key of its own, and no money came or went.</summary>
    /// <exception cref="BenchFailedException">That is not so.</exception>
    public void Check(long acknowledged)
    {
        using var client = new RespClient(EndPoint);
        var transfers = Number(client.Call("DBSIZE")) - _wallets;
        if (transfers != acknowledged) throw new BenchFailedException($"Redis acknowledged {acknowledged} transfers and has {transfers}");
        var sum = 0L;
        for (var first = 0; first < _wallets; first += WalletsPerScript)
            sum += Number(client.Call("EVAL", PeerProcess.FileText("sum.lua"), "0", Text(first), Text(Math.Min(WalletsPerScript, _wallets - first))));
        if (sum != FundedWallets.Start.Value * _wallets) throw new BenchFailedException($"the balances in Redis sum up to {sum}");
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private void Fill()
    {
        using var client = new RespClient(EndPoint);
        TransferScript = client.Call("SCRIPT", "LOAD", PeerProcess.FileText("transfer.lua"));
        CheckRules(client);
        var fund = PeerProcess.FileText("fund.lua");
        for (var first = 0; first < _wallets; first += WalletsPerScript)
            client.Call("EVAL", fund, "0", Text(first), Text(Math.Min(WalletsPerScript, _wallets - first)), Text(FundedWallets.Start.Value));
    }

    /// <summary>The script keeps the rules that make it comparable: tried before there are wallets.</summary>
    private void CheckRules(RespClient client)
    {
        client.Call("SET", "a", "100");
        client.Call("SET", "b", "0");
        // Accepted; known; another's id; short of funds, and for ever; no such wallet.
        Expect("0", "a", "b", "1", "80");
        Expect("0", "a", "b", "1", "80");
        Expect("3", "a", "b", "1", "8");
        Expect("1", "a", "b", "2", "30");
        Expect("0", "b", "a", "3", "70");
        Expect("1", "a", "b", "2", "30");
        Expect("2", "a", "c", "4", "1");
        if (client.Call("GET", "a") != "90" || client.Call("GET", "b") != "10") throw new BenchFailedException("the script of Redis moves money wrongly");
        client.Call("FLUSHALL", "SYNC");

        void Expect(string outcome, string payer, string payee, string id, string amount)
        {
            var got = client.Call("EVALSHA", TransferScript, "3", payer, payee, id, amount);
            if (got != outcome) throw new BenchFailedException($"a transfer of {amount} from {payer} to {payee} gave {got} in Redis");
        }
    }

    private static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
