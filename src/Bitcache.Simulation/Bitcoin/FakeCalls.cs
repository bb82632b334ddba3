// The calls that the engine makes, answered as Bitcoin Core's rpc/ and wallet/rpc/ do: what they take, what they give, and
// the numbers of their errors.

using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

internal sealed class FakeCalls(FakeNode node)
{
    private readonly FakeWalletCalls _wallet = new(node);

    private FakeChain Chain => node.Chain;

    /// <exception cref="CallFailedException">The node's own errors.</exception>
    public JsonNode? Call(string? wallet, string method, JsonElement p)
    {
        if (wallet is null) return OfNode(method, p);
        if (node.Watching.TryGetValue(wallet, out var watching) && watching.IsLoaded) return watching.Call(method, p);
        if (wallet != node.Wallet.Name || !node.IsWalletLoaded) throw new CallFailedException(RpcError.WalletNotFound, "Requested wallet does not exist or is not loaded");
        return _wallet.Call(method, p);
    }

    private JsonNode? OfNode(string method, JsonElement p) => method switch
    {
        "loadwallet" => LoadWallet(p[0].ToText()),
        "createwallet" => CreateWatchWallet(p[0].ToText(), watches: p[1].ToBool()),
        "getblockchaininfo" => BlockchainInfo(),
        "getblockhash" => Chain.At(p[0].ToInt())?.Hash.ToString() ?? throw new CallFailedException(RpcError.InvalidParameter, "Block height out of range"),
        "getblockheader" => p[1].ToBool() ? Header(Block(p[0])) : Convert.ToHexStringLower(Block(p[0]).Bytes),
        "getblock" when p[1].ToUInt() == 0 => Convert.ToHexStringLower(Block(p[0]).ToBytes()),
        "getblock" => new JsonObject { ["tx"] = new JsonArray([.. Block(p[0]).Transactions.Select(t => (JsonNode)t.Txid.ToString())]) },
        "validateaddress" => new JsonObject { ["isvalid"] = BitcoinAddress.TryParse(p[0].ToText(), BitcoinNetwork.Regtest, out _, out _) },
        "deriveaddresses" => Derive(p[0].ToText(), p[1][0].ToUInt(), p[1][1].ToUInt()),
        "decodepsbt" => DecodePsbt(FakePsbt.Read(p[0].ToText())),
        "finalizepsbt" => Finalize(p[0].ToText()),
        // Signatures are not simulated: what has some has good ones.
        "signrawtransactionwithkey" => new JsonObject { ["hex"] = p[0].ToText(), ["complete"] = true },
        "sendrawtransaction" => Send(p[0].ToText()),
        "createpsbt" => FakePsbt.Write(FakeTransactions.Create(p[0].ToList(NodeJson.ToOutPoint), p[1].ToList(FakeWalletCalls.ToOutput))),
        "gettxout" => Output(new OutPoint(p[0].ToTxid(), p[1].ToUInt()), p[2].ToBool()),
        "gettxspendingprevout" => new JsonArray([.. p[0].ToList(NodeJson.ToOutPoint).Select(Spender)]),
        "getmempoolinfo" => new JsonObject { ["mempoolminfee"] = ToJson(FakeMempool.RelayPerKvB), ["incrementalrelayfee"] = ToJson(FakeMempool.RelayPerKvB) },
        "getmempoolentry" => MempoolEntry(p[0].ToTxid()),
        "getrawtransaction" => RawTransaction(p[0].ToTxid(), p[2]),
        "estimatesmartfee" => Estimate(p[0].ToInt()),
        _ => throw new CallFailedException((RpcError)(-32601), "Method not found"),
    };

    private JsonObject CreateWatchWallet(string name, bool watches)
    {
        if (node.Watching.ContainsKey(name) || name == node.Wallet.Name) throw new CallFailedException(RpcError.WalletError, "Wallet file verification failed. Database already exists.");
        Must.Hold(watches, "The simulated node has one wallet with keys, which is there from the beginning.");
        node.Watching.Add(name, new FakeWatchWallet(node, name));
        return new JsonObject { ["name"] = name };
    }

