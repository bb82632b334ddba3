// What the wallet lists of a transaction: one entry for each output that left it and one for each that arrived
// (Bitcoin Core, wallet/rpc/transactions.cpp, ListTransactions).

using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

internal sealed class FakeEntries(FakeNode node)
{
    private FakeWallet Wallet => node.Wallet;

    /// <summary>Adds the entries.</summary>
    /// <param name="whole">Whether each tells where its transaction stands, too.</param>
    /// <param name="conflictedToo">Whether what arrived is listed even if a conflict is in the chain.</param>
    /// <param name="withChange">Whether change is listed, as what left and as what arrived.</param>
    public void AddTo(JsonArray list, KnownTransaction known, bool whole, bool conflictedToo, bool withChange = false)
    {
        var transaction = known.Transaction;
        var fromMe = Wallet.IsFromMe(transaction);
        for (var i = 0; i < transaction.Outputs.Count; i++)
        {
            if (fromMe && (withChange || !Wallet.IsChange(transaction.Outputs[i].Script))) list.Add(Entry(known, i, "send", whole));
        }
        if (Wallet.Confirmations(known) < 0 && !conflictedToo) return;
        for (var i = 0; i < transaction.Outputs.Count; i++)
        {
            var script = transaction.Outputs[i].Script;
            if (Wallet.IsMine(script) && (withChange || !(fromMe && Wallet.IsChange(script)))) list.Add(Entry(known, i, Category(known), whole));
        }
    }

    /// <summary>Where a transaction stands in the chain.</summary>
    public JsonObject Place(KnownTransaction known)
    {
        var place = new JsonObject { ["confirmations"] = Wallet.Confirmations(known) };
        if (known.Standing == WalletStanding.InBlock)
        {
            place["blockhash"] = known.Block!.Hash.ToString();
            place["blockheight"] = known.Block.Height;
        }
        return place;
    }

    /// <summary>What the wallet paid for mining it, as the negative number that the node writes; null where others paid.</summary>
    public JsonNode? Fee(KnownTransaction known)
    {
        if (!Wallet.IsFromMe(known.Transaction)) return null;
        var spent = known.Transaction.Inputs.Sum(i => Wallet.OwnOutput(i.Spent)?.Value.Value ?? 0);
        return JsonNode.Parse("-" + Amounts.FormatBtc(new Sats(spent - known.Transaction.Outputs.Sum(o => o.Value.Value))));
    }

    private JsonObject Entry(KnownTransaction known, int index, string category, bool whole)
    {
        var output = known.Transaction.Outputs[index];
        var left = category == "send";
        var entry = whole ? Place(known) : new JsonObject();
        entry["category"] = category;
        entry["amount"] = JsonNode.Parse((left ? "-" : "") + Amounts.FormatBtc(output.Value));
        entry["vout"] = index;
        entry["txid"] = known.Txid.ToString();
        entry["abandoned"] = known.Standing == WalletStanding.Abandoned;
        if (BitcoinAddress.FromScript(output.Script, BitcoinNetwork.Regtest) is { } address) entry["address"] = address;
        if (left) entry["fee"] = Fee(known);
        return entry;
    }

    private string Category(KnownTransaction known)
    {
        var confirmations = Wallet.Confirmations(known);
        return !known.Coinbase ? "receive"
            : confirmations < 1 ? "orphan"
            : confirmations < FakeWallet.CoinbaseConfirmations ? "immature" : "generate";
    }
}
