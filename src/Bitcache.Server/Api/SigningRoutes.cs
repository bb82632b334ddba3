// Transactions that are signed elsewhere, where the node's wallet has no private keys (setting externalSigner).

using Bitcache.Core;
using Bitcache.Engine.Settlement;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Partition">Whose withdrawals it pays; families are numbered there.</param>
/// <param name="FeeSat">What it would pay for mining.</param>
/// <param name="Epoch">The epoch that it anchors, if it does.</param>
/// <param name="Psbt">To be signed: BIP-174, in base64.</param>
public sealed record SigningReply(string Txid, int Partition, long Family, int Attempt, long FeeSat, int Withdrawals, long? Epoch, string Psbt);

/// <param name="Psbt">With all signatures: BIP-174, in base64.</param>
public sealed record SignedRequest(string Psbt);

/// <param name="State">Always taken: it is sent at once, and again until it is in a block.</param>
public sealed record SignedReply(string Txid, string State);

internal static class SigningRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/operator/signing", Scopes.Admin | Scopes.Audit, "Transactions that wait for their signer", ListAsync) with
        {
            Response = ApiJson.Default.PageSigningReply,
            Query = Replies.Paging,
        },
        Route.Post("/v1/operator/signing/{txid}", Scopes.Admin, "Hand back a transaction that is signed", TakeAsync) with
        {
            Request = ApiJson.Default.SignedRequest,
            Response = ApiJson.Default.SignedReply,
        },
    ];

    private static async Task<IResult> ListAsync(Call call) =>
        Replies.Json(Replies.Page(call, await call.Engine.ListSigningAsync(), ToReply), ApiJson.Default.PageSigningReply);

    private static async Task<IResult> TakeAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.SignedRequest, Limits.SignedBodyBytesMax);
        if (!Txid.TryParse((string)call.Http.Request.RouteValues["txid"]!, out var txid)) throw new ProblemException(ProblemType.SigningNotFound);
        return await call.Engine.TakeSignedAsync(txid, request.Psbt, call.Http.RequestAborted) switch
        {
            SignedOutcome.Taken or SignedOutcome.TakenBefore => Replies.Json(new SignedReply(txid.ToString(), "taken"), ApiJson.Default.SignedReply),
            SignedOutcome.NotSigned => new Problem(ProblemType.SignaturesMissing),
            SignedOutcome.Malformed => new Problem(ProblemType.MalformedPsbt) { Member = "psbt" },
            SignedOutcome.Other => new Problem(ProblemType.OtherTransaction),
            SignedOutcome.Stopped => new Problem(ProblemType.WithdrawalsStopped),
            SignedOutcome.NotFound or SignedOutcome.None => new Problem(ProblemType.SigningNotFound),
        };
    }

    private static SigningReply ToReply(SigningRequest request)
    {
        var (family, prepared) = (request.Family, request.Prepared);
        return new SigningReply(
            prepared.Txid.ToString(), request.Partition, family.Number, prepared.Number, prepared.Fee.Value, family.Withdrawals.Count,
            family.Anchor?.Epoch, Convert.ToBase64String(prepared.Psbt.Span));
    }
}
