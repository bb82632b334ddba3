using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bitcache.Cli.Demo;

/// <summary>What a run of the demo did: the last line of its output. Each figure was checked; a run in which a check
/// fails has no report.</summary>
/// <param name="Transfers">Payments between the wallets, each answered as accepted.</param>
/// <param name="BlockHash">The block that holds the anchor, by the node's best chain.</param>
/// <param name="ReceiptsVerified">Receipts verified while the server was down.</param>
/// <param name="BalanceChunksVerified">Parts of a wallet's balance in the epoch's liabilities, verified in the same way.</param>
/// <param name="RestartedEqual">Every wallet had the same balances before kill -9 and after the restart.</param>
/// <param name="Conserved">The sums are equal by the server's totals, and by what the demo itself paid in and out.</param>
internal sealed record DemoReport(
    string DepositTxid, long CreditedMsat, int Transfers, string WithdrawalTxid, string AnchorTxid, string BlockHash,
    int ReceiptsVerified, int BalanceChunksVerified, bool RestartedEqual, bool Conserved, double Seconds)
{
    public string ToJson() => JsonSerializer.Serialize(this, DemoJson.Default.DemoReport);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DemoReport))]
internal sealed partial class DemoJson : JsonSerializerContext;
