using System.Text;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>One line of a wallet's history.</summary>
/// <param name="Kind">wallet_created, transfer, split, hold_placed, hold_captured, hold_released, hold_expired, refund,
/// withdrawal_requested, withdrawal_cancelled, withdrawal_expired, withdrawal_declined, withdrawal_charged, withdrawal_settled_inside, deposit_credited (or given back after it was frozen), deposit_frozen,
/// deposit_reversed, deposit_settled_released and deposit_settled_reversed (by the operator's word), suspense_assigned, operator_funds_moved (between partitions).</param>
/// <param name="Direction"><c>in</c> or <c>out</c>, as seen from this wallet.</param>
/// <param name="AmountMsat">What was paid or asked for; of a hold that is closed what came back to its payer; of a
/// deposit's steps, by how much they moved what is available.</param>
/// <param name="AvailableMsat">What was available after this.</param>
/// <param name="Other">The wallet on the other side.</param>
/// <param name="Id">The id that the sender made.</param>
/// <param name="Output">The Bitcoin output, as txid:index.</param>
/// <param name="FeeMsat">What the wallet paid on top of the amount, or has held for that; of a withdrawal that is charged, what
/// it paid of what was held. Absent where there is none.</param>
public sealed record HistoryReply(
    long Sequence, string Time, string Kind, string Direction, long AmountMsat, long AvailableMsat,
    string? Other = null, string? Id = null, uint? Code = null, string? Reference = null, string? Address = null, string? Output = null,
    long? FeeMsat = null);

