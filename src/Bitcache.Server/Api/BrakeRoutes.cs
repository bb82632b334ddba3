// The operator's brakes on what leaves: all withdrawals stopped, and large ones held back until a second person approves them.
// A person is a key here: whoever approves needs a key of scope admin other than the one that asked.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Stopped">What was set: whether withdrawals are stopped.</param>
/// <param name="Sequence">The entry's place in the ledger.</param>
public sealed record StopReply(bool Stopped, long Sequence, string Time);

/// <param name="Waiting">How many withdrawals wait for approval.</param>
/// <param name="Items">Of each partition the oldest, at most 200 of them.</param>
public sealed record ApprovalsReply(int Waiting, IReadOnlyList<WithdrawalReply> Items);

internal static class BrakeRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/operator/withdrawals:stop", Scopes.Admin, "Stop all withdrawals", call => StopAsync(call, true)) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.StopReply,
            HasSteps = true,
            AsksSettlement = true,
        },
        Route.Post("/v1/operator/withdrawals:resume", Scopes.Admin, "Let withdrawals go on", call => StopAsync(call, false)) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.StopReply,
            HasSteps = true,
            AsksSettlement = true,
        },
        Route.Get("/v1/operator/approvals", Scopes.Admin | Scopes.Audit, "Withdrawals that wait for a second person's approval, oldest first", ListAsync) with
        {
            Response = ApiJson.Default.ApprovalsReply,
        },
        Route.Post("/v1/wallets/{wallet}/withdrawals/{id}/approve", Scopes.Admin, "Approve a withdrawal that somebody else asked for", call => DecideAsync(call, true)) with
        {
            Response = ApiJson.Default.WithdrawalReply,
            HasSteps = true,
        },
        Route.Post("/v1/wallets/{wallet}/withdrawals/{id}/decline", Scopes.Admin, "Decline a withdrawal that waits for approval: its money goes back", call => DecideAsync(call, false)) with
        {
            Response = ApiJson.Default.WithdrawalReply,
            HasSteps = true,
        },
    ];

    /// <summary>A key as entries name it.</summary>
    public static ByteString NameOf(Principal principal)
    {
        var name = ByteString.FromUtf8(principal.KeyId);
        return name.Length <= Limits.KeyIdBytesMax ? name : new ByteString(SHA256.HashData(name.Span));
    }

    private static async Task<IResult> StopAsync(Call call, bool stopped)
    {
        var id = Call.ParseId((await call.BodyAsync(ApiJson.Default.IdRequest)).Id);
        var answer = await call.Partitions.StopWithdrawalsAsync(new StopWithdrawals(id, stopped));
        if (call.Refusal(answer) is { } refusal) return refusal;
        return Replies.Done(answer, new StopReply(stopped, answer.Entry!.Sequence, answer.Entry.Time.ToString()), ApiJson.Default.StopReply);
    }

    private static async Task<IResult> ListAsync(Call call)
    {
        var waiting = await call.Partitions.QueryAllAsync(ledger => ledger.AwaitingWithdrawals());
        var oldest = waiting.SelectMany(w => w).OrderBy(w => w.Requested.Milliseconds).Take(Limits.HistoryPageMax);
        var items = oldest.Select(w => WithdrawalRoutes.ToReply(w, call.Engine.Network));
        return Replies.Json(new ApprovalsReply(waiting.Sum(w => w.Count), [.. items]), ApiJson.Default.ApprovalsReply);
    }

    private static async Task<IResult> DecideAsync(Call call, bool approved)
    {
        var key = new WithdrawalKey(call.WalletInPath, call.IdInPath);
        var answer = await call.Partitions.SubmitAsync(new DecideWithdrawal(key.Id, key.Wallet, approved, NameOf(call.Principal)), call.Principal.Tenant);
        if (answer.Outcome != Outcome.Unchanged && call.Refusal(answer) is { } refusal) return refusal;
        var standing = await call.Partitions.HomeOf(key.Wallet).QueryAsync(ledger => WithdrawalRoutes.Find(ledger, key)!);
        return Replies.Json(WithdrawalRoutes.ToReply(standing, call.Engine.Network), ApiJson.Default.WithdrawalReply);
    }
}
