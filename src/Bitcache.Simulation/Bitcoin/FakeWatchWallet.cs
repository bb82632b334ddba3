// A wallet of the simulated node that only watches. It understands descriptors of single addresses.

using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

internal sealed class FakeWatchWallet(FakeNode node, string name)
{
    private const RpcError ParseError = RpcError.InvalidAddressOrKey;
    private readonly Dictionary<string, byte[]> _scripts = [];

    public bool IsLoaded { get; set; } = true;

    public JsonNode? Call(string method, JsonElement p) => method switch
    {
        "getwalletinfo" => new JsonObject { ["walletname"] = name, ["scanning"] = false, ["descriptors"] = true, ["private_keys_enabled"] = false },
        "listdescriptors" => new JsonObject { ["descriptors"] = new JsonArray([.. _scripts.Keys.Order(StringComparer.Ordinal).Select(d => (JsonNode)new JsonObject { ["desc"] = d })]) },
        "importdescriptors" => new JsonArray([.. p[0].ToList(Import)]),
        "getbalance" => FakeCalls.ToJson(new Sats(_scripts.Values.Sum(script => Coins(script).Sum(c => c.Output.Value.Value)))),
        "listunspent" => new JsonArray([.. _scripts.Values.SelectMany(Coins).Where(c => c.Confirmations >= p[0].ToInt()).Select(c => FakeWalletCalls.Coin(c.OutPoint, c.Output, c.Confirmations, safe: true))]),
        _ => throw new CallFailedException((RpcError)(-32601), "Method not found"),
    };

    private JsonNode Import(JsonElement request)
    {
        var text = request.Get("desc").ToText();
        if (text.Split('#') is not [var descriptor, { Length: 8 }]) return Refused("Missing checksum");
        if (!descriptor.StartsWith("addr(", StringComparison.Ordinal) || !descriptor.EndsWith(')')) return Refused("A valid descriptor function is expected");
        try
        {
            _scripts[text] = FakeNode.ScriptOf(descriptor["addr(".Length..^1]);
        }
        catch (CallFailedException)
        {
            return Refused("Address is not valid");
        }
        return new JsonObject { ["success"] = true };
    }

    private static JsonObject Refused(string message) => new()
    {
        ["success"] = false,
        ["error"] = new JsonObject { ["code"] = (int)ParseError, ["message"] = message },
    };

    /// <summary>In blocks, and spent neither there nor in the mempool.</summary>
    private IEnumerable<(OutPoint OutPoint, TransactionOutput Output, int Confirmations)> Coins(byte[] script)
    {
        for (var height = 0; node.Chain.At(height) is { } block; height++)
        {
            foreach (var transaction in block.Transactions)
            {
                for (uint i = 0; i < transaction.Outputs.Count; i++)
                {
                    var output = new OutPoint(transaction.Txid, i);
                    if (!transaction.Outputs[(int)i].Script.AsSpan().SequenceEqual(script) || node.Chain.FindCoin(output) is not { } coin) continue;
                    var isMature = !coin.Coinbase || node.Chain.Tip.Height + 1 - coin.Height >= FakeWallet.CoinbaseConfirmations;
                    if (isMature && node.Mempool.SpenderOf(output) is null) yield return (output, coin.Output, node.Chain.Tip.Height + 1 - coin.Height);
                }
            }
        }
    }
}
