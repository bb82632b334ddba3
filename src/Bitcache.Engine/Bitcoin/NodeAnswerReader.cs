// From the node's JSON to the records of NodeAnswers.cs. Pure, so that hostile answers can be tried without a node.

using System.Text.Json;
using Bitcache.Core;

namespace Bitcache.Engine.Bitcoin;

internal static class NodeAnswerReader
{
    public static BlockchainInfo BlockchainInfo(JsonElement a) => new(
        a.Get("chain").ToText(), a.Get("blocks").ToHeight(), a.Get("headers").ToHeight(),
        a.Get("bestblockhash").ToBlockHash(), a.Get("initialblockdownload").ToBool());

    // "scanning" is false, or an object that tells the progress; "unlocked_until" is 0 for locked, and missing
    // for a wallet without passphrase.
    public static WalletInfo WalletInfo(JsonElement a) => new(
        a.Get("walletname").ToText(), a.Get("scanning").ValueKind != JsonValueKind.False,
        a.Find("unlocked_until")?.ToLong() == 0, a.Get("descriptors").ToBool(), a.Get("private_keys_enabled").ToBool());

    public static BlockInfo BlockInfo(JsonElement a) => new(
        a.Get("hash").ToBlockHash(), a.Get("height").ToHeight(), a.Get("confirmations").ToDepth(),
        a.Find("previousblockhash")?.ToBlockHash(), a.Get("time").ToTime(), a.Get("mediantime").ToTime());

    public static IReadOnlyList<Txid> BlockTxids(JsonElement a) => a.Get("tx").ToList(NodeJson.ToTxid);

    // A descriptor without a range has one address, and is none of those that give addresses away.
    public static IReadOnlyList<WalletDescriptor> WalletDescriptors(JsonElement a) => a.Get("descriptors").ToList(e => new WalletDescriptor(
        e.Get("desc").ToText(), e.Get("active").ToBool(), e.Find("internal")?.ToBool() ?? false,
        e.Find("range") is { } range ? Range(range) : null, e.Find("next_index")?.ToUInt() ?? 0));

    private static DescriptorRange Range(JsonElement a) => a.GetArrayLength() == 2
        ? new DescriptorRange(a[0].ToUInt(), a[1].ToUInt()) : throw new InvalidDataException("a range has two ends");

    public static AddressInfo AddressInfo(JsonElement a) => new(
        a.Get("ismine").ToBool(), a.Find("ischange")?.ToBool() ?? false, a.Get("scriptPubKey").ToBytes(),
        a.Find("labels")?.ToList(NodeJson.ToText) is [var label, ..] ? label : null);

    public static IReadOnlyList<WalletEntry> WalletEntries(JsonElement a) => a.ToList(ListedEntry);

    public static WalletChanges WalletChanges(JsonElement a) => new(
        a.Get("transactions").ToList(ListedEntry),
        a.Find("removed")?.ToList(ListedEntry) ?? [],
        a.Get("lastblock").ToBlockHash());

    public static IReadOnlyList<Txid> ListedTransactions(JsonElement a) =>
        [.. a.Get("transactions").ToList(e => e.Get("txid").ToTxid()).Distinct()];

    public static WalletTransaction WalletTransaction(JsonElement a)
    {
        var txid = a.Get("txid").ToTxid();
        var (confirmations, block, height) = Place(a);
        return new WalletTransaction(
            txid, confirmations, block, height, a.Find("fee")?.ToSatsUnsigned(),
            a.Get("details").ToList(e => Entry(e, new OutPoint(txid, e.Get("vout").ToUInt()), confirmations, block, height)),
            a.Get("walletconflicts").ToList(NodeJson.ToTxid),
            a.Get("hex").ToBytes());
    }

    private static WalletEntry ListedEntry(JsonElement e)
    {
        var (confirmations, block, height) = Place(e);
        return Entry(e, e.ToOutPoint(), confirmations, block, height);
    }

    /// <summary>Where a transaction is. What has confirmations is in a block, and a block has a height.</summary>
    private static (int Confirmations, BlockHash? Block, int? Height) Place(JsonElement a)
    {
        var place = (Confirmations: a.Get("confirmations").ToDepth(), Block: a.Find("blockhash")?.ToBlockHash(), Height: a.Find("blockheight")?.ToHeight());
        return place.Confirmations < 1 || place is { Block: not null, Height: not null }
            ? place : throw new InvalidDataException($"{place.Confirmations} confirmations in no block");
    }

    private static WalletEntry Entry(JsonElement e, OutPoint output, int confirmations, BlockHash? block, int? height)
    {
        var category = Category(e.Get("category").ToText());
        var amount = category == WalletEntryCategory.Send ? e.Get("amount").ToSatsUnsigned() : e.Get("amount").ToSats();
        return new WalletEntry(
            category, output, e.Find("address")?.ToText(), amount, confirmations, block, height, e.Find("abandoned")?.ToBool() ?? false);
    }

