// Epochs: where the books are closed, and the Bitcoin transactions that fix them.

using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="TreeSize">The log's size behind the epoch's cut; absent while the log is not cut there.</param>
/// <param name="Anchor">The transaction that covers the epoch; absent while none is signed.</param>
public sealed record EpochReply(long Epoch, string Closed, long? TreeSize, AnchorReply? Anchor = null);

/// <param name="Epoch">The newest epoch that the same transaction covers.</param>
/// <param name="State">broadcast, confirmed or final.</param>
/// <param name="Txid">The transaction that anchors it; rely on it once it is confirmed.</param>
public sealed record AnchorReply(long Epoch, long TreeSize, string Root, string State, string Txid, string? Block = null, long? Height = null);

internal static class EpochRoutes
{
    private const Scopes Readers = Scopes.Read | Scopes.Admin | Scopes.Audit;

    public static Route[] All =>
    [
        Route.Post("/v1/epochs", Scopes.Admin, "Close the epoch now", CloseAsync) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.EpochReply,
            HasSteps = true,
        },
        Route.Get("/v1/epochs", Readers, "Closed epochs, newest first", ListAsync) with
        {
            Response = ApiJson.Default.PageEpochReply,
            Query = Replies.Paging,
        },
        Route.Get("/v1/epochs/{epoch}", Readers, "A closed epoch", GetAsync) with { Response = ApiJson.Default.EpochReply },
    ];

    private static async Task<IResult> CloseAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.IdRequest);
        var answer = await call.Engine.CloseEpochAsync(Call.ParseId(request.Id), call.Http.RequestAborted);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var number = ((EpochCut)answer.Entry!.Command).Epoch;
        var (epochs, families) = await AskAsync(call);
        return Replies.Done(answer, ToReply(epochs[(int)number - 1], families), ApiJson.Default.EpochReply);
    }

    private static async Task<IResult> ListAsync(Call call)
    {
        var (epochs, families) = await AskAsync(call);
        return Replies.Json(Replies.Page(call, epochs, e => ToReply(e, families)), ApiJson.Default.PageEpochReply);
    }

    private static async Task<IResult> GetAsync(Call call)
    {
        var number = call.NumberInPath("epoch") ?? 0;
        var (epochs, families) = await AskAsync(call);
        return number < 1 || number > epochs.Count
            ? throw new ProblemException(ProblemType.EpochNotFound)
            : Replies.Json(ToReply(epochs[(int)number - 1], families), ApiJson.Default.EpochReply);
    }

    private static async Task<(IReadOnlyList<(Epoch Epoch, long? TreeSize)> Epochs, IReadOnlyList<Family> Families)> AskAsync(Call call) =>
        (await call.Engine.EpochsAsync(), await call.Partitions.First.QueryAsync(ledger => ledger.Families()));

    /// <summary>An anchor covers its own epoch and the ones before it that had none.</summary>
    private static EpochReply ToReply((Epoch Epoch, long? TreeSize) closed, IReadOnlyList<Family> families)
    {
        var epoch = closed.Epoch;
        var family = families.FirstOrDefault(f =>
            f.Anchor?.Epoch >= epoch.Number && f.State is FamilyState.Signed or FamilyState.Confirmed or FamilyState.Final);
        return new EpochReply(epoch.Number, epoch.Closed.ToString(), closed.TreeSize, family is null ? null : ToReply(family, family.Anchor!));
    }

    private static AnchorReply ToReply(Family family, AnchorTerms anchor)
    {
        var confirmed = family.Confirmation;
        var attempt = confirmed is null ? family.Attempts[^1] : family.Attempts[confirmed.Attempt - 1];
        return new AnchorReply(
            anchor.Epoch, anchor.TreeSize, anchor.Root.ToString(),
            family.State switch
            {
                FamilyState.Signed => "broadcast",
                FamilyState.Confirmed => "confirmed",
                FamilyState.Final => "final",
                FamilyState.None or FamilyState.Opened or FamilyState.Abandoned or FamilyState.Dead =>
                    throw new InvalidOperationException($"an anchor in a family that is {family.State}"),
            },
            attempt.Txid.ToString(), confirmed?.Block.ToString(), confirmed?.Height);
    }
}
