// What stops or bounds a wallet's outflow: freezes and spending limits. Both are set by the wallet's owner, with a key
// that may also send money out (one that can only pay must not lift what was put up against it), and by the operator.

using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="FrozenBy">Who holds the wallet frozen now: owner, operator, both or nobody.</param>
/// <param name="Sequence">The entry's place in the ledger.</param>
public sealed record FreezeReply(string Wallet, IReadOnlyList<string> FrozenBy, long Sequence, string Time);

/// <summary>All limits of a wallet: one that is absent is none.</summary>
/// <param name="PerHourMsat">In one clock hour (UTC).</param>
/// <param name="PerDayMsat">On one day (UTC).</param>
public sealed record LimitsRequest(string Id, long? PerPaymentMsat = null, long? PerHourMsat = null, long? PerDayMsat = null);

/// <param name="Sequence">Of the entry that set them; absent when they are only looked at.</param>
public sealed record LimitsReply(string Wallet, long? PerPaymentMsat, long? PerHourMsat, long? PerDayMsat, long? Sequence = null, string? Time = null);

internal static class WalletControlRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/wallets/{wallet}/freeze", Scopes.Withdraw | Scopes.Admin, "Stop everything that leaves a wallet", call => SetFrozenAsync(call, true)) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.FreezeReply,
            AsksSettlementForOperator = true,
        },
        Route.Post("/v1/wallets/{wallet}/unfreeze", Scopes.Withdraw | Scopes.Admin, "Lift one's own freeze of a wallet", call => SetFrozenAsync(call, false)) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.FreezeReply,
            AsksSettlementForOperator = true,
        },
        Route.Post("/v1/wallets/{wallet}/limits", Scopes.Withdraw | Scopes.Admin, "Set a wallet's spending limits", SetLimitsAsync) with
        {
            Request = ApiJson.Default.LimitsRequest,
            Response = ApiJson.Default.LimitsReply,
        },
        Route.Get("/v1/wallets/{wallet}/limits", Scopes.Read | Scopes.Audit, "A wallet's spending limits", GetLimitsAsync) with
        {
            Response = ApiJson.Default.LimitsReply,
        },
    ];

    /// <summary>Who holds a wallet frozen, in the API's words.</summary>
    public static IReadOnlyList<string> NamesOf(Freezes freezes) =>
    [
        .. freezes.HasFlag(Freezes.Owner) ? ["owner"] : Array.Empty<string>(),
        .. freezes.HasFlag(Freezes.Operator) ? ["operator"] : Array.Empty<string>(),
    ];

    private static async Task<IResult> SetFrozenAsync(Call call, bool frozen)
    {
        var id = Call.ParseId((await call.BodyAsync(ApiJson.Default.IdRequest)).Id);
        var wallet = await ControlledAsync(call);
        var answer = await call.Partitions.SubmitAsync(new SetFrozen(id, wallet, frozen), call.Principal.Tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var reply = new FreezeReply(wallet.ToString(), NamesOf(answer.Owner!.Value.Freezes), answer.Entry!.Sequence, answer.Entry.Time.ToString());
        return Replies.Done(answer, reply, ApiJson.Default.FreezeReply);
    }

    private static async Task<IResult> SetLimitsAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.LimitsRequest);
        var limits = new SpendingLimits(
            ParseLimit(request.PerPaymentMsat, "perPaymentMsat"), ParseLimit(request.PerHourMsat, "perHourMsat"), ParseLimit(request.PerDayMsat, "perDayMsat"));
        var id = Call.ParseId(request.Id);
        var wallet = await ControlledAsync(call);
        var answer = await call.Partitions.SubmitAsync(new SetLimits(id, wallet, limits), call.Principal.Tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var reply = ToReply(wallet, limits) with { Sequence = answer.Entry!.Sequence, Time = answer.Entry.Time.ToString() };
        return Replies.Done(answer, reply, ApiJson.Default.LimitsReply);
    }

    private static async Task<IResult> GetLimitsAsync(Call call) => Replies.Json(
        await call.AskAsync((ledger, wallet) => ToReply(wallet.Id, ledger.LimitsOf(wallet.Id))), ApiJson.Default.LimitsReply);

    /// <summary>The wallet in the path. The ledger lets the operator's keys act on any wallet; of these the scope admin
    /// is asked for, unless it is the operator's own.</summary>
    private static async Task<WalletId> ControlledAsync(Call call)
    {
        var id = call.WalletInPath;
        if (call.Principal.Tenant != Ledger.OperatorTenant || call.Principal.Scopes.HasFlag(Scopes.Admin)) return id;
        return await call.FindAsync(id) is { } wallet && call.Principal.Owns(wallet)
            ? id
            : throw new ProblemException(ProblemType.WalletNotFound);
    }

    private static Msat ParseLimit(long? limit, string member) => limit switch
    {
        null => Msat.Zero,
        >= 1 and <= Limits.SupplyMsatMax and var msat => new Msat(msat),
        _ => throw new ProblemException(ProblemType.NumberOutOfRange, member),
    };

    private static LimitsReply ToReply(WalletId wallet, SpendingLimits limits) => new(
        wallet.ToString(), PaymentReplies.MoreThanNothing(limits.PerPayment), PaymentReplies.MoreThanNothing(limits.PerHour),
        PaymentReplies.MoreThanNothing(limits.PerDay));
}
