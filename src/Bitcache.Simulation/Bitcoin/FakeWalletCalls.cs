// The calls to the node's wallet.

using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

internal sealed class FakeWalletCalls(FakeNode node)
{
    private const int SatPerKvBInSatPerVB = 1_000;

    private readonly FakeEntries _entries = new(node);

    private FakeWallet Wallet => node.Wallet;

    public JsonNode? Call(string method, JsonElement p) => method switch
    {
        "getwalletinfo" => Info(),
        "getnewaddress" => FakeNode.AddressOf(Wallet.NewScript(change: false)),
        "listdescriptors" => Descriptors(),
        "keypoolrefill" => Refill(p[0].ToUInt()),
        "setlabel" => SetLabel(FakeNode.ScriptOf(p[0].ToText()), p[1].ToText()),
        "rescanblockchain" => Rescan(p[0].ToInt(), p[1].ToInt()),
        "getaddressinfo" => AddressInfo(FakeNode.ScriptOf(p[0].ToText())),
        "listsinceblock" => ListSinceBlock(p[0], p[1].ToInt(), p[3].ToBool(), p[4].ToBool()),
        "listtransactions" => ListTransactions(p[1].ToInt(), p[2].ToInt()),
        "gettransaction" => GetTransaction(p[0].ToTxid()),
        "getrawchangeaddress" => FakeNode.AddressOf(Wallet.NewScript(change: true)),
        "walletcreatefundedpsbt" when !p[3].Get("add_inputs").ToBool() => Funded(node.Funding.Join(
            [.. p[0].ToList(NodeJson.ToOutPoint)], p[1].ToList(ToOutput).Single(), ToFeeRate(p[3].Get("fee_rate")))),
        "walletcreatefundedpsbt" => Funded(node.Funding.Fund(
            p[0].ToList(NodeJson.ToOutPoint), p[1].ToList(ToOutput), ToFeeRate(p[3].Get("fee_rate")))),
        "psbtbumpfee" => Funded(node.Funding.Bump(p[0].ToTxid(), ToFeeRate(p[1].Get("fee_rate")))),
        "walletprocesspsbt" => Process(p[0].ToText()),
        "lockunspent" => LockUnspent(p),
        "listlockunspent" => new JsonArray([.. Wallet.Locked.Select(o => (JsonNode)new JsonObject { ["txid"] = o.Txid.ToString(), ["vout"] = o.Index })]),
        "listunspent" => new JsonArray([.. node.Funding.Coins()
            .Where(c => c.Confirmations >= p[0].ToInt() && !FakeFunding.IsImmature(c) && !Wallet.Locked.Contains(c.OutPoint)).Select(Coin)]),
        "getbalances" => Balances(),
        _ => throw new CallFailedException((RpcError)(-32601), "Method not found"),
    };

    /// <summary>A transaction as it travels: a coinbase is here without a witness.</summary>
    internal static byte[] Bytes(BitcoinTransaction transaction) =>
        transaction.Inputs[0].Spent.Txid == default ? transaction.Stripped : FakeTransactions.Sign(transaction);

    private JsonObject Info()
    {
        var info = new JsonObject
        {
            ["walletname"] = Wallet.Name,
            ["scanning"] = Wallet.IsScanning ? new JsonObject { ["duration"] = 1, ["progress"] = 0.5 } : false,
            ["descriptors"] = true,
            ["private_keys_enabled"] = Wallet.HasKeys,
        };
        if (Wallet.IsLocked) info["unlocked_until"] = 0;
        return info;
    }

    private JsonObject Descriptors()
    {
        var (next, ends) = (Wallet.Keys.State.Next, Wallet.Keys.State.Ends);
        return new JsonObject
        {
            ["wallet_name"] = Wallet.Name,
            ["descriptors"] = new JsonArray(
                Descriptor(Wallet.Keys.Descriptor, change: false, next.External, ends.External), Descriptor(Wallet.Keys.ChangeDescriptor, change: true, next.Change, ends.Change)),
        };
    }

    private static JsonObject Descriptor(string text, bool change, uint next, uint end) => new()
    {
        ["desc"] = text,
        ["active"] = true,
        ["internal"] = change,
        ["range"] = new JsonArray(0, end - 1),
        ["next_index"] = next,
    };