    private static WalletEntryCategory Category(string text) => text switch
    {
        "send" => WalletEntryCategory.Send,
        "receive" => WalletEntryCategory.Receive,
        "generate" => WalletEntryCategory.Generate,
        "immature" => WalletEntryCategory.Immature,
        "orphan" => WalletEntryCategory.Orphan,
        _ => throw new InvalidDataException($"unknown category '{text}'"),
    };

    public static FundedPsbt FundedPsbt(JsonElement a) => new(a.Get("psbt").ToText(), a.Get("fee").ToSats());

    public static SignedPsbt SignedPsbt(JsonElement a) => new(
        a.Get("psbt").ToText(), a.Get("complete").ToBool() ? a.Get("hex").ToBytes() : null);

    public static byte[]? FinalizedPsbt(JsonElement a) => a.Get("complete").ToBool() ? a.Get("hex").ToBytes() : null;

    public static DecodedPsbt DecodedPsbt(JsonElement a)
    {
        var transaction = a.Get("tx");
        var outPoints = transaction.Get("vin").ToList(i => (Output: i.ToOutPoint(), Sequence: i.Get("sequence").ToUInt()));
        if (outPoints.Count == 0) throw new InvalidDataException("a transaction without inputs");
        var spent = a.Get("inputs");
        if (spent.GetArrayLength() != outPoints.Count) throw new InvalidDataException("the inputs do not match the transaction's");
        var inputs = outPoints.Select((input, i) => new PsbtInput(input.Output, input.Sequence, Spent(spent[i], input.Output)));
        return new DecodedPsbt(
            transaction.Get("txid").ToTxid(), transaction.Get("size").ToInt(), transaction.Get("locktime").ToUInt(),
            [.. inputs], transaction.Get("vout").ToList(TransactionOutput), a.Find("fee")?.ToSats());
    }

    /// <summary>The output an input spends: by itself, or inside the whole transaction that made it.</summary>
    private static PsbtOutput? Spent(JsonElement input, OutPoint output)
    {
        if (input.Find("witness_utxo") is { } alone)
            return new PsbtOutput(alone.Get("amount").ToSats(), alone.Get("scriptPubKey").Get("hex").ToBytes());
        if (input.Find("non_witness_utxo") is not { } whole) return null;
        var outputs = whole.Get("vout");
        if (whole.Get("txid").ToTxid() != output.Txid || output.Index >= (uint)outputs.GetArrayLength())
            throw new InvalidDataException("an input carries another transaction than it spends");
        return TransactionOutput(outputs[(int)output.Index]);
    }

    private static PsbtOutput TransactionOutput(JsonElement e) =>
        new(e.Get("value").ToSats(), e.Get("scriptPubKey").Get("hex").ToBytes());

    public static IReadOnlyList<MempoolSpend> MempoolSpends(JsonElement a) => a.ToList(
        e => new MempoolSpend(e.ToOutPoint(), e.Find("spendingtxid")?.ToTxid()));

    public static MempoolEntry MempoolEntry(JsonElement a) => new(
        a.Get("fees").Get("base").ToSats(), a.Get("vsize").ToInt(), a.Get("descendantcount").ToInt(),
        a.Get("fees").Get("ancestor").ToSats(), a.Get("ancestorsize").ToInt());

    public static MempoolTerms MempoolTerms(JsonElement a) => new(
        new FeeRate(a.Get("mempoolminfee").ToSats().Value), new FeeRate(a.Get("incrementalrelayfee").ToSats().Value));

    public static IReadOnlyList<Coin> Coins(JsonElement a) => a.ToList(e => new Coin(
        e.ToOutPoint(), e.Get("amount").ToSats(), e.Find("address")?.ToText(), e.Get("scriptPubKey").ToBytes(),
        e.Get("confirmations").ToInt(), e.Get("solvable").ToBool(), e.Get("safe").ToBool()));

    public static ChainCoin? ChainCoin(JsonElement a) => a.ValueKind == JsonValueKind.Null ? null : new ChainCoin(
        a.Get("value").ToSats(), a.Get("scriptPubKey").Get("hex").ToBytes(), a.Get("confirmations").ToInt(), a.Get("bestblock").ToBlockHash());

    public static WalletBalances Balances(JsonElement a)
    {
        var mine = a.Get("mine");
        return new WalletBalances(mine.Get("trusted").ToSats(), mine.Get("untrusted_pending").ToSats(), mine.Get("immature").ToSats());
    }

    public static IReadOnlyList<string> Descriptors(JsonElement a) => a.Get("descriptors").ToList(d => d.Get("desc").ToText());

    public static IReadOnlyList<string?> Imports(JsonElement a) => a.ToList(
        i => i.Get("success").ToBool() ? null : i.Find("error")?.Get("message").ToText() ?? "it does not say why");

    public static FeeRate? EstimatedFee(JsonElement a) =>
        a.Find("feerate") is { } rate ? new FeeRate(rate.ToSats().Value) : null;
}
