// Epochs: where the books are closed, and the Bitcoin transactions that fix them.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="TreeSize">The log's size behind the epoch's cut; absent while the log is not cut there.</param>
/// <param name="Anchor">The transaction that covers the epoch; absent while none is signed.</param>
/// <param name="Statement">What is owed and what there is; absent while the books are being closed, and for ever where they could
/// not be: then an epoch with a statement follows.</param>
public sealed record EpochReply(long Epoch, string Closed, long? TreeSize, AnchorReply? Anchor = null, StatementReply? Statement = null);

/// <param name="Sequence">Of the entry that states it, in the first partition.</param>
/// <param name="Block">The block at which all of it was true.</param>
/// <param name="TotalMsat">All that is owed.</param>
/// <param name="LiabilitiesRoot">Of the tree in which each wallet finds its balance.</param>
/// <param name="WithdrawalsHash">SHA-256 of the list of withdrawals that were paid by that block and are not owed.</param>
/// <param name="ReservesHash">SHA-256 of the list of coins.</param>
public sealed record StatementReply(
    long Sequence, string Block, long Height, long TotalMsat, string LiabilitiesRoot, string WithdrawalsHash, string ReservesHash);

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
        var epoch = await call.Engine.FindEpochAsync(number);
        return Replies.Done(answer, (await ToRepliesAsync(call, [epoch!]))[0], ApiJson.Default.EpochReply);
    }

    private static async Task<IResult> ListAsync(Call call)
    {
        var epochs = await call.Engine.EpochsAsync(Replies.Before(call), Replies.Limit(call));
        return Replies.Json(new Page<EpochReply>(await ToRepliesAsync(call, epochs.Items), epochs.Next), ApiJson.Default.PageEpochReply);
    }

    private static async Task<IResult> GetAsync(Call call)
    {
        var epoch = await call.Engine.FindEpochAsync(call.NumberInPath("epoch") ?? 0) ?? throw new ProblemException(ProblemType.EpochNotFound);
        return Replies.Json((await ToRepliesAsync(call, [epoch]))[0], ApiJson.Default.EpochReply);
    }

    /// <summary>An anchor covers its own epoch and the ones before it that had none.</summary>
    private static async Task<EpochReply[]> ToRepliesAsync(Call call, IReadOnlyList<ClosedEpoch> closed)
    {
        var families = await call.Partitions.First.QueryAsync(ledger => closed.Select(c => ledger.FindAnchorOf(c.Epoch.Number)).ToArray());
        return [.. closed.Zip(families, (c, family) => new EpochReply(
            c.Epoch.Number, c.Epoch.Closed.ToString(), c.TreeSize, family is null ? null : ToReply(family, family.Anchor!),
            c.Epoch.Statement is { } statement ? ToReply(c.Epoch.Stated, statement) : null))];
    }

    private static StatementReply ToReply(long sequence, EpochStatement statement) => new(
        sequence, statement.Block.ToString(), statement.Height, statement.Total.Value, statement.LiabilitiesRoot.ToString(),
        statement.WithdrawalsHash.ToString(), statement.ReservesHash.ToString());

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
