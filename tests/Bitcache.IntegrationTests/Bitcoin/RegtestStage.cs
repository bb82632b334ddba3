using System.Text.Json.Nodes;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Tests.Bitcoin.Scripts;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>A real node, with a wallet of its own for each script. The wallet "miner" is the world outside.</summary>
internal sealed class RegtestStage : INodeStage
{
    private const long HighFeeSat = 50_000;
    /// <summary>Nodes drop what has waited for two weeks.</summary>
    private static readonly TimeSpan Expiry = TimeSpan.FromDays(15);

    private readonly RegtestNode _regtest;
    private readonly string _wallet;
    private readonly NodeTrace _trace;

    private RegtestStage(RegtestNode regtest, string wallet, int height)
    {
        (_regtest, _wallet) = (regtest, wallet);
        (Node, _trace) = NodeTrace.Of(new BitcoinRpcNode(regtest.Rpc, wallet), height);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public IBitcoinNode Node { get; }

    public IReadOnlyList<string> Trace => _trace.Lines;

    public static async Task<RegtestStage> CreateAsync(RegtestNode regtest, string wallet)
    {
        await new BitcoinRpcNode(regtest.Rpc, wallet).CreateWalletAsync(Cancel);
        // What other scripts have left in the mempool.
        await regtest.MineAsync(1, Cancel);
        return new RegtestStage(regtest, wallet, (await regtest.Node.GetBlockchainInfoAsync(Cancel)).Blocks);
    }

    public Task<string> StrangerAsync() => _regtest.NewMinerAddressAsync(Cancel);

    public Task<string> DescribeAsync(string address) =>
        _regtest.Rpc.CallAsync(null, "getdescriptorinfo", [$"addr({address})"], a => a.Get("descriptor").ToText(), Cancel);

    public Task<Txid> PayAsync(string address, Sats amount) => _regtest.PayAsync(address, amount, Cancel);

    public async Task<byte[]> ConflictAsync(Txid payment, string address, Sats amount)
    {
        var raw = await _regtest.MinerAsync("gettransaction", [payment.ToString()], a => a.Get("hex").ToText(), Cancel);
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        var inputs = new JsonArray([.. transaction.Inputs.Select(i =>
            (JsonNode)new JsonObject { ["txid"] = i.Spent.Txid.ToString(), ["vout"] = i.Spent.Index })]);
        var back = new Sats(transaction.Outputs.Sum(o => o.Value.Value) - amount.Value - HighFeeSat);
        var outputs = new JsonObject { [address] = Amounts.FormatBtc(amount), [await StrangerAsync()] = Amounts.FormatBtc(back) };
        var unsigned = await _regtest.Rpc.CallAsync(null, "createrawtransaction", [inputs, outputs], NodeJson.ToText, Cancel);
        return await _regtest.MinerAsync("signrawtransactionwithwallet", [unsigned], a => a.Get("hex").ToBytes(), Cancel);
    }

    public async Task<BlockHash> MineAsync(string? reward = null) => (await _regtest.MineAsync(1, Cancel, reward))[0];

    public async Task<BlockHash> MineOnlyAsync(params byte[][] transactions)
    {
        var raw = new JsonArray([.. transactions.Select(t => (JsonNode)Convert.ToHexStringLower(t))]);
        var block = await _regtest.Rpc.CallAsync(null, "generateblock", [await StrangerAsync(), raw], a => a.Get("hash").ToBlockHash(), Cancel);
        await SettleAsync();
        return block;
    }

    public Task SettleAsync() => _regtest.Rpc.CallAsync(null, "syncwithvalidationinterfacequeue", [], Cancel);

    public Task InvalidateAsync(BlockHash block) => _regtest.InvalidateBlockAsync(block, Cancel);

    public Task ReconsiderAsync(BlockHash block) => _regtest.ReconsiderBlockAsync(block, Cancel);

    public async Task RestartAsync()
    {
        await _regtest.StopAsync(Cancel);
        await _regtest.RestartAsync(Cancel);
        await SettleAsync();
    }

    public Task UnloadAsync() => _regtest.Rpc.CallAsync(null, "unloadwallet", [_wallet], Cancel);

    public Task LockWalletAsync() => _regtest.Rpc.CallAsync(_wallet, "encryptwallet", ["secret"], Cancel);

    public Task UnlockWalletAsync() => _regtest.Rpc.CallAsync(_wallet, "walletpassphrase", ["secret", 600], Cancel);

    public async Task<object> BackUpAsync() => await WalletCopy.TakeAsync(_regtest, _wallet, Cancel);

    public async Task RestoreAsync(object backup)
    {
        await ((WalletCopy)backup).RestoreAsync(Cancel);
        await SettleAsync();
    }

    /// <summary>Time passes: what waited too long goes when the next transaction comes.</summary>
    public async Task EvictAsync(Txid txid)
    {
        var later = TimeProvider.System.GetUtcNow() + Expiry;
        await _regtest.Rpc.CallAsync(null, "setmocktime", [later.ToUnixTimeSeconds()], Cancel);
        await PayAsync(await StrangerAsync(), new Sats(10_000));
        await _regtest.Rpc.CallAsync(null, "setmocktime", [0], Cancel);
    }

    public Task ForgetAsync(Txid txid) => _regtest.Rpc.CallAsync(_wallet, "removeprunedfunds", [txid.ToString()], Cancel);
}
