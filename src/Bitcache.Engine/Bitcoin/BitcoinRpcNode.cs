using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Engine.Bitcoin;

/// <summary><see cref="IBitcoinNode"/> by JSON-RPC to Bitcoin Core 28 or newer, or a node that speaks like it.</summary>
/// <param name="nodes">Every call goes to the one that is in use when it is made.</param>
public sealed class BitcoinRpcNode(NodeSwitch nodes) : IBitcoinNode
{
    /// <param name="rpc">The connection; its owner disposes of it.</param>
    /// <param name="wallet">The name of the node's wallet that is ours.</param>
    public BitcoinRpcNode(BitcoinRpc rpc, string wallet)
        : this(new NodeSwitch([new NodeEndpoint("the node", rpc, wallet)]))
    {
    }

    public Task<bool> LoadWalletAsync(CancellationToken cancel) => LoadAsync(nodes.Used, watch: null, cancel);

    private static async Task<bool> LoadAsync(NodeEndpoint node, string? watch, CancellationToken cancel)
    {
        try
        {
            await node.Rpc.CallAsync(null, "loadwallet", [NameOf(node, watch), true], cancel);
            return true;
        }
        catch (NodeException e) when (e.Code is RpcError.WalletAlreadyLoaded)
        {
            return true;
        }
        catch (NodeException e) when (e.Code is RpcError.WalletNotFound)
        {
            return false;
        }
    }

    // (wallet_name, disable_private_keys, blank, passphrase, avoid_reuse, descriptors, load_on_startup)
    public Task CreateWalletAsync(CancellationToken cancel)
    {
        var node = nodes.Used;
        return node.Rpc.CallAsync(null, "createwallet", [node.Wallet, false, false, null, false, true, true], cancel);
    }

    public Task<BlockchainInfo> GetBlockchainInfoAsync(CancellationToken cancel) =>
        NodeAsync("getblockchaininfo", [], NodeAnswerReader.BlockchainInfo, cancel);

    public Task<WalletInfo> GetWalletInfoAsync(CancellationToken cancel) =>
        WalletAsync("getwalletinfo", [], NodeAnswerReader.WalletInfo, cancel);

    public async Task<BlockHash?> GetBlockHashAsync(int height, CancellationToken cancel)
    {
        try
        {
            return await NodeAsync("getblockhash", [height], NodeJson.ToBlockHash, cancel);
        }
        catch (NodeException e) when (e.Code is RpcError.InvalidParameter)
        {
            return null;
        }
    }

    public Task<BlockInfo?> GetBlockInfoAsync(BlockHash block, CancellationToken cancel) =>
        NullIfUnknown(NodeAsync("getblockheader", [block.ToString(), true], a => AboutWhatWasAsked(NodeAnswerReader.BlockInfo(a), b => b.Hash == block), cancel));

    public Task<byte[]?> GetBlockHeaderAsync(BlockHash block, CancellationToken cancel) =>
        NullIfUnknown(NodeAsync("getblockheader", [block.ToString(), false], NodeJson.ToBytes, cancel));

    public Task<IReadOnlyList<Txid>?> GetBlockTxidsAsync(BlockHash block, CancellationToken cancel) =>
        NullIfUnknown(NodeAsync("getblock", [block.ToString(), 1], NodeAnswerReader.BlockTxids, cancel));

    public Task<byte[]?> GetBlockAsync(BlockHash block, CancellationToken cancel) =>
        NullIfUnknown(NodeAsync("getblock", [block.ToString(), 0], NodeJson.ToBytes, cancel));

    public Task<string> GetNewAddressAsync(CancellationToken cancel) =>
        WalletAsync("getnewaddress", ["", "bech32m"], NodeJson.ToText, cancel);

    public Task<IReadOnlyList<WalletDescriptor>> ListDescriptorsAsync(CancellationToken cancel) =>
        WalletAsync("listdescriptors", [], NodeAnswerReader.WalletDescriptors, cancel);

    public Task<IReadOnlyList<string>> DeriveAddressesAsync(string descriptor, uint first, uint last, CancellationToken cancel) =>
        NodeAsync<IReadOnlyList<string>>("deriveaddresses", [descriptor, new JsonArray(first, last)], a => a.ToList(NodeJson.ToText), cancel);

    public Task RefillKeypoolAsync(int addresses, CancellationToken cancel) => WalletAsync("keypoolrefill", [addresses], static _ => true, cancel);

    public Task SetLabelAsync(string address, string label, CancellationToken cancel) => WalletAsync("setlabel", [address, label], static _ => true, cancel);

    public Task RescanAsync(int first, int last, CancellationToken cancel) => WalletAsync("rescanblockchain", [first, last], static _ => true, cancel);

