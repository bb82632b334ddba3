// The operator's own affairs.

using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>The sums of all wallets, in msat, and what Bitcoin says they must be.</summary>
/// <param name="InsideMsat">available + held + frozen + suspense - owed.</param>
/// <param name="FromBitcoinMsat">deposited + toppedUp - reversed - withdrawn - miningFees.</param>
/// <param name="InFlightMsat">What is on its way from one partition to another; absent where there is one. The partitions' sums
/// are of moments close to one another: what moved in between may make this less than nothing, so that inside and this
/// together are what came from Bitcoin.</param>
/// <param name="Conserved">Whether all that is inside, and on its way, is what came from Bitcoin, as it must be at every moment.</param>
public sealed record TotalsReply(
    long AvailableMsat, long HeldMsat, long FrozenMsat, long SuspenseMsat, long OwedMsat,
    long DepositedMsat, long ToppedUpMsat, long ReversedMsat, long WithdrawnMsat, long MiningFeesMsat,
    long InsideMsat, long FromBitcoinMsat, long? InFlightMsat, bool Conserved);

/// <param name="Wallet">The operator's account in the first partition.</param>
/// <param name="AvailableMsat">What the operator has in the accounts of all partitions.</param>
public sealed record OperatorReply(WalletReply Wallet, long AvailableMsat, int Wallets, TotalsReply Totals);

/// <param name="Time">The ledger's time, which goes on from the server's clock.</param>
public sealed record ClockReply(string Time);

/// <param name="FromHeight">The first block that the node's wallet is to look at again.</param>
public sealed record RescanRequest(uint FromHeight);

/// <param name="FromHeight">Where the rescan begins: further below if that was to be done already.</param>
public sealed record RescanReply(long FromHeight);

internal static class OperatorRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/operator", Scopes.Admin | Scopes.Audit, "The operator's wallet and the sums of all wallets", GetAsync) with
        {
            Response = ApiJson.Default.OperatorReply,
        },
        Route.Post("/v1/operator/addresses", Scopes.Admin, "Get an address to top up the operator's wallet", AssignAsync) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.AddressReply,
            AsksSettlement = true,
        },
        Route.Post("/v1/operator/clock:confirm", Scopes.Admin, "Say that the server's clock is right after a jump", ConfirmClockAsync) with
        {
            Response = ApiJson.Default.ClockReply,
            HasSteps = true,
        },
        Route.Post("/v1/operator/rescan", Scopes.Admin, "Look for deposits again, from a block on", RescanAsync) with
        {
            Request = ApiJson.Default.RescanRequest,
            Response = ApiJson.Default.RescanReply,
            AsksSettlement = true,
        },
    ];

    private static async Task<IResult> GetAsync(Call call)
    {
        var views = await call.Partitions.QueryAllAsync(ledger => (Wallet: ledger.OperatorWallet, ledger.WalletCount, ledger.Totals));
        // Each partition has an account of the operator's wallet.
        var wallets = views.Sum(v => v.WalletCount) - (views.Length - 1);
        var available = views.Sum(v => v.Wallet.Available.Value);
        return Replies.Json(
            new OperatorReply(WalletReply.Of(views[0].Wallet), available, wallets, ToReply(Totals.Sum(views.Select(v => v.Totals)), views.Length > 1)),
            ApiJson.Default.OperatorReply);
    }

    private static async Task<IResult> AssignAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.IdRequest);
        var wallet = await call.Partitions.First.QueryAsync(ledger => ledger.OperatorWallet.Id);
        return await DepositRoutes.AssignAsync(call, Call.ParseId(request.Id), wallet, AddressPurpose.OperatorTopUp);
    }

    private static async Task<IResult> ConfirmClockAsync(Call call)
    {
        var confirmed = await call.Partitions.ConfirmClockAsync();
        var time = await call.Partitions.First.QueryAsync(ledger => ledger.Time);
        if (!confirmed) return new Problem(ProblemType.ClockBehind) { Detail = $"The ledger's time is {time}." };
        return Replies.Json(new ClockReply(time.ToString()), ApiJson.Default.ClockReply);
    }

    private static async Task<IResult> RescanAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.RescanRequest);
        var from = await call.Engine.RescanAsync(request.FromHeight, call.Http.RequestAborted)
            ?? throw new ProblemException(ProblemType.NumberOutOfRange, "fromHeight");
        return Replies.Json(new RescanReply(from), ApiJson.Default.RescanReply);
    }

    private static TotalsReply ToReply(Totals t, bool hasLegs) => new(
        t.Available, t.Held, t.Frozen, t.Suspense, t.Owed, t.Deposited, t.ToppedUp, t.Reversed, t.Withdrawn, t.MiningFees,
        t.Inside, t.FromBitcoin, hasLegs ? -t.FromPartitions : null, t.IsConserved);
}
