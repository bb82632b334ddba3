// The log as C2SP tlog-tiles publishes it, under the paths that its clients know. Its hashes are for anybody; the entries
// under them are the customers' affairs, and are for auditors.

using System.Text;
using Bitcache.Core.Audit;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

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
        Route.Get("/pins.json", Scopes.None, "What an auditor writes down once", PublicRoutes.GetPinsAsync),
        Route.Get("/tile/{level}/{**number}", Scopes.None, "Hashes of the log, as a tile: number is x001/x234/067, or 000.p/17 for a partial one", GetTileAsync),
        Route.Get("/tile/entries/{**number}", Scopes.Audit, "Entries of the log, as a bundle; number as for tiles", GetBundleAsync),
    ];

    private static Task<IResult> GetCheckpointAsync(Call call) => call.Engine.Checkpoint is { Length: > 0 } note
        ? Task.FromResult<IResult>(TypedResults.Text(note, "text/plain", Encoding.UTF8))
        : throw new ProblemException(ProblemType.CheckpointNotReady);

    private static Task<IResult> GetVerifierKeyAsync(Call call) =>
        Task.FromResult<IResult>(TypedResults.Text($"{call.Engine.Verifier}\n", "text/plain", Encoding.UTF8));

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
