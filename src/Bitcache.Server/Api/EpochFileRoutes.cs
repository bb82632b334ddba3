// What is published of epochs, under the names of an exported folder. Who has how much is for auditors alone.

using Bitcache.Engine.Settlement;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Bitcache.Server.Api;

internal static class EpochFileRoutes
{
    private const string OctetStream = "application/octet-stream";

    public static Route[] All =>
    [
        Route.Get("/epochs/index.json", Scopes.None, "The epochs about which something was stated, and how far their anchors are", GetIndexAsync),
        Route.Get("/epochs/{epoch}/{name}", Scopes.None, "A published file of an epoch", GetPublicAsync),
        Route.Get("/epochs/{epoch}/allocation.csv", Scopes.Audit, "How the balances of an epoch are arranged in its tree", call => GetForAuditorsAsync(call, EpochFolder.AllocationName)),
        Route.Get("/epochs/{epoch}/keys.csv", Scopes.Audit, "The keys that open its leaves", call => GetForAuditorsAsync(call, EpochFolder.KeysName)),
    ];

    private static async Task<IResult> GetIndexAsync(Call call) => TypedResults.Bytes(await call.Engine.EpochIndexAsync(), "application/json");

    private static Task<IResult> GetPublicAsync(Call call) =>
        call.Http.GetRouteValue("name") is string name && EpochPublication.PublicNames.Contains(name) ? GetAsync(call, name) : throw new ProblemException(ProblemType.EpochFileNotFound);

    private static Task<IResult> GetForAuditorsAsync(Call call, string name) => GetAsync(call, name);

    private static async Task<IResult> GetAsync(Call call, string name)
    {
        if (await call.Engine.FindEpochFileAsync(call.NumberInPath("epoch") ?? 0, name) is not { } file) throw new ProblemException(ProblemType.EpochFileNotFound);
        return file.Path is { } path ? TypedResults.PhysicalFile(path, OctetStream) : TypedResults.Bytes(file.Bytes!, OctetStream);
    }
}
