// Deposits that left the chain: what the chain does not decide by itself, because the node forgot it, the operator does.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>One deposit that is frozen.</summary>
/// <param name="Output">As txid:index.</param>
/// <param name="FrozenMsat">What of it is set aside in the wallet.</param>
/// <param name="OwedMsat">What of it was spent already; what the wallet owes if it does not come back.</param>
/// <param name="Credited">Whether it was credited before; one that was not can only be reversed.</param>
/// <param name="Block">That held it last; absent if it was never in one that counted.</param>
public sealed record FrozenReply(
    string Output, string Address, string Wallet, long AmountSat, long FrozenMsat, long OwedMsat, bool Suspense, bool Credited,
    string? Block = null, long? Height = null);

/// <param name="Reason">Why, for the journal: at most 64 bytes.</param>
public sealed record SettlementRequest(string Id, string Reason);

/// <param name="State">final when it was released, otherwise reversed.</param>
/// <param name="AmountMsat">What of a wallet's it concerned; 0 if it was in suspense, or never credited.</param>
/// <param name="Sequence">Of the entry, in the partition that booked the deposit.</param>
public sealed record SettlementReply(string Id, string Output, string State, long AmountMsat, string Reason, long Sequence, string Time);

internal static class FrozenRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/operator/frozen", Scopes.Admin | Scopes.Audit, "Deposits that are frozen, newest first", ListAsync) with
        {
            Response = ApiJson.Default.PageFrozenReply,
            Query = Replies.Paging,
        },
        Route.Post("/v1/operator/frozen/{txid}/{vout}/release", Scopes.Admin, "Say that a frozen deposit is there for good", call => SettleAsync(call, true)) with
        {
            Request = ApiJson.Default.SettlementRequest,
            Response = ApiJson.Default.SettlementReply,
            AsksSettlement = true,
        },
        Route.Post("/v1/operator/frozen/{txid}/{vout}/reverse", Scopes.Admin, "Say that a frozen deposit is gone for good", call => SettleAsync(call, false)) with
        {
            Request = ApiJson.Default.SettlementRequest,
            Response = ApiJson.Default.SettlementReply,
            AsksSettlement = true,
        },
    ];

    private static async Task<IResult> ListAsync(Call call)
    {
        var page = await DepositPages.ReadAsync(call, static (ledger, before, most) => ledger.FrozenDeposits(before, most));
        return Replies.Json(new Page<FrozenReply>([.. page.Items.Select(deposit => ToReply(deposit, call.Engine.Network))], page.Next), ApiJson.Default.PageFrozenReply);
    }

    private static async Task<IResult> SettleAsync(Call call, bool released)
    {
        var request = await call.BodyAsync(ApiJson.Default.SettlementRequest);
        var id = Call.ParseId(request.Id);
        var reason = PaymentRequests.ParseReference(request.Reason, "reason");
        // Whoever looks into the journal years later wants to know.
        if (reason.Length == 0) throw new ProblemException(ProblemType.MissingMember, "reason");
        var output = DepositPages.OutputInPath(call, ProblemType.FrozenNotFound);
        var answer = await call.Partitions.SubmitAsync(
            new SettleDeposit(id, output, released, BrakeRoutes.NameOf(call.Principal), reason), call.Principal.Tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var entry = answer.Entry!;
        return Replies.Done(
            answer,
            new SettlementReply(
                request.Id, output.ToString(), DepositReply.NameOf(released ? DepositState.Final : DepositState.Reversed), entry.Released.Value, request.Reason,
                entry.Sequence, entry.Time.ToString()),
            ApiJson.Default.SettlementReply);
    }

    private static FrozenReply ToReply(Deposit deposit, BitcoinNetwork network) => new(
        deposit.OutPoint.ToString(), DepositRoutes.Text(deposit.Script, network), deposit.Wallet.ToString(), deposit.Amount.Value,
        deposit.FrozenPart.Value, deposit.OwedPart.Value, deposit.Suspense, deposit.Booked,
        deposit.Height > 0 ? deposit.Block.ToString() : null, deposit.Height > 0 ? deposit.Height : null);
}