internal static class HistoryRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/wallets/{wallet}/history", Scopes.Read | Scopes.Audit, "What happened to a wallet, newest first", GetAsync) with
        {
            Response = ApiJson.Default.PageHistoryReply,
            Query = Replies.Paging,
        },
    ];

    private static async Task<IResult> GetAsync(Call call)
    {
        var wallet = await call.AskAsync((_, w) => w.Id);
        var page = await History.ReadAsync(call.Partitions.HomeOf(wallet), wallet, call.NumberInQuery("before"), Replies.Limit(call))
            ?? throw new ProblemException(ProblemType.MalformedParameter, "before");
        return Replies.Json(
            new Page<HistoryReply>([.. page.Lines.Select(line => ToReply(line, call.Engine.Network))], page.Next),
            ApiJson.Default.PageHistoryReply);
    }

    private static HistoryReply ToReply(HistoryLine line, BitcoinNetwork network)
    {
        var entry = line.Entry;
        var reply = new HistoryReply(
            entry.Sequence, entry.Time.ToString(), KindOf(entry), line.Incoming ? "in" : "out", 0, line.Available.Value);
        return entry.Command switch
        {
            // The operator sees of a payment that it took a fee for, what it took.
            PaymentCommand p when line.IsFee => reply with { AmountMsat = entry.Fee.Value, Other = p.Payer.ToString(), Id = p.Id.ToString() },
            PaymentCommand p => reply with
            {
                // The payer of a hold paid when it was placed: here it gets back what the last capture left.
                AmountMsat = (line.Wallet == p.Payer && entry.Type == EntryType.HoldCaptured ? entry.Released : p.Amount).Value,
                FeeMsat = line.Wallet == p.Payer && entry.Type != EntryType.HoldCaptured ? PaymentReplies.MoreThanNothing(entry.Fee) : null,
                Other = (line.Wallet == p.Payer ? p.Payee : p.Payer).ToString(),
                Id = p.Id.ToString(),
                Code = p.Code,
                Reference = p.Reference.ToUtf8(),
            },
            Split s when line.IsFee => reply with { AmountMsat = line.Change.Value, Other = s.Payer.ToString(), Id = s.Id.ToString() },
            // The payer sees the whole, a payee its own part.
            Split s when line.Wallet == s.Payer => reply with
            {
                AmountMsat = s.Parts.Sum(part => part.Amount.Value),
                FeeMsat = entry.PartFees.Sum(fee => fee.Value) is var fees and > 0 ? fees : null,
                Id = s.Id.ToString(),
            },
            Split s => reply with
            {
                AmountMsat = s.Parts[entry.Part].Amount.Value,
                Other = s.Payer.ToString(),
                Id = s.Id.ToString(),
                Code = s.Parts[entry.Part].Code,
                Reference = s.Parts[entry.Part].Reference.ToUtf8(),
            },
            ExpireHold h => reply with { AmountMsat = entry.Released.Value, Other = entry.Payee.ToString(), Id = h.Hold.ToString() },
            RequestWithdrawal w => reply with
            {
                AmountMsat = w.Amount.ToMsat().Value,
                FeeMsat = PaymentReplies.MoreThanNothing(entry.Fee),
                Other = line.Incoming ? w.Wallet.ToString() : entry.Payee.IsNone ? null : entry.Payee.ToString(),
                Id = w.Id.ToString(),
                Address = BitcoinAddress.FromScript(w.Script.Span, network),
            },
            CancelWithdrawal c => reply with { AmountMsat = entry.Released.Value, Id = c.Id.ToString() },
            ExpireWithdrawal e => reply with { AmountMsat = entry.Released.Value, Id = e.Withdrawal.Id.ToString() },
            ChargeWithdrawal { Withdrawal: var w } when line.IsFee => reply with
            {
                AmountMsat = entry.Fee.Value,
                Other = w.Wallet.ToString(),
                Id = w.Id.ToString(),
            },
            ChargeWithdrawal c => reply with
            {
                AmountMsat = entry.Released.Value,
                FeeMsat = PaymentReplies.MoreThanNothing(entry.Fee),
                Id = c.Withdrawal.Id.ToString(),
            },
            DecideWithdrawal d => reply with { AmountMsat = entry.Released.Value, Id = d.Id.ToString() },
            ChangeDeposit d => reply with
            {
                AmountMsat = line.Change.Value,
                Address = BitcoinAddress.FromScript(d.Script.Span, network),
                Output = d.OutPoint.ToString(),
            },
            SettleDeposit s => reply with { AmountMsat = line.Change.Value, Id = s.Id.ToString(), Output = s.OutPoint.ToString() },
            AssignSuspense a => reply with { AmountMsat = entry.Released.Value, Id = a.Id.ToString(), Output = a.OutPoint.ToString() },
            ReceiveLeg { Leg: { Type: EntryType.SuspenseAssigned } leg } => reply with { AmountMsat = leg.Credit.Amount.Value, Id = leg.Credit.Id.ToString() },
            ReceiveLeg { Leg: var leg } => reply with
            {
                AmountMsat = leg.Credit.Amount.Value,
                Other = leg.Credit.Payer.ToString(),
                Id = leg.Credit.Id.ToString(),
                Code = leg.Type == EntryType.WithdrawalSettledInside ? null : leg.Credit.Code,
                Reference = leg.Type == EntryType.WithdrawalSettledInside ? null : Encoding.UTF8.GetString(leg.Credit.Reference),
            },
            MoveOperatorFunds m => reply with { AmountMsat = m.Amount.Value, Id = m.Id.ToString() },
            CreateWallet c => reply with { Id = c.Id.ToString() },
            _ => reply,
        };
    }

    private static string KindOf(Entry entry) => entry.Command switch
    {
        ReceiveLeg received => KindOf(received.Leg.Type),
        ChangeDeposit deposit => KindOf(deposit.To),
        SettleDeposit settled => settled.Released ? "deposit_settled_released" : "deposit_settled_reversed",
        _ => KindOf(entry.Type),
    };

    private static string KindOf(DepositState to) => to switch
    {
        DepositState.Credited => "deposit_credited",
        DepositState.Frozen => "deposit_frozen",
        DepositState.Reversed => "deposit_reversed",
        var state => throw new InvalidOperationException($"a deposit's step to {state} is in no history"),
    };

    private static string KindOf(EntryType type) => type switch
    {
        EntryType.WalletCreated => "wallet_created",
        EntryType.Transfer or EntryType.TransferUpTo or EntryType.TransferCharged => "transfer",
        EntryType.SplitPaid => "split",
        EntryType.HoldPlaced => "hold_placed",
        EntryType.HoldCaptured => "hold_captured",
        EntryType.HoldReleased => "hold_released",
        EntryType.HoldExpired => "hold_expired",
        EntryType.PaymentRefunded => "refund",
        EntryType.WithdrawalRequested => "withdrawal_requested",
        EntryType.WithdrawalCancelled => "withdrawal_cancelled",
        EntryType.WithdrawalExpired => "withdrawal_expired",
        EntryType.WithdrawalCharged => "withdrawal_charged",
        // One that was approved moved nothing, and is in no history.
        EntryType.WithdrawalDecided => "withdrawal_declined",
        EntryType.WithdrawalSettledInside => "withdrawal_settled_inside",
        EntryType.OperatorFundsMoved => "operator_funds_moved",
        EntryType.SuspenseAssigned => "suspense_assigned",
        _ => throw new InvalidOperationException($"{type} is in no history"),
    };
}