    private JsonNode? Refill(uint ahead)
    {
        if (Wallet.IsLocked) throw new CallFailedException(RpcError.WalletUnlockNeeded, "Error: Please enter the wallet passphrase with walletpassphrase first.");
        Wallet.Keys.Refill(ahead);
        return null;
    }

    private JsonObject Rescan(int first, int last)
    {
        if (Wallet.IsScanning) throw new CallFailedException(RpcError.WalletError, "Wallet is currently rescanning. Abort existing rescan or wait.");
        if (first < 0 || first > node.Chain.Tip.Height) throw new CallFailedException(RpcError.InvalidParameter, "Invalid start_height");
        if (last < first || last > node.Chain.Tip.Height) throw new CallFailedException(RpcError.InvalidParameter, "Invalid stop_height");
        node.Rescan(first, last);
        return new JsonObject { ["start_height"] = first, ["stop_height"] = last };
    }

    private JsonNode? SetLabel(byte[] script, string label)
    {
        Wallet.Keys.SetLabel(new ByteString(script), label);
        return null;
    }

    private JsonObject AddressInfo(byte[] script) => new()
    {
        ["labels"] = Wallet.Keys.LabelOf(new ByteString(script)) is { } label ? new JsonArray(label) : new JsonArray(),
        ["ismine"] = Wallet.IsMine(script),
        ["ischange"] = Wallet.IsChange(script),
        ["scriptPubKey"] = Convert.ToHexStringLower(script),
    };

    /// <summary>Counts from where the given block's branch left the best chain; what its own blocks held is <c>removed</c>.</summary>
    private JsonObject ListSinceBlock(JsonElement since, int target, bool withRemoved, bool withChange)
    {
        var entries = new JsonArray();
        var removed = new JsonArray();
        var height = -1;
        if (since.ValueKind != JsonValueKind.Null)
        {
            var block = node.Chain.Find(since.ToBlockHash()) ?? throw new CallFailedException(RpcError.InvalidAddressOrKey, "Block not found");
            var fork = node.Chain.Fork(block);
            height = fork.Height;
            for (; block != fork; block = block.Previous!)
            {
                foreach (var known in block.Transactions.Select(t => Wallet.Find(t.Txid)).OfType<KnownTransaction>())
                    _entries.AddTo(removed, known, whole: true, conflictedToo: true, withChange);
            }
        }
        foreach (var known in Wallet.Known)
        {
            if (height < 0 || Math.Abs(Wallet.Confirmations(known)) < Wallet.Height + 1 - height)
                _entries.AddTo(entries, known, whole: true, conflictedToo: false, withChange);
        }
        var last = node.Chain.At(Wallet.Height + 1 - Math.Min(target, Wallet.Height + 1))!;
        var answer = new JsonObject { ["transactions"] = entries, ["lastblock"] = last.Hash.ToString() };
        if (withRemoved) answer["removed"] = removed;
        return answer;
    }

    /// <summary>From the newest back, and given the other way round.</summary>
    private JsonArray ListTransactions(int count, int skip)
    {
        if (count < 0) throw new CallFailedException(RpcError.InvalidParameter, "Negative count");
        if (skip < 0) throw new CallFailedException(RpcError.InvalidParameter, "Negative from");
        var entries = new JsonArray();
        foreach (var known in Wallet.NewestFirst) _entries.AddTo(entries, known, whole: true, conflictedToo: false);
        return new JsonArray([.. entries.Skip(skip).Take(count).Reverse().Select(e => e!.DeepClone())]);
    }

    private JsonObject GetTransaction(Txid txid)
    {
        var known = Wallet.Find(txid) ?? throw new CallFailedException(RpcError.InvalidAddressOrKey, "Invalid or non-wallet transaction id");
        var details = new JsonArray();
        _entries.AddTo(details, known, whole: false, conflictedToo: false);
        var answer = _entries.Place(known);
        answer["txid"] = txid.ToString();
        answer["details"] = details;
        answer["walletconflicts"] = new JsonArray([.. Wallet.ConflictsOf(known).Select(c => (JsonNode)c.ToString())]);
        answer["hex"] = Convert.ToHexStringLower(Bytes(known.Transaction));
        if (_entries.Fee(known) is { } fee) answer["fee"] = fee;
        return answer;
    }

