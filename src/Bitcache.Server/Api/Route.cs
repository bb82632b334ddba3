// The routes as data: what answers them, who may call them, and what the published description says of them. The
// tests take their matrix from this table, so that a new route is tested for keys and scopes without a new test.

using System.Text.Json.Serialization.Metadata;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Path">As a route pattern: <c>{wallet}</c> is a wallet, <c>{id}</c> a client-made id, <c>{**number}</c> all that follows.</param>
/// <param name="Scopes">The key must have one of these; <see cref="Keys.Scopes.None"/> for a public route.</param>
/// <param name="Summary">One line for the published description.</param>
internal sealed record Route(string Method, string Path, Scopes Scopes, string Summary, Func<Call, Task<IResult>> Handle)
{
    /// <summary>What the body must be; null for none.</summary>
    public JsonTypeInfo? Request { get; init; }

    /// <summary>What a good answer is; null for text.</summary>
    public JsonTypeInfo? Response { get; init; }

    /// <summary>The content types of many payments at once, each of which is answered in its own form; otherwise empty.</summary>
    public IReadOnlyList<string> BatchTypes { get; init; } = [];

    /// <summary>The parameters that the query may have, each a whole number.</summary>
    public IReadOnlyList<string> Query { get; init; } = [];

    /// <summary>Those that are text, and must be given.</summary>
    public IReadOnlyList<string> TextQuery { get; init; } = [];

    /// <summary>Whether the route does more than one thing to the ledger: where one of them was not taken up, an
    /// earlier one may have been.</summary>
    public bool HasSteps { get; init; }

    /// <summary>Whether only a process that settles can answer it: a silo that does not hands it on to the one that does. So is what
    /// must be set everywhere in one order. What every silo can tell or have decided is not: it must go on while nobody settles.</summary>
    public bool AsksSettlement { get; init; }

    /// <summary>The same where the wallet in the path is the operator's own, which has an account in every partition.</summary>
    public bool AsksSettlementForOperator { get; init; }

    public bool IsPublic => Scopes == Scopes.None;

    /// <summary>Whether the client names what it asks for: 201 for the first answer, 200 when it is given again.</summary>
    public bool TakesId => Request?.Properties.Any(p => p.Name == "id") == true;

    public static Route Get(string path, Scopes scopes, string summary, Func<Call, Task<IResult>> handle) =>
        new(HttpMethods.Get, path, scopes, summary, handle);

    public static Route Post(string path, Scopes scopes, string summary, Func<Call, Task<IResult>> handle) =>
        new(HttpMethods.Post, path, scopes, summary, handle);

    /// <summary>Every route of the API.</summary>
    public static IReadOnlyList<Route> All { get; } =
    [
        .. WalletRoutes.All, .. WalletControlRoutes.All, .. TransferRoutes.All, .. SplitRoutes.All, .. HoldRoutes.All, .. BatchRoutes.All,
        .. HistoryRoutes.All, .. DepositRoutes.All, .. WithdrawalRoutes.All, .. BrakeRoutes.All, .. OfSettlement(EpochRoutes.All), .. OperatorRoutes.All, .. FeeRoutes.All,
        .. SuspenseRoutes.All, .. FrozenRoutes.All, .. OfSettlement([.. SigningRoutes.All, .. ReservesRoutes.All]), .. HealthRoutes.All, .. PublicRoutes.All,
        .. OfSettlement([.. LogRoutes.All, .. EpochFileRoutes.All, .. BalanceRoutes.All]),
    ];

    private static IEnumerable<Route> OfSettlement(IEnumerable<Route> routes) => routes.Select(route => route with { AsksSettlement = true });
}
