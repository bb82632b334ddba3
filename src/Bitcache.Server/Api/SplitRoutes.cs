// Splits: one payer, several payees, all or nothing. Each part has a sequence and a receipt of its own.

using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Code">A number of the payer's choice; 0 if absent.</param>
/// <param name="Reference">At most 64 bytes of UTF-8 of the payer's choice, without control characters.</param>
public sealed record SplitPartRequest(string Payee, long AmountMsat, uint? Code = null, string? Reference = null);

/// <param name="Parts">From 1 to 64, each to another payee.</param>
public sealed record SplitRequest(string Id, string Payer, IReadOnlyList<SplitPartRequest> Parts);

/// <param name="Sequence">The part's own; absent for a refusal, which is one entry.</param>
/// <param name="FeeMsat">What the payer paid on top of this part; absent where there is none.</param>
/// <param name="PayeeWallet">The payee as it is now, if the caller may see it.</param>
public sealed record SplitPartReply(
    string Payee, long AmountMsat, uint Code, string Reference, long? Sequence, long? FeeMsat, WalletReply? PayeeWallet);

/// <param name="Outcome">accepted, or the code of the problem for which it was refused.</param>
/// <param name="Sequence">Of the first part, or of the refusal.</param>
/// <param name="AmountMsat">The sum of the parts.</param>
/// <param name="FeeMsat">The sum of their fees; absent where there are none.</param>
public sealed record SplitReply(
    string Id, string Outcome, long Sequence, string Time, string Payer, long AmountMsat, long? FeeMsat,
    IReadOnlyList<SplitPartReply> Parts, WalletReply? PayerWallet);

internal static class SplitRoutes
{
    private const string PartQuery = "part";

    public static Route[] All =>
    [
        Route.Post("/v1/splits", Scopes.Pay, "Pay several payees at once, or none", PayAsync) with
        {
            Request = ApiJson.Default.SplitRequest,
            Response = ApiJson.Default.SplitReply,
        },
        Route.Get("/v1/wallets/{wallet}/splits/{id}", Scopes.Read | Scopes.Audit, "A split that this wallet paid", GetAsync) with
        {
            Response = ApiJson.Default.SplitReply,
        },
        Route.Get("/v1/wallets/{wallet}/splits/{id}/receipt", Scopes.Read | Scopes.Audit, "The receipt of one part of a split that this wallet paid", GetReceiptAsync) with
        {
            Response = ApiJson.Default.ReceiptReply,
            Query = [PartQuery],
        },
    ];

    private static async Task<IResult> PayAsync(Call call)
    {
        var split = ToSplit(await call.BodyAsync(ApiJson.Default.SplitRequest));
        var answer = await call.Partitions.SubmitAsync(split, call.Principal.Tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        return Replies.Done(answer, ToReply(call, answer.Entry!, answer.Owner, answer.Payees), ApiJson.Default.SplitReply);
    }

    private static async Task<IResult> GetAsync(Call call)
    {
        var entry = await TransferRoutes.FindAsync<Split>(call, ProblemType.SplitNotFound);
        var split = (Split)entry.Command;
        WalletId[] named = [split.Payer, .. split.Parts.Select(part => part.Payee)];
        var wallets = await call.Partitions.QueryEachAsync(named, wallet => wallet, (ledger, wallet) => ledger.FindWallet(wallet));
        return Replies.Json(ToReply(call, entry, wallets[0], wallets[1..]), ApiJson.Default.SplitReply);
    }

    private static async Task<IResult> GetReceiptAsync(Call call)
    {
        var part = call.NumberInQuery(PartQuery) ?? 0;
        var entry = await TransferRoutes.FindAsync<Split>(call, ProblemType.SplitNotFound);
        if (part >= ((Split)entry.Command).Parts.Count) throw new ProblemException(ProblemType.MalformedParameter, PartQuery);
        return await TransferRoutes.ReceiptAsync(call, entry, entry.Sequence + part);
    }

    private static Split ToSplit(SplitRequest request)
    {
        if (request.Parts.Count is < 1 or > Limits.SplitPayeesMax) throw new ProblemException(ProblemType.PartsOutOfRange, "parts");
        var split = new Split(Call.ParseId(request.Id), Call.ParseWallet(request.Payer, "payer"), [.. request.Parts.Select(ToPart)]);
        var isMoney = split.Parts.Aggregate((Int128)0, (sum, part) => sum + part.Amount.Value) <= Limits.SupplyMsatMax;
        return isMoney ? split : throw new ProblemException(ProblemType.AmountOutOfRange, "parts");
    }

    private static SplitPart ToPart(SplitPartRequest? part, int index)
    {
        string Member(string name) => $"parts[{index}].{name}";
        // The type says that there is none, but the reader does not look into lists for that.
        if (part is null) throw new ProblemException(ProblemType.WrongType, $"parts[{index}]");
        return new SplitPart(
            Call.ParseWallet(part.Payee, Member("payee")), PaymentRequests.ParseAmount(part.AmountMsat, Member("amountMsat")), part.Code ?? 0,
            PaymentRequests.ParseReference(part.Reference, Member("reference")), ClientIds.DrawSalt());
    }

    private static SplitReply ToReply(Call call, Entry entry, Wallet? payer, IReadOnlyList<Wallet?> payees)
    {
        var split = (Split)entry.Command;
        var isPaid = entry.Outcome == Outcome.Accepted;
        return new SplitReply(
            split.Id.ToString(), ProblemType.Of(entry.Outcome)?.Code ?? PaymentReplies.Accepted, entry.Sequence, entry.Time.ToString(),
            split.Payer.ToString(), split.Parts.Sum(part => part.Amount.Value),
            entry.PartFees.Sum(fee => fee.Value) is var fees and > 0 ? fees : null,
            [.. split.Parts.Select((part, i) => new SplitPartReply(
                part.Payee.ToString(), part.Amount.Value, part.Code, part.Reference.ToUtf8(), isPaid ? entry.Sequence + i : null,
                isPaid ? PaymentReplies.MoreThanNothing(entry.PartFees[i]) : null, PaymentReplies.Show(call, payees[i])))],
            PaymentReplies.Show(call, payer));
    }
}
