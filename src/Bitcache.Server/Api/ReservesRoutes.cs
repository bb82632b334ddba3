// Proofs that the operator has the keys of an epoch's coins: made on the operator's word, by the node's wallet and whoever else
// has keys. What is published of them is among the epoch's files.

using Bitcache.Core;
using Bitcache.Engine.Settlement;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="State">proven once every coin is signed, and reserves.psbt published; unsigned before.</param>
/// <param name="Message">What the signatures commit to.</param>
/// <param name="TotalSat">What the coins are worth.</param>
/// <param name="Unsigned">How many of them wait for their signatures.</param>
/// <param name="Psbt">What is to be signed elsewhere, in base64 (BIP-174): after the node's wallet was asked to sign, if coins are
/// left.</param>
public sealed record ReservesProofReply(long Epoch, string State, string Message, int Coins, long TotalSat, int Unsigned, string? Psbt = null);

/// <param name="Psbts">Signed, in base64. Cosigners of one coin hand theirs in together.</param>
public sealed record ReservesSignedRequest(IReadOnlyList<string> Psbts);

internal static class ReservesRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/operator/reserves/{epoch}", Scopes.Admin | Scopes.Audit, "How far the proof of an epoch's reserves is", FindAsync) with
        {
            Response = ApiJson.Default.ReservesProofReply,
        },
        Route.Post("/v1/operator/reserves/{epoch}/sign", Scopes.Admin, "Have the node's wallet sign for an epoch's coins", SignAsync) with
        {
            Response = ApiJson.Default.ReservesProofReply,
        },
        Route.Post("/v1/operator/reserves/{epoch}/signed", Scopes.Admin, "Hand back what others signed for an epoch's coins", TakeAsync) with
        {
            Request = ApiJson.Default.ReservesSignedRequest,
            Response = ApiJson.Default.ReservesProofReply,
        },
    ];

    private static async Task<IResult> FindAsync(Call call) => ToReply(await call.Engine.FindReservesProofAsync(Epoch(call), call.Http.RequestAborted));

    private static async Task<IResult> SignAsync(Call call) => ToReply(await call.Engine.SignReservesAsync(Epoch(call), call.Http.RequestAborted));

    private static async Task<IResult> TakeAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.ReservesSignedRequest, Limits.ReservesBodyBytesMax);
        for (var i = 0; i < request.Psbts.Count; i++)
        {
            if (request.Psbts[i] is null) throw new ProblemException(ProblemType.WrongType, $"psbts[{i}]");
        }
        if (request.Psbts.Count is 0 or > Limits.ReservesPartsMax) throw new ProblemException(ProblemType.MalformedPsbt, "psbts");
        return ToReply(await call.Engine.TakeReservesAsync(Epoch(call), request.Psbts, call.Http.RequestAborted));
    }

    private static long Epoch(Call call) => call.NumberInPath("epoch") ?? 0;

    private static IResult ToReply(Proving proving) => proving.Outcome switch
    {
        ProvingOutcome.Proven => Replies.Json(ToReply(proving.Proof!, "proven", null), ApiJson.Default.ReservesProofReply),
        ProvingOutcome.Unsigned => Replies.Json(ToReply(proving.Proof!, "unsigned", proving.Psbt), ApiJson.Default.ReservesProofReply),
        ProvingOutcome.NotStated or ProvingOutcome.None => new Problem(ProblemType.EpochNotStated),
        ProvingOutcome.TooManyCoins => new Problem(ProblemType.TooManyCoins),
        ProvingOutcome.Malformed => new Problem(ProblemType.MalformedPsbt) { Member = "psbts", Detail = proving.Detail },
        ProvingOutcome.Other => new Problem(ProblemType.OtherTransaction) { Detail = proving.Detail },
        ProvingOutcome.SignatureFalse => new Problem(ProblemType.SignatureFalse) { Detail = proving.Detail },
    };

    private static ReservesProofReply ToReply(Core.Audit.ReservesProof proof, string state, string? psbt)
    {
        var reserves = proof.Reserves;
        return new ReservesProofReply(reserves.Epoch, state, reserves.Message, reserves.Coins.Count, reserves.Total.Value, proof.Missing.Count(), psbt);
    }
}
