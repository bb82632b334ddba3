// Strict reading of the node's JSON. What is not exactly as documented throws InvalidDataException (or the JSON
// library's InvalidOperationException for another kind of value), which becomes an unknown outcome.

using System.Text.Json;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Engine.Bitcoin;

public static class NodeJson
{
    public static JsonElement Get(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) ? value : throw new InvalidDataException($"'{name}' is missing");

    /// <summary>Null where the member is missing or null.</summary>
    public static JsonElement? Find(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static string ToText(this JsonElement element) =>
        element.GetString() ?? throw new InvalidDataException("text is missing");

    public static bool ToBool(this JsonElement element) => element.GetBoolean();

    public static int ToInt(this JsonElement element) =>
        element.TryGetInt32(out var value) ? value : throw Malformed("integer", element);

    public static long ToLong(this JsonElement element) =>
        element.TryGetInt64(out var value) ? value : throw Malformed("integer", element);

    public static uint ToUInt(this JsonElement element) =>
        element.TryGetUInt32(out var value) ? value : throw Malformed("index", element);

    public static int ToHeight(this JsonElement element) =>
        element.ToInt() is >= 0 and <= Limits.BlockHeightMax and var height ? height : throw Malformed("height", element);

    /// <summary>Confirmations: below zero for what a conflict in a block made impossible.</summary>
    public static int ToDepth(this JsonElement element) =>
        element.ToInt() is >= -Limits.BlockHeightMax and <= Limits.BlockHeightMax and var depth ? depth : throw Malformed("depth", element);

    /// <summary>Seconds since 1970, as Bitcoin counts.</summary>
    public static UnixTime ToTime(this JsonElement element) => new(element.ToUInt() * 1_000L);

    /// <summary>An amount in BTC. The decimal text is read digit by digit; it never becomes a floating-point number.</summary>
    public static Sats ToSats(this JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && Amounts.TryParseBtc(element.GetRawText(), out var amount)
            ? amount : throw Malformed("amount", element);

    /// <summary>An amount without its sign: the node writes what leaves a wallet, fees too, as negative.</summary>
    public static Sats ToSatsUnsigned(this JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Number) throw Malformed("amount", element);
        var text = element.GetRawText();
        return Amounts.TryParseBtc(text.StartsWith('-') ? text.AsSpan(1) : text, out var amount)
            ? amount : throw Malformed("amount", element);
    }

    public static Txid ToTxid(this JsonElement element) =>
        Txid.TryParse(element.ToText(), out var txid) ? txid : throw Malformed("txid", element);

    public static BlockHash ToBlockHash(this JsonElement element) =>
        BlockHash.TryParse(element.ToText(), out var hash) ? hash : throw Malformed("block hash", element);

    public static byte[] ToBytes(this JsonElement element) => Convert.FromHexString(element.ToText());

    /// <summary>An output named by its members <c>txid</c> and <c>vout</c>.</summary>
    public static OutPoint ToOutPoint(this JsonElement element) =>
        new(element.Get("txid").ToTxid(), element.Get("vout").ToUInt());

    public static IReadOnlyList<T> ToList<T>(this JsonElement element, Func<JsonElement, T> read)
    {
        var list = new List<T>(element.GetArrayLength());
        foreach (var item in element.EnumerateArray()) list.Add(read(item));
        return list;
    }

    /// <summary>A coin as <c>signrawtransactionwithkey</c> is told of it.</summary>
    public static JsonObject ToJson(SpentCoin spent)
    {
        var coin = new JsonObject
        {
            ["txid"] = spent.Output.Txid.ToString(),
            ["vout"] = spent.Output.Index,
            ["scriptPubKey"] = Convert.ToHexStringLower(spent.Coin.Script),
            ["amount"] = Amounts.FormatBtc(spent.Coin.Value),
        };
        if (spent.RedeemScript.Length > 0) coin["redeemScript"] = spent.RedeemScript.ToString();
        if (spent.WitnessScript.Length > 0) coin["witnessScript"] = spent.WitnessScript.ToString();
        return coin;
    }

    private static InvalidDataException Malformed(string what, JsonElement element)
    {
        var text = element.GetRawText();
        return new InvalidDataException($"no {what}: {(text.Length <= 80 ? text : text[..80] + "…")}");
    }
}