    public Task<AddressInfo> GetAddressInfoAsync(string address, CancellationToken cancel) =>
        WalletAsync("getaddressinfo", [address], NodeAnswerReader.AddressInfo, cancel);

    public Task<bool> ValidateAddressAsync(string address, CancellationToken cancel) =>
        NodeAsync("validateaddress", [address], a => a.Get("isvalid").ToBool(), cancel);

    // (blockhash, target_confirmations, include_watchonly, include_removed, include_change). With change included,
    // change and an anchor's own output would come as receipts.
    public Task<WalletChanges?> ListSinceBlockAsync(BlockHash? cursor, int finality, CancellationToken cancel) =>
        NullIfUnknown(WalletAsync(
            "listsinceblock", [cursor?.ToString(), finality, false, true, false], NodeAnswerReader.WalletChanges, cancel, Limits.NodeListBytesMax));

    // (label, count, skip)
    public Task<IReadOnlyList<WalletEntry>> ListTransactionsAsync(int count, int skip, CancellationToken cancel) =>
        WalletAsync("listtransactions", ["*", count, skip], NodeAnswerReader.WalletEntries, cancel, Limits.NodeListBytesMax);

    // As the list since a block, with change, and without what left the chain.
    public Task<IReadOnlyList<Txid>?> ListTransactionsSinceAsync(BlockHash block, CancellationToken cancel) =>
        NullIfUnknown(WalletAsync(
            "listsinceblock", [block.ToString(), 1, false, false, true], NodeAnswerReader.ListedTransactions, cancel, Limits.NodeListBytesMax));

    public Task<WalletTransaction?> GetTransactionAsync(Txid txid, CancellationToken cancel) =>
        NullIfUnknown(WalletAsync("gettransaction", [txid.ToString()], a => AboutWhatWasAsked(NodeAnswerReader.WalletTransaction(a), t => t.Txid == txid), cancel));

    public Task<FundedPsbt> WalletCreateFundedPsbtAsync(
        IReadOnlyList<OutPoint> inputs, IReadOnlyList<NewOutput> outputs, FeeRate feeRate, CancellationToken cancel) =>
        WalletAsync(
            "walletcreatefundedpsbt",
            [
                OutPoints(inputs),
                new JsonArray([.. outputs.Select(Output)]),
                0,
                new JsonObject
                {
                    ["add_inputs"] = true,
                    ["include_unsafe"] = false,
                    ["minconf"] = 1,
                    ["lockUnspents"] = true,
                    ["replaceable"] = true,
                    ["fee_rate"] = feeRate.ToString(),
                    ["change_type"] = "bech32m",
                },
            ],
            NodeAnswerReader.FundedPsbt,
            cancel);

    public Task<string> GetRawChangeAddressAsync(CancellationToken cancel) =>
        WalletAsync("getrawchangeaddress", ["bech32m"], NodeJson.ToText, cancel);

    public Task<FundedPsbt> JoinCoinsPsbtAsync(IReadOnlyList<OutPoint> coins, Sats total, string address, FeeRate feeRate, CancellationToken cancel) =>
        WalletAsync(
            "walletcreatefundedpsbt",
            [
                OutPoints(coins),
                new JsonArray(Output(new PayOutput(address, total))),
                0,
                new JsonObject
                {
                    ["add_inputs"] = false,
                    ["subtractFeeFromOutputs"] = new JsonArray(0),
                    ["lockUnspents"] = true,
                    ["replaceable"] = true,
                    ["fee_rate"] = feeRate.ToString(),
                },
            ],
            NodeAnswerReader.FundedPsbt,
            cancel);

    public Task<FundedPsbt> PsbtBumpFeeAsync(Txid txid, FeeRate feeRate, CancellationToken cancel) =>
        WalletAsync(
            "psbtbumpfee", [txid.ToString(), new JsonObject { ["fee_rate"] = feeRate.ToString() }], NodeAnswerReader.FundedPsbt, cancel);

    // (inputs, outputs, locktime, replaceable)
    public Task<string> CreatePsbtAsync(IReadOnlyList<OutPoint> inputs, IReadOnlyList<NewOutput> outputs, CancellationToken cancel) =>
        NodeAsync("createpsbt", [OutPoints(inputs), new JsonArray([.. outputs.Select(Output)]), 0, true], NodeJson.ToText, cancel);

    public Task<DecodedPsbt> DecodePsbtAsync(string psbt, CancellationToken cancel) =>
        NodeAsync("decodepsbt", [psbt], NodeAnswerReader.DecodedPsbt, cancel);