    private JsonObject LoadWallet(string name)
    {
        if (node.Watching.TryGetValue(name, out var watching))
        {
            if (watching.IsLoaded) throw new CallFailedException(RpcError.WalletAlreadyLoaded, $"Wallet \"{name}\" is already loaded.");
            watching.IsLoaded = true;
            return new JsonObject { ["name"] = name };
        }
        if (name != node.Wallet.Name) throw new CallFailedException(RpcError.WalletNotFound, "Wallet file verification failed");
        if (node.IsWalletLoaded) throw new CallFailedException(RpcError.WalletAlreadyLoaded, $"Wallet \"{name}\" is already loaded.");
        node.IsWalletLoaded = true;
        return new JsonObject { ["name"] = name };
    }

    private JsonObject BlockchainInfo() => new()
    {
        ["chain"] = BitcoinNetwork.Regtest.ChainName(),
        ["blocks"] = Chain.Tip.Height,
        ["headers"] = Chain.Tip.Height + node.HeadersAhead,
        ["bestblockhash"] = Chain.Tip.Hash.ToString(),
        ["initialblockdownload"] = node.IsDownloading,
    };

    private FakeBlock Block(JsonElement hash) => Chain.Find(hash.ToBlockHash()) ?? throw new CallFailedException(RpcError.InvalidAddressOrKey, "Block not found");

    private JsonObject Header(FakeBlock block)
    {
        var seconds = block.Header.Time.Milliseconds / 1_000;
        var header = new JsonObject
        {
            ["hash"] = block.Hash.ToString(),
            ["confirmations"] = Chain.IsBest(block) ? Chain.Tip.Height - block.Height + 1 : -1,
            ["height"] = block.Height,
            ["time"] = seconds,
            ["mediantime"] = seconds,
        };
        if (block.Previous is { } previous) header["previousblockhash"] = previous.Hash.ToString();
        return header;
    }

    private static JsonObject Finalize(string psbt)
    {
        var (transaction, complete) = (FakePsbt.Read(psbt), FakePsbt.IsSigned(psbt));
        return complete
            ? new JsonObject { ["hex"] = Convert.ToHexStringLower(FakeTransactions.Sign(transaction)), ["complete"] = true }
            : new JsonObject { ["psbt"] = psbt, ["complete"] = false };
    }

    private JsonArray Derive(string descriptor, uint first, uint last)
    {
        var keys = node.Wallet.Keys;
        var change = descriptor == keys.ChangeDescriptor;
        if (!change && descriptor != keys.Descriptor) throw new CallFailedException(RpcError.InvalidAddressOrKey, "Missing checksum");
        if (last < first) throw new CallFailedException(RpcError.InvalidParameter, "Range specified as [begin,end] must not have begin after end");
        return new JsonArray([.. Enumerable.Range((int)first, (int)(last - first + 1)).Select(i => (JsonNode)FakeNode.AddressOf(keys.ScriptOf(change, (uint)i)))]);
    }

    private JsonObject DecodePsbt(BitcoinTransaction transaction)
    {
        var spent = transaction.Inputs.Select(i => node.Wallet.OwnOutput(i.Spent) ?? node.Mempool.FindOutput(i.Spent)).ToArray();
        var decoded = new JsonObject
        {
            ["tx"] = new JsonObject
            {
                ["txid"] = transaction.Txid.ToString(),
                ["size"] = transaction.Stripped.Length,
                ["locktime"] = 0,
                ["vin"] = new JsonArray([.. transaction.Inputs.Select(i => (JsonNode)ToJson(i.Spent, ("sequence", i.Sequence)))]),
                ["vout"] = new JsonArray([.. transaction.Outputs.Select(o => (JsonNode)ToJson(o, "value"))]),
            },
            ["inputs"] = new JsonArray([.. spent.Select(s => (JsonNode)(s is null ? new JsonObject() : new JsonObject { ["witness_utxo"] = ToJson(s, "amount") }))]),
        };
        if (!spent.Contains(null))
            decoded["fee"] = ToJson(new Sats(spent.Sum(s => s!.Value.Value) - transaction.Outputs.Sum(o => o.Value.Value)));
        return decoded;
    }

