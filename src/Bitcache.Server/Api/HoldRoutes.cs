// Holds: money set aside for a payee. Payer and payee both see them; what acts on one may come from either side.

using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>A hold as it is now.</summary>
/// <param name="State">open, closed or refused.</param>
/// <param name="Outcome">accepted, or the code of the problem for which it was refused.</param>
/// <param name="AmountMsat">What was set aside when it was placed; absent in lists.</param>
/// <param name="LeftMsat">What may still be captured; absent once it is closed.</param>
/// <param name="FeeLeftMsat">What is still set aside for fees; for the payer's owner only.</param>
/// <param name="Sequence">Of the entry that placed it.</param>
public sealed record HoldReply(
    string Id, string State, string? Outcome, long Sequence, string? Time, string Payer, string Payee, long? AmountMsat, long? LeftMsat,
    long? FeeLeftMsat, string Expires, uint? Code, string? Reference);

internal static class HoldRoutes
{
    /// <summary>A place in a list of holds: the partition above so many bits of sequence. With one partition it is the sequence,
    /// and with all that there may be it stays below 2^53, up to which every client's numbers are exact.</summary>
    internal const int PlaceBits = 47;

    public static Route[] All =>
    [
        Route.Post("/v1/holds", Scopes.Pay, "Set money aside for a payee", PlaceAsync) with
        {
            Request = ApiJson.Default.HoldRequest,
            Response = ApiJson.Default.PaymentReply,
        },
        Route.Post("/v1/holds:capture", Scopes.Pay, "Pay the payee out of a hold", CaptureAsync) with
        {
            Request = ApiJson.Default.CaptureRequest,
            Response = ApiJson.Default.PaymentReply,
        },
        Route.Post("/v1/holds:release", Scopes.Pay, "Give what is left of a hold back to the payer", ReleaseAsync) with
        {
            Request = ApiJson.Default.ReleaseRequest,
            Response = ApiJson.Default.PaymentReply,
        },
        Route.Get("/v1/wallets/{wallet}/holds", Scopes.Read | Scopes.Audit, "The open holds on either side of a wallet", ListAsync) with
        {
            Response = ApiJson.Default.PageHoldReply,
            Query = Replies.Paging,
        },
        Route.Get("/v1/wallets/{wallet}/holds/{id}", Scopes.Read | Scopes.Audit, "A hold that this wallet is the payer of", GetAsync) with
        {
            Response = ApiJson.Default.HoldReply,
        },
    ];

    private static async Task<IResult> PlaceAsync(Call call) =>
        await PaymentReplies.SubmitAsync(call, PaymentRequests.ToPayment(await call.BodyAsync(ApiJson.Default.HoldRequest)));

    private static async Task<IResult> CaptureAsync(Call call) =>
        await PaymentReplies.SubmitAsync(call, PaymentRequests.ToPayment(await call.BodyAsync(ApiJson.Default.CaptureRequest)));

    private static async Task<IResult> ReleaseAsync(Call call) =>
        await PaymentReplies.SubmitAsync(call, PaymentRequests.ToPayment(await call.BodyAsync(ApiJson.Default.ReleaseRequest)));

    private static async Task<IResult> ListAsync(Call call)
    {
        var (before, limit) = (call.NumberInQuery("before") ?? long.MaxValue, Replies.Limit(call));
        var wallet = await call.AskAsync((_, wallet) => wallet.Id);
        var holds = new List<(long Place, OpenHold Hold)>();
        // A hold stands where its payer lives: those that pay this wallet may be in any partition.
        for (var partition = (int)Math.Min(before >> PlaceBits, call.Partitions.Count - 1); partition >= 0 && holds.Count <= limit; partition--)
        {
            var first = (long)partition << PlaceBits;
            var end = Math.Min(before - first, 1L << PlaceBits);
            var more = await call.Partitions[partition].QueryAsync(ledger => ledger.HoldsOf(wallet, end, limit + 1 - holds.Count));
            holds.AddRange(more.Select(hold => (first | hold.Sequence, hold)));
        }
        var items = holds.Take(limit).Select(h => ToReply(h.Hold, isPayers: h.Hold.Payer == wallet)).ToArray();
        return Replies.Json(new Page<HoldReply>(items, holds.Count > limit ? holds[limit - 1].Place : null), ApiJson.Default.PageHoldReply);
    }

    /// <summary>Either side may ask. Everybody else is told what he would be told of a wallet that is not there. For ids
    /// that the ledger has forgotten only the payer's owner has the journal searched: anybody else could name any wallet,
    /// and each search costs reads.</summary>
    private static async Task<IResult> GetAsync(Call call)
    {
        var (id, payer) = (call.IdInPath, call.WalletInPath);
        var home = call.Partitions.HomeOf(payer);
        var (wallet, open, known, floor) = await home.QueryAsync(ledger =>
            (ledger.FindWallet(payer), ledger.FindHold(payer, id), ledger.FindId(payer, id), ledger.Floor));
        var isPayers = wallet is { } found && call.Principal.MaySee(found);
        var sequence = open?.Sequence ?? known ?? (isPayers && id.Time < floor ? home.FindForgottenId(payer, id) : null);
        var entry = sequence is null ? null : home.ReadEntry(sequence.Value);
        var placed = entry?.Command as PlaceHold;
        if (!isPayers && !(placed is not null && await IsPayeesAsync(call, placed))) return new Problem(ProblemType.WalletNotFound);
        return placed is null ? new Problem(ProblemType.HoldUnknown) : Replies.Json(ToReply(entry!, placed, open, isPayers), ApiJson.Default.HoldReply);
    }

    private static async Task<bool> IsPayeesAsync(Call call, PlaceHold hold) =>
        await call.FindAsync(hold.Payee) is { } payee && call.Principal.MaySee(payee);

    private static HoldReply ToReply(Entry entry, PlaceHold placed, OpenHold? open, bool isPayers) => new(
        placed.Id.ToString(), entry.Outcome != Outcome.Accepted ? "refused" : open is null ? "closed" : "open",
        ProblemType.Of(entry.Outcome)?.Code ?? PaymentReplies.Accepted, entry.Sequence, entry.Time.ToString(),
        placed.Payer.ToString(), placed.Payee.ToString(), placed.Amount.Value, open?.Left.Value,
        isPayers && open is { } hold ? PaymentReplies.MoreThanNothing(hold.FeeLeft) : null,
        placed.Expires.ToString(), placed.Code, placed.Reference.ToUtf8());

    private static HoldReply ToReply(OpenHold hold, bool isPayers) => new(
        hold.Id.ToString(), "open", null, hold.Sequence, null, hold.Payer.ToString(), hold.Payee.ToString(), null, hold.Left.Value,
        isPayers ? PaymentReplies.MoreThanNothing(hold.FeeLeft) : null, hold.Expires.ToString(), null, null);
}