    private static JsonObject Funded((BitcoinTransaction Transaction, Sats Fee) built) =>
        new() { ["psbt"] = FakePsbt.Write(built.Transaction), ["fee"] = FakeCalls.ToJson(built.Fee) };

    private JsonObject Process(string psbt)
    {
        if (Wallet.IsLocked) throw new CallFailedException(RpcError.WalletUnlockNeeded, "Error: Please enter the wallet passphrase with walletpassphrase first.");
        var transaction = FakePsbt.Read(psbt);
        var complete = Wallet.HasKeys && transaction.Inputs.All(i => Wallet.OwnOutput(i.Spent) is not null);
        var answer = new JsonObject { ["psbt"] = FakePsbt.Write(transaction, complete), ["complete"] = complete };
        if (complete) answer["hex"] = Convert.ToHexStringLower(FakeTransactions.Sign(transaction));
        return answer;
    }

    private JsonNode LockUnspent(JsonElement p)
    {
        if (p[0].ToBool())
        {
            Wallet.UnlockAll();
            return true;
        }
        var outputs = p[1].ToList(NodeJson.ToOutPoint);
        // All or none: looked at first.
        foreach (var output in outputs)
        {
            if (Wallet.Find(output.Txid) is not { } known) throw new CallFailedException(RpcError.InvalidParameter, "Invalid parameter, unknown transaction");
            if (output.Index >= known.Transaction.Outputs.Count) throw new CallFailedException(RpcError.InvalidParameter, "Invalid parameter, vout index out of bounds");
            if (Wallet.IsSpent(output)) throw new CallFailedException(RpcError.InvalidParameter, "Invalid parameter, expected unspent output");
            if (Wallet.Locked.Contains(output)) throw new CallFailedException(RpcError.InvalidParameter, "Invalid parameter, output already locked");
        }
        foreach (var output in outputs) Wallet.Lock(output);
        return true;
    }

    private static JsonNode Coin(OwnCoin coin) => Coin(coin.OutPoint, coin.Output, coin.Confirmations, coin.Safe);

    internal static JsonNode Coin(OutPoint outPoint, TransactionOutput output, int confirmations, bool safe) => new JsonObject
    {
        ["txid"] = outPoint.Txid.ToString(),
        ["vout"] = outPoint.Index,
        ["address"] = FakeNode.AddressOf(new ByteString(output.Script)),
        ["scriptPubKey"] = Convert.ToHexStringLower(output.Script),
        ["amount"] = FakeCalls.ToJson(output.Value),
        ["confirmations"] = confirmations,
        ["solvable"] = true,
        ["safe"] = safe,
    };

    private JsonObject Balances()
    {
        var coins = node.Funding.Coins();
        JsonNode Sum(Func<OwnCoin, bool> which) => FakeCalls.ToJson(new Sats(coins.Where(which).Sum(c => c.Output.Value.Value)));
        return new JsonObject
        {
            ["mine"] = new JsonObject
            {
                ["trusted"] = Sum(c => c.Safe && !FakeFunding.IsImmature(c)),
                ["untrusted_pending"] = Sum(c => !c.Safe),
                ["immature"] = Sum(FakeFunding.IsImmature),
            },
        };
    }

    internal static TransactionOutput ToOutput(JsonElement output)
    {
        var (name, value) = output.EnumerateObject().Select(m => (m.Name, m.Value.ToText())).Single();
        if (name == "data")
        {
            var data = Convert.FromHexString(value);
            return new TransactionOutput(Sats.Zero, [0x6a, .. data.Length > 75 ? (byte[])[0x4c, (byte)data.Length] : [(byte)data.Length], .. data]);
        }
        return Amounts.TryParseBtc(value, out var amount)
            ? new TransactionOutput(amount, FakeNode.ScriptOf(name)) : throw new CallFailedException((RpcError)(-3), "Invalid amount");
    }

    /// <summary>In sat/vB with three decimals.</summary>
    private static FeeRate ToFeeRate(JsonElement rate) =>
        new((long)(decimal.Parse(rate.ToText(), System.Globalization.CultureInfo.InvariantCulture) * SatPerKvBInSatPerVB));
}