    private JsonNode Send(string hex)
    {
        if (!BitcoinTransaction.TryParse(hex, out var transaction)) throw new CallFailedException((RpcError)(-22), "TX decode failed. Make sure the tx has at least one input.");
        var signed = Convert.FromHexString(hex).AsSpan().SequenceEqual(FakeTransactions.Sign(transaction));
        return node.Send(transaction, signed) is not { } refusal ? transaction.Txid.ToString() : throw new CallFailedException(refusal.Code, refusal.Message);
    }

    /// <summary>With the mempool: what waits there makes outputs, and spends them.</summary>
    private JsonObject? Output(OutPoint output, bool withMempool)
    {
        var coin = node.Chain.FindCoin(output);
        if (withMempool && node.Mempool.SpenderOf(output) is not null) return null;
        if ((withMempool ? node.Mempool.FindOutput(output) : coin?.Output) is not { } found) return null;
        var json = ToJson(found, "value");
        json["bestblock"] = node.Chain.Tip.Hash.ToString();
        json["confirmations"] = coin is { } inChain ? node.Chain.Tip.Height + 1 - inChain.Height : 0;
        return json;
    }

    private JsonNode Spender(OutPoint output) =>
        node.Mempool.SpenderOf(output) is { } spender ? ToJson(output, ("spendingtxid", spender.ToString())) : ToJson(output);

    private JsonObject MempoolEntry(Txid txid)
    {
        var waiting = node.Mempool.Find(txid) ?? throw new CallFailedException(RpcError.InvalidAddressOrKey, "Transaction not in mempool");
        var ancestors = node.Mempool.WithAncestors(txid);
        return new JsonObject
        {
            ["vsize"] = waiting.VirtualBytes,
            ["descendantcount"] = node.Mempool.DescendantsOf(txid),
            ["ancestorsize"] = ancestors.Sum(a => a.VirtualBytes),
            ["fees"] = new JsonObject { ["base"] = ToJson(waiting.Fee), ["ancestor"] = ToJson(new Sats(ancestors.Sum(a => a.Fee.Value))) },
        };
    }

    private JsonNode RawTransaction(Txid txid, JsonElement block)
    {
        var found = block.ValueKind == JsonValueKind.Null
            ? node.Mempool.Find(txid)?.Transaction
            : Block(block).Transactions.FirstOrDefault(t => t.Txid == txid);
        return found is null
            ? throw new CallFailedException(RpcError.InvalidAddressOrKey, "No such mempool or blockchain transaction")
            : Convert.ToHexStringLower(FakeWalletCalls.Bytes(found));
    }

    private JsonObject Estimate(int blocks) => node.Estimate is { } rate
        ? new JsonObject { ["feerate"] = ToJson(new Sats(rate.SatsPerKvB)), ["blocks"] = blocks }
        : new JsonObject { ["errors"] = new JsonArray("Insufficient data or no feerate found"), ["blocks"] = blocks };

    /// <summary>An amount in bitcoin with all eight decimals.</summary>
    internal static JsonNode ToJson(Sats amount) => JsonNode.Parse(Amounts.FormatBtc(amount))!;

    private static JsonObject ToJson(OutPoint output, params ReadOnlySpan<(string Name, JsonNode Value)> more)
    {
        var json = new JsonObject { ["txid"] = output.Txid.ToString(), ["vout"] = output.Index };
        foreach (var (name, value) in more) json[name] = value;
        return json;
    }

    private static JsonObject ToJson(TransactionOutput output, string amount) => new()
    {
        [amount] = ToJson(output.Value),
        ["scriptPubKey"] = new JsonObject { ["hex"] = Convert.ToHexStringLower(output.Script) },
    };
}
