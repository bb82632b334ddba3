// What anybody may ask: what the log commits to, and how this API is used.

using System.Text;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Bitcache.Server.Api;

internal static class PublicRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/checkpoint", Scopes.None, "The newest signed checkpoint of the log", GetCheckpointAsync) with { AsksSettlement = true },
        Route.Get("/v1/pins", Scopes.None, "What an auditor writes down once: the log's key, the anchor script, the first anchor", GetPinsAsync) with { AsksSettlement = true },
        Route.Get(OpenApi.Path, Scopes.None, "This description", OpenApi.GetAsync),
    ];

    private static Task<IResult> GetCheckpointAsync(Call call) => Task.FromResult<IResult>(Text(call.Engine.Checkpoint, "text/plain"));

    public static async Task<IResult> GetPinsAsync(Call call) => Text((await call.Engine.PinsAsync()).Write(), "application/json");

    private static ContentHttpResult Text(string text, string type) => TypedResults.Text(text, type, Encoding.UTF8);
}
