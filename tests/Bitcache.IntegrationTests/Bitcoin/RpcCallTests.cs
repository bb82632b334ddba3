// What a call to the node means when it fails, tried on a real node.

using System.Text.Json.Nodes;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.IntegrationTests.Bitcoin;

[Trait("suite", "node")]
public sealed class RpcCallTests(RegtestFixture fixture) : IClassFixture<RegtestFixture>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private RegtestNode Regtest => fixture.Node;
    private BitcoinRpcNode Node => fixture.Node.Node;

    [Fact]
    public async Task A_restart_changes_the_cookie_and_loses_the_locks_and_calls_go_on()
    {
        var coin = await NewCoinAsync(new Sats(50_000));
        await Node.LockUnspentAsync([coin], Cancel);
        Assert.Contains(coin, await Node.ListLockUnspentAsync(Cancel));
        var cookie = await File.ReadAllTextAsync(Regtest.CookieFile, Cancel);

        await Regtest.StopAsync(Cancel);
        await Regtest.RestartAsync(Cancel);

        Assert.NotEqual(cookie, await File.ReadAllTextAsync(Regtest.CookieFile, Cancel));
        Assert.Empty(await Node.ListLockUnspentAsync(Cancel));
    }

    [Fact]
    public async Task A_starting_node_is_never_an_unknown_outcome()
    {
        // Stopped in order: a killed node would forget the blocks that the other tests live on.
        await Regtest.StopAsync(Cancel);
        var down = await Assert.ThrowsAsync<NodeException>(() => Node.GetBlockchainInfoAsync(Cancel));
        Assert.Equal(NodeFailure.Unreachable, down.Failure);

        var starting = Regtest.RestartAsync(Cancel);
        var seen = new HashSet<NodeFailure>();
        while (!starting.IsCompleted)
        {
            try
            {
                await Node.GetBlockchainInfoAsync(Cancel);
            }
            catch (NodeException e)
            {
                seen.Add(e.Failure);
            }
        }
        await starting;

        Assert.DoesNotContain(NodeFailure.Unknown, seen);
        Assert.DoesNotContain(NodeFailure.Rejected, seen);
        Assert.Equal("regtest", (await Node.GetBlockchainInfoAsync(Cancel)).Chain);
    }

    [Fact]
    public async Task Wrong_credentials_are_unauthorized()
    {
        var file = Path.Combine(Regtest.Folder, "wrong.password");
        await File.WriteAllTextAsync(file, "not the password\n", Cancel);
        using var rpc = new BitcoinRpc(new BitcoinRpcOptions(Regtest.Endpoint, RpcCredentials.FromPasswordFile("alice", file), Soon));

        var refused = await Assert.ThrowsAsync<NodeException>(() => new BitcoinRpcNode(rpc, RegtestNode.ServerWallet).GetBalancesAsync(Cancel));

        Assert.Equal(NodeFailure.Unauthorized, refused.Failure);
    }

    [Fact]
    public async Task A_missing_cookie_is_unauthorized_and_names_the_file()
    {
        using var rpc = new BitcoinRpc(new BitcoinRpcOptions(Regtest.Endpoint, RpcCredentials.FromCookie("/nowhere/.cookie"), Soon));

        var refused = await Assert.ThrowsAsync<NodeException>(() => new BitcoinRpcNode(rpc, RegtestNode.ServerWallet).GetBalancesAsync(Cancel));

        Assert.Equal(NodeFailure.Unauthorized, refused.Failure);
        Assert.Contains("/nowhere/.cookie", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ProxyMode.Swallow)]
    [InlineData(ProxyMode.Reset)]
    public async Task A_lost_answer_is_unknown_and_the_call_was_executed_once(ProxyMode mode)
    {
        var coin = await NewCoinAsync(new Sats(60_000));
        await using var proxy = new TcpProxy(Regtest.Endpoint.Port);
        using var rpc = new BitcoinRpc(new BitcoinRpcOptions(proxy.Endpoint, Regtest.Credentials, Soon));
        var behindProxy = new BitcoinRpcNode(rpc, RegtestNode.ServerWallet);
        // The connection has been used before: this is the case in which HTTP clients like to try again.
        await behindProxy.GetBalancesAsync(Cancel);

        proxy.Mode = mode;
        var lost = await Assert.ThrowsAsync<NodeException>(() => behindProxy.LockUnspentAsync([coin], Cancel));

        Assert.Equal(NodeFailure.Unknown, lost.Failure);
        await proxy.AnswerLost.WaitAsync(Cancel);
        Assert.Contains(coin, await Node.ListLockUnspentAsync(Cancel));
        Assert.Equal(2, proxy.Requests);
        await Node.UnlockAllAsync(Cancel);
    }

    [Fact]
    public async Task A_locked_wallet_says_so_when_asked_to_sign()
    {
        var locked = new BitcoinRpcNode(Regtest.Rpc, "locked");
        await locked.CreateWalletAsync(Cancel);
        await Regtest.PayAsync(await locked.GetNewAddressAsync(Cancel), new Sats(100_000), Cancel);
        await Regtest.MineAsync(1, Cancel);
        await Regtest.Rpc.CallAsync("locked", "encryptwallet", ["secret"], Cancel);
        Assert.True((await locked.GetWalletInfoAsync(Cancel)).Locked);
        Assert.False((await Node.GetWalletInfoAsync(Cancel)).Locked);

        var address = await Regtest.NewMinerAddressAsync(Cancel);
        var funded = await locked.WalletCreateFundedPsbtAsync([], [new PayOutput(address, new Sats(20_000))], new FeeRate(2_000), Cancel);
        var refused = await Assert.ThrowsAsync<NodeException>(() => locked.WalletProcessPsbtAsync(funded.Psbt, Cancel));

        Assert.Equal((NodeFailure.WalletLocked, RpcError.WalletUnlockNeeded), (refused.Failure, refused.Code));
    }

    [Fact]
    public async Task A_wallet_is_made_once_and_loaded_as_often_as_asked()
    {
        var wallet = new BitcoinRpcNode(Regtest.Rpc, "second wallet/ü");
        Assert.False(await wallet.LoadWalletAsync(Cancel));
        await wallet.CreateWalletAsync(Cancel);
        Assert.True(await wallet.LoadWalletAsync(Cancel));

        var info = await wallet.GetWalletInfoAsync(Cancel);
        Assert.Equal(new WalletInfo("second wallet/ü", Scanning: false, Locked: false, Descriptors: true, PrivateKeys: true), info);
        var again = await Assert.ThrowsAsync<NodeException>(() => wallet.CreateWalletAsync(Cancel));
        Assert.Equal((NodeFailure.Rejected, RpcError.WalletError), (again.Failure, again.Code));
    }

    [Theory]
    [InlineData("main", false, 0, GateReason.WrongChain)]
    [InlineData("regtest", true, 0, GateReason.WrongGenesis)]
    [InlineData("regtest", false, 1_000_000, GateReason.BehindCursor)]
    [InlineData("regtest", false, 100, GateReason.Open)]
    public async Task The_gate_opens_for_our_chain_only(string chain, bool otherGenesis, int cursor, GateReason expected)
    {
        var genesis = await Node.GetBlockHashAsync(otherGenesis ? 1 : 0, Cancel);
        var gate = new NodeGate(Node, chain, genesis!.Value);

        var result = await gate.CheckAsync(cursor, Cancel);

        Assert.Equal(expected, result.Reason);
        Assert.NotNull(result.Chain);
    }

    [Fact]
    public async Task The_gate_is_closed_while_the_node_is_down()
    {
        using var rpc = new BitcoinRpc(new BitcoinRpcOptions(new Uri("http://127.0.0.1:1/"), Regtest.Credentials, Soon));
        var gate = new NodeGate(new BitcoinRpcNode(rpc, RegtestNode.ServerWallet), "regtest", default);

        Assert.Equal(GateReason.Unreachable, (await gate.CheckAsync(0, Cancel)).Reason);
    }

    [Theory]
    [InlineData("0.00000001", 1)]
    [InlineData("20999999.9769", 2_099_999_997_690_000)]
    [InlineData("0.29", 29_000_000)]
    public async Task Amounts_are_exact_to_the_satoshi(string btc, long sats)
    {
        var inputs = new JsonArray(new JsonObject { ["txid"] = new string('a', 64), ["vout"] = 0 });
        var outputs = new JsonArray(new JsonObject { [await Node.GetNewAddressAsync(Cancel)] = btc });
        var psbt = await Regtest.Rpc.CallAsync(null, "createpsbt", [inputs, outputs], a => a.ToText(), Cancel);

        var decoded = await Node.DecodePsbtAsync(psbt, Cancel);

        Assert.Equal(new Sats(sats), Assert.Single(decoded.Outputs).Amount);
        Assert.Null(decoded.Fee);
    }

    [Fact]
    public async Task What_the_node_does_not_know_is_null()
    {
        var nothing = new BlockHash(new Hash256(1, 2));
        Assert.Null(await Node.GetBlockHashAsync(1_000_000, Cancel));
        Assert.Null(await Node.GetBlockInfoAsync(nothing, Cancel));
        Assert.Null(await Node.GetBlockHeaderAsync(nothing, Cancel));
        Assert.Null(await Node.GetBlockTxidsAsync(nothing, Cancel));
        Assert.Null(await Node.ListSinceBlockAsync(nothing, 12, Cancel));
        Assert.Null(await Node.GetTransactionAsync(new Txid(new Hash256(1, 2)), Cancel));
        Assert.Null(await Node.GetMempoolEntryAsync(new Txid(new Hash256(1, 2)), Cancel));
        Assert.Null(await Node.GetRawTransactionAsync(new Txid(new Hash256(1, 2)), null, Cancel));
        Assert.Null(await Node.EstimateSmartFeeAsync(6, Cancel));
        Assert.False(await Node.ValidateAddressAsync("bcrt1nonsense", Cancel));
        var noAddress = await Assert.ThrowsAsync<NodeException>(() => Node.GetAddressInfoAsync("bcrt1nonsense", Cancel));
        Assert.Equal((NodeFailure.Rejected, RpcError.InvalidAddressOrKey), (noAddress.Failure, noAddress.Code));
    }

    /// <summary>A confirmed coin of the server's wallet.</summary>
    private async Task<OutPoint> NewCoinAsync(Sats amount)
    {
        var address = await Node.GetNewAddressAsync(Cancel);
        await Regtest.PayAsync(address, amount, Cancel);
        await Regtest.MineAsync(1, Cancel);
        var coins = await Node.ListUnspentAsync(1, Cancel);
        return coins.Single(c => c.Address == address).Output;
    }
}
