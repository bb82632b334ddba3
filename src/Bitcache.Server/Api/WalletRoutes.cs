using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

internal static class WalletRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/wallets", Scopes.Pay, "Make a wallet", CreateAsync) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.WalletReply,
        },
        Route.Get("/v1/wallets/{wallet}", Scopes.Read | Scopes.Audit, "A wallet's balances", GetAsync) with
        {
            Response = ApiJson.Default.WalletReply,
        },
    ];

    private static async Task<IResult> CreateAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.IdRequest);
        var tenant = call.Principal.Tenant;
        var answer = await call.Partitions.CreateWalletAsync(Call.ParseId(request.Id), tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        // A retry drew an id of its own, which nobody needs: the wallet is the one of the first time.
        var wallet = answer.Owner ?? (await call.FindAsync(((CreateWallet)answer.Entry!.Command).Wallet))!.Value;
        return Replies.Done(answer, WalletReply.Of(wallet), ApiJson.Default.WalletReply);
    }

    private static async Task<IResult> GetAsync(Call call) =>
        Replies.Json(await call.AskAsync((_, wallet) => WalletReply.Of(wallet)), ApiJson.Default.WalletReply);
}
