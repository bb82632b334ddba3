// Every route with every kind of caller. The routes come from the server's own table: a new one is in the matrix
// without a new test, or the test says that it does not know how to ask for it.

using System.Net.Http.Headers;
using System.Text;
using Bitcache.Core.Bitcoin;
using Bitcache.Server.Api;
using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class AccessMatrixTests(ApiFixture api)
{
    private const Scopes All = Scopes.Read | Scopes.Pay | Scopes.Withdraw | Scopes.Admin | Scopes.Audit;

    private static readonly Scopes[] Each = [Scopes.Read, Scopes.Pay, Scopes.Withdraw, Scopes.Admin, Scopes.Audit];

    public static TheoryData<string> Guarded => [.. Route.All.Where(r => !r.IsPublic).Select(Name)];
    public static TheoryData<string> OfOneWallet => [.. Route.All.Where(IsOfOneWallet).Select(Name)];
    public static TheoryData<string> Public => [.. Route.All.Where(r => r.IsPublic).Select(Name)];

    private static string Name(Route route) => $"{route.Method} {route.Path}";
    private static Route Find(string name) => Route.All.Single(r => Name(r) == name);
    private static bool IsOfOneWallet(Route route) => (route.Scopes & ~ScopeNames.OperatorOnly) != 0 && IsAboutWallet(route);
    private static bool IsAboutWallet(Route route) =>
        route.Path.Contains("{wallet}", StringComparison.Ordinal) || (route.Scopes == Scopes.Pay && route.Request is { } request && request != ApiJson.Default.IdRequest);

    [Theory]
    [MemberData(nameof(Guarded))]
    public async Task The_owner_gets_through_with_any_one_scope_that_the_route_names(string name)
    {
        var route = Find(name);
        foreach (var scope in Each.Where(s => route.Scopes.HasFlag(s)))
        {
            var answer = await AskAsync(route, OwnersKey(scope), await TargetAsync());
            // Nothing waits for a signer here and nothing is stated, and that is what one who gets through is told.
            Assert.True(answer.Status is 200 or 201 || answer.Code is "signing_not_found" or "epoch_not_stated" or "epoch_file_not_found", $"{name} with {scope}: {answer.Text}");
        }
    }

    [Theory]
    [MemberData(nameof(Guarded))]
    public async Task All_other_scopes_together_do_not_open_a_route(string name)
    {
        var route = Find(name);
        var entries = await api.EntriesAsync();
        foreach (var key in new[]
        {
            api.Key(ApiFixture.ShopTenant, All & ~route.Scopes & ~ScopeNames.OperatorOnly), api.Key(ApiFixture.OperatorTenant, All & ~route.Scopes),
        })
        {
            var answer = await AskAsync(route, key, Target.Nowhere);
            Assert.Equal((403, "scope_missing"), (answer.Status, answer.Code));
            Assert.Equal(route.Scopes.ToNames(), answer.Json.GetProperty("scope").EnumerateArray().Select(s => s.GetString()));
        }
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Theory]
    [MemberData(nameof(OfOneWallet))]
    public async Task Somebody_elses_wallet_is_as_good_as_absent(string name)
    {
        var route = Find(name);
        var target = await TargetAsync();
        var entries = await api.EntriesAsync();
        // Where the operator may act on any wallet, only a key of his that lacks the scope for it is a stranger.
        var operators = route.Scopes.HasFlag(Scopes.Admin) ? All & ~ScopeNames.OperatorOnly : All & ~Scopes.Audit;
        foreach (var stranger in new[] { api.Other, api.Key(ApiFixture.OperatorTenant, operators) })
        {
            var foreign = await AskAsync(route, stranger, target);
            var absent = await AskAsync(route, stranger, target with { Wallet = Engine.Partitions.ClientIds.NextWallet().ToString() });
            Assert.Equal((404, "wallet_not_found"), (foreign.Status, foreign.Code));
            Assert.Equal((absent.Status, absent.Text), (foreign.Status, foreign.Text));
        }
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Theory]
    [MemberData(nameof(Guarded))]
    public async Task A_key_that_is_missing_wrong_revoked_or_expired_opens_nothing(string name)
    {
        var route = Find(name);
        var tenant = (route.Scopes & ScopeNames.OperatorOnly) == route.Scopes ? ApiFixture.OperatorTenant : ApiFixture.ShopTenant;
        var scopes = tenant == ApiFixture.OperatorTenant ? All : All & ~ScopeNames.OperatorOnly;
        var expired = api.NewKey(tenant, scopes, validFor: TimeSpan.FromSeconds(1)).Secret;
        var revoked = api.NewKey(tenant, scopes);
        Assert.NotEqual(401, (await AskAsync(route, revoked.Secret, await TargetAsync())).Status);
        api.Keys.Revoke(revoked.Record.Id);
        api.Time.Advance(TimeSpan.FromSeconds(1));
        var entries = await api.EntriesAsync();
        foreach (var (key, code) in new (string?, string)[]
        {
            (null, "key_missing"), ("", "key_missing"), ("bck_test_", "key_malformed"), (revoked.Secret[..^1], "key_malformed"),
            (ApiKey.Create(BitcoinNetwork.Mainnet), "key_of_other_network"), (ApiKey.Create(BitcoinNetwork.Regtest), "key_unknown"),
            (revoked.Secret, "key_revoked"), (expired, "key_expired"),
        })
        {
            var answer = await AskAsync(route, key, Target.Nowhere);
            Assert.Equal((401, code), (answer.Status, answer.Code));
            Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
        }
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Theory]
    [MemberData(nameof(Public))]
    public async Task A_public_route_needs_no_key_and_takes_any(string name)
    {
        var route = Find(name);
        // So that there is a checkpoint.
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        foreach (var key in new[] { null, "bck_test_" })
        {
            var answer = await AskAsync(route, key, Target.Nowhere);
            // Without a node nothing is stated about epochs.
            Assert.True(answer.Status == 200 || answer.Code == "epoch_file_not_found", $"{name}: {answer.Text}");
        }
    }

    /// <summary>What a request is about.</summary>
    private sealed record Target(string Wallet, string Payee, string Transfer, string Withdrawal, string Hold, string Split, string Awaiting, string Waiting, string Assigned, string Frozen)
    {
        public static Target Nowhere { get; } = new("bcw1", "bcw1", "x", "x", "x", "x", "x", "x:0", "x:0", "x:0");
    }

    /// <summary>A wallet of the shop with a transfer and a split that have receipts, a hold, a withdrawal, one that waits for approval, outputs in
    /// suspense, one that is frozen, and a closed epoch.</summary>
    private async Task<Target> TargetAsync()
    {
        var target = new Target(
            await api.NewWalletAsync(api.Shop, 10_000 + ApiFixture.ApprovalFromSat), await api.NewWalletAsync(api.Shop), ApiFixture.NewId(), ApiFixture.NewId(),
            ApiFixture.NewId(), ApiFixture.NewId(), ApiFixture.NewId(), "", "", "");
        target = target with
        {
            Waiting = await api.NewSuspenseAsync(api.Shop, target.Wallet, 300),
            Assigned = await api.NewSuspenseAsync(api.Shop, target.Wallet, 300),
            Frozen = await api.NewFrozenAsync(api.Shop, await api.NewWalletAsync(api.Shop), 300),
        };
        Assert.Equal(201, (await api.PostAsync(api.Admin, $"/v1/operator/suspense/{target.Assigned.Replace(':', '/')}/assign",
            $$"""{"id":"{{ApiFixture.NewId()}}","wallet":"{{target.Payee}}"}""")).Status);
        Assert.Equal(201, (await api.TransferAsync(api.Shop, target.Transfer, target.Wallet, target.Payee, 7)).Status);
        foreach (var (path, id) in new[] { ("/v1/holds", target.Hold), ("/v1/splits", target.Split) })
        {
            var body = new RouteTarget(target.Wallet, target.Payee, "", "").Body(Find("POST " + path), id);
            Assert.Equal(201, (await api.PostAsync(api.Shop, path, body)).Status);
        }
        foreach (var (id, sat) in new[] { (target.Withdrawal, 1_000), (target.Awaiting, ApiFixture.ApprovalFromSat) })
        {
            Assert.Equal(201, (await api.PostAsync(api.Shop, $"/v1/wallets/{target.Wallet}/withdrawals",
                $$"""{"id":"{{id}}","address":"{{OfflineNode.NewAddress()}}","amountSat":{{sat}}}""")).Status);
        }
        Assert.Equal(201, (await api.PostAsync(api.Admin, "/v1/epochs", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).Status);
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        return target;
    }

    private string OwnersKey(Scopes scope) =>
        api.Key((scope & ScopeNames.OperatorOnly) != 0 ? ApiFixture.OperatorTenant : ApiFixture.ShopTenant, scope);

    private Task<ApiAnswer> AskAsync(Route route, string? key, Target target)
    {
        var path = route.Path
            .Replace("{wallet}", target.Wallet, StringComparison.Ordinal)
            .Replace("{epoch}", "1", StringComparison.Ordinal)
            .Replace("{txid}/{vout}", OutputOf(route, target).Replace(':', '/'), StringComparison.Ordinal)
            .Replace("{txid}", new string('0', 64), StringComparison.Ordinal)
            .Replace("{id}", IdOf(route, target), StringComparison.Ordinal)
            .Replace("{name}", "close.leaf", StringComparison.Ordinal)
            .Replace("{level}", "0", StringComparison.Ordinal)
            .Replace("{**number}", "000.p/1", StringComparison.Ordinal);
        Assert.DoesNotContain('{', path);
        if (route.TextQuery.Count > 0) path += "?" + string.Join('&', route.TextQuery.Select(name => $"{name}={OfflineNode.NewAddress()}"));
        var text = route.BatchTypes.Count > 0 || route.Request is not null
            ? new RouteTarget(target.Wallet, target.Payee, target.Hold, target.Transfer).Body(route)
            : null;
        var body = text is null ? null : route.BatchTypes.Count > 0
            ? new StringContent(text, Encoding.UTF8, new MediaTypeHeaderValue(JsonLines.Type))
            : new StringContent(text, Encoding.UTF8, "application/json");
        return api.SendAsync(HttpMethod.Parse(route.Method), path, key, body);
    }

    private static string OutputOf(Route route, Target target) =>
        route.Path.Contains("/frozen/", StringComparison.Ordinal) ? target.Frozen : route.TakesId ? target.Waiting : target.Assigned;

    private static string IdOf(Route route, Target target)
    {
        bool Is(string list) => route.Path.Contains(list, StringComparison.Ordinal);
        return Is("/approve") || Is("/decline") ? target.Awaiting : Is("/withdrawals/") ? target.Withdrawal : Is("/holds/") ? target.Hold : Is("/splits/") ? target.Split : target.Transfer;
    }
}