    public Task<SignedPsbt> WalletProcessPsbtAsync(string psbt, CancellationToken cancel) =>
        WalletAsync("walletprocesspsbt", [psbt], NodeAnswerReader.SignedPsbt, cancel);

    public Task<byte[]?> FinalizePsbtAsync(string psbt, CancellationToken cancel) =>
        NodeAsync("finalizepsbt", [psbt], NodeAnswerReader.FinalizedPsbt, cancel);

    public Task<string> CombinePsbtAsync(IReadOnlyList<string> psbts, CancellationToken cancel) =>
        NodeAsync("combinepsbt", [new JsonArray([.. psbts.Select(p => (JsonNode)p)])], NodeJson.ToText, cancel);

    // (psbt, extract): with extract it gives the transaction in place of the PSBT.
    public Task<string> CompletePsbtAsync(string psbt, CancellationToken cancel) =>
        NodeAsync("finalizepsbt", [psbt, false], a => a.Get("psbt").ToText(), cancel);

    // With no keys it signs nothing, and checks what is there.
    public Task<bool> IsSignedAsync(byte[] transaction, IReadOnlyList<SpentCoin> spent, CancellationToken cancel) => NodeAsync(
        "signrawtransactionwithkey", [Convert.ToHexStringLower(transaction), new JsonArray(), new JsonArray([.. spent.Select(NodeJson.ToJson)])], a => a.Get("complete").ToBool(), cancel);

    public async Task<BroadcastResult> SendRawTransactionAsync(byte[] transaction, CancellationToken cancel)
    {
        try
        {
            await NodeAsync("sendrawtransaction", [Convert.ToHexStringLower(transaction)], NodeJson.ToTxid, cancel);
            return new BroadcastResult(BroadcastOutcome.Accepted, null);
        }
        catch (NodeException e) when (e.Code is RpcError.VerifyAlreadyInChain)
        {
            return new BroadcastResult(BroadcastOutcome.AlreadyInChain, e.Message);
        }
        catch (NodeException e) when (e.Code is RpcError.VerifyError)
        {
            return new BroadcastResult(BroadcastOutcome.Ambiguous, e.Message);
        }
        catch (NodeException e) when (e.Code is RpcError.VerifyRejected)
        {
            return new BroadcastResult(BroadcastOutcome.Refused, e.Message);
        }
    }

    // (txid, n, include_mempool): null where there is no such output, or none any more.
    public Task<bool> IsUnspentAsync(OutPoint output, CancellationToken cancel) =>
        NodeAsync("gettxout", [output.Txid.ToString(), output.Index, true], a => a.ValueKind != JsonValueKind.Null, cancel);

    public Task<ChainCoin?> FindChainCoinAsync(OutPoint output, CancellationToken cancel) =>
        NodeAsync("gettxout", [output.Txid.ToString(), output.Index, false], NodeAnswerReader.ChainCoin, cancel);

    public Task<IReadOnlyList<MempoolSpend>> GetTxSpendingPrevoutAsync(IReadOnlyList<OutPoint> outputs, CancellationToken cancel) =>
        NodeAsync("gettxspendingprevout", [OutPoints(outputs)], NodeAnswerReader.MempoolSpends, cancel);

    public Task<MempoolEntry?> GetMempoolEntryAsync(Txid txid, CancellationToken cancel) =>
        NullIfUnknown(NodeAsync("getmempoolentry", [txid.ToString()], NodeAnswerReader.MempoolEntry, cancel));

    public Task<byte[]?> GetRawTransactionAsync(Txid txid, BlockHash? block, CancellationToken cancel) =>
        NullIfUnknown(NodeAsync("getrawtransaction", [txid.ToString(), 0, block?.ToString()], NodeJson.ToBytes, cancel));

    public Task LockUnspentAsync(IReadOnlyList<OutPoint> outputs, CancellationToken cancel) =>
        WalletAsync("lockunspent", [false, OutPoints(outputs)], static _ => true, cancel);

    public Task UnlockAllAsync(CancellationToken cancel) => WalletAsync("lockunspent", [true], static _ => true, cancel);

    public Task<IReadOnlyList<OutPoint>> ListLockUnspentAsync(CancellationToken cancel) =>
        WalletAsync<IReadOnlyList<OutPoint>>("listlockunspent", [], a => a.ToList(NodeJson.ToOutPoint), cancel);

    public Task<IReadOnlyList<Coin>> ListUnspentAsync(int confirmationsMin, CancellationToken cancel) =>
        WalletAsync("listunspent", [confirmationsMin], NodeAnswerReader.Coins, cancel);

    public Task<WalletBalances> GetBalancesAsync(CancellationToken cancel) =>
        WalletAsync("getbalances", [], NodeAnswerReader.Balances, cancel);

