// The log as C2SP tlog-tiles publishes it, under the paths that its clients know. Its hashes are for anybody; the entries
// under them are the customers' affairs, and are for auditors.

using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Bitcache.Server.Api;

/// <param name="Vkey">The key that signs from now on.</param>
/// <param name="OldVkey">The key that signed until now, and says so.</param>
/// <param name="Note">The old key's word on it, as a signed note.</param>
public sealed record KeyRotationReply(string Vkey, string OldVkey, string Note, long Sequence, string Time);

internal static class LogRoutes
{
    private const string OctetStream = "application/octet-stream";

    // A tile never changes. One that is not full yet is soon replaced by a wider one, which nobody wants to keep.
    private const string FullForYear = "max-age=31536000, immutable";
    private const string PartialForHour = "max-age=3600, immutable";

    public static Route[] All =>
    [
        Route.Get("/checkpoint", Scopes.None, "The newest signed checkpoint of the log", GetCheckpointAsync),
        Route.Get("/vkey", Scopes.None, "The key that checkpoints are verified with", GetVerifierKeyAsync),
        Route.Get("/rotations", Scopes.None, "How the log's key is followed from the one that was pinned: each in its turn names the next", GetRotationsAsync),
        Route.Get("/pins.json", Scopes.None, "What an auditor writes down once", PublicRoutes.GetPinsAsync),
        Route.Get("/tile/{level}/{**number}", Scopes.None, "Hashes of the log, as a tile: number is x001/x234/067, or 000.p/17 for a partial one", GetTileAsync),
        Route.Get("/tile/entries/{**number}", Scopes.Audit, "Entries of the log, as a bundle; number as for tiles", GetBundleAsync),
        Route.Post("/v1/operator/checkpoint-key:rotate", Scopes.Admin, "Have another key sign checkpoints from now on", RotateAsync) with
        {
            Request = ApiJson.Default.IdRequest,
            Response = ApiJson.Default.KeyRotationReply,
            HasSteps = true,
        },
    ];

    private static Task<IResult> GetCheckpointAsync(Call call) => call.Engine.Checkpoint is { Length: > 0 } note
        ? Task.FromResult<IResult>(Text(note))
        : throw new ProblemException(ProblemType.CheckpointNotReady);

    private static Task<IResult> GetVerifierKeyAsync(Call call) => Task.FromResult<IResult>(Text($"{call.Engine.Verifier}\n"));

    private static Task<IResult> GetRotationsAsync(Call call) => Task.FromResult<IResult>(Text(call.Engine.KeyRotations));

    private static ContentHttpResult Text(string text) => TypedResults.Text(text, "text/plain", Encoding.UTF8);

    private static async Task<IResult> RotateAsync(Call call)
    {
        var id = Call.ParseId((await call.BodyAsync(ApiJson.Default.IdRequest)).Id);
        var answer = await call.Engine.RotateCheckpointKeyAsync(id, call.Http.RequestAborted);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var done = (RotateKey)answer.Entry!.Command;
        var rotation = KeyRotation.Read(call.Engine.Verifier.Name, done.OldKey.Span, done.NewKey.Span, done.Signature.Span)!;
        return Replies.Done(
            answer, new KeyRotationReply(rotation.New.ToString(), rotation.Old.ToString(), rotation.Note, answer.Entry.Sequence, answer.Entry.Time.ToString()),
            ApiJson.Default.KeyRotationReply);
    }

    private static Task<IResult> GetTileAsync(Call call) => GetAsync(call, bundle: false);

    private static Task<IResult> GetBundleAsync(Call call) => GetAsync(call, bundle: true);

    /// <param name="bundle">What the route's scopes are for: whatever path comes in, it gives nothing else.</param>
    private static Task<IResult> GetAsync(Call call, bool bundle)
    {
        if (!LogTile.TryParse(call.Http.Request.Path.Value![1..], out var tile) || tile.IsBundle != bundle || call.Engine.FindTile(tile) is not { } bytes)
            throw new ProblemException(ProblemType.TileNotFound);
        call.Http.Response.Headers.CacheControl = $"{(bundle ? "private" : "public")}, {(tile.IsPartial ? PartialForHour : FullForYear)}";
        return Task.FromResult<IResult>(TypedResults.Bytes(bytes, OctetStream));
    }
}