    public Task<bool> LoadWatchWalletAsync(string watch, CancellationToken cancel) => LoadAsync(nodes.Used, watch, cancel);

    public Task CreateWatchWalletAsync(string watch, CancellationToken cancel)
    {
        var node = nodes.Used;
        return node.Rpc.CallAsync(null, "createwallet", [NameOf(node, watch), true, true, null, false, true, true], cancel);
    }

    public Task<WalletInfo> GetWatchWalletInfoAsync(string watch, CancellationToken cancel) =>
        WatchAsync(watch, "getwalletinfo", [], NodeAnswerReader.WalletInfo, cancel);

    public Task<IReadOnlyList<string>> ListWatchedAsync(string watch, CancellationToken cancel) =>
        WatchAsync(watch, "listdescriptors", [false], NodeAnswerReader.Descriptors, cancel);

    public Task<IReadOnlyList<string?>> WatchAsync(string watch, IReadOnlyList<string> descriptors, UnixTime since, CancellationToken cancel)
    {
        var requests = descriptors.Select(d => (JsonNode)new JsonObject { ["desc"] = d, ["timestamp"] = since.Milliseconds / 1_000 });
        return WatchAsync(watch, "importdescriptors", [new JsonArray([.. requests])], NodeAnswerReader.Imports, cancel);
    }

    // (dummy, minconf)
    public Task<Sats> GetWatchedBalanceAsync(string watch, CancellationToken cancel) => WatchAsync(watch, "getbalance", ["*", 1], NodeJson.ToSats, cancel);

    public Task<IReadOnlyList<Coin>> ListWatchedUnspentAsync(string watch, int confirmationsMin, CancellationToken cancel) =>
        WatchAsync(watch, "listunspent", [confirmationsMin], NodeAnswerReader.Coins, cancel);

    // (psbt, sign, sighashtype, bip32derivs)
    public Task<string> DescribeWatchedPsbtAsync(string watch, string psbt, CancellationToken cancel) =>
        WatchAsync(watch, "walletprocesspsbt", [psbt, false, "DEFAULT", true], a => a.Get("psbt").ToText(), cancel);

    public Task<MempoolTerms> GetMempoolTermsAsync(CancellationToken cancel) =>
        NodeAsync("getmempoolinfo", [], NodeAnswerReader.MempoolTerms, cancel);

    public Task<FeeRate?> EstimateSmartFeeAsync(int blocks, CancellationToken cancel) =>
        NodeAsync("estimatesmartfee", [blocks], NodeAnswerReader.EstimatedFee, cancel);

    private Task<T> WatchAsync<T>(string watch, string method, JsonArray parameters, Func<JsonElement, T> read, CancellationToken cancel)
    {
        var node = nodes.Used;
        return node.Rpc.CallAsync(NameOf(node, watch), method, parameters, read, cancel);
    }

    private static string NameOf(NodeEndpoint node, string? watch) => watch is null ? node.Wallet : $"{node.Wallet}-{watch}";

    private Task<T> NodeAsync<T>(string method, JsonArray parameters, Func<JsonElement, T> read, CancellationToken cancel) =>
        nodes.Used.Rpc.CallAsync(null, method, parameters, read, cancel);

    private Task<T> WalletAsync<T>(
        string method, JsonArray parameters, Func<JsonElement, T> read, CancellationToken cancel, int answerBytesMax = Limits.NodeAnswerBytesMax)
    {
        var node = nodes.Used;
        return node.Rpc.CallAsync(node.Wallet, method, parameters, read, cancel, answerBytesMax);
    }

    private static T AboutWhatWasAsked<T>(T answer, Func<T, bool> isIt) =>
        isIt(answer) ? answer : throw new InvalidDataException("it tells of something else than was asked for");

    /// <summary>-5 is the node's way to say that it does not know the block or transaction asked for.</summary>
    private static async Task<T?> NullIfUnknown<T>(Task<T> call)
        where T : class
    {
        try
        {
            return await call;
        }
        catch (NodeException e) when (e.Code is RpcError.InvalidAddressOrKey)
        {
            return null;
        }
    }

    private static JsonArray OutPoints(IReadOnlyList<OutPoint> outputs) =>
        new([.. outputs.Select(o => new JsonObject { ["txid"] = o.Txid.ToString(), ["vout"] = o.Index })]);

    private static JsonObject Output(NewOutput output) => output switch
    {
        PayOutput pay => new JsonObject { [pay.Address] = Amounts.FormatBtc(pay.Amount) },
        DataOutput data => new JsonObject { ["data"] = Convert.ToHexStringLower(data.Data) },
        _ => throw new ArgumentException($"unknown output {output.GetType().Name}", nameof(output)),
    };
}
