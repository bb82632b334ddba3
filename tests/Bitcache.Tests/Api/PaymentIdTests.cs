// One id, one effect: for every kind of request that takes an id and terms. The routes come from the server's own table.

using System.Text.Json.Nodes;
using Bitcache.Server.Api;
using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class PaymentIdTests(ApiFixture api)
{
    public static TheoryData<string> Routes => [.. Route.All.Where(r => r.TakesId && r.Request != ApiJson.Default.IdRequest).Select(r => r.Path)];

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task The_same_id_with_other_terms_is_refused_and_changes_nothing(string pattern)
    {
        var (route, target, path, key) = await PrepareAsync(pattern);
        var body = target.Body(route);
        Assert.Equal(201, (await api.PostAsync(key, path, body)).Status);
        var entries = await api.EntriesAsync();
        var changes = 0;
        foreach (var changed in Changes(route, JsonNode.Parse(body)!.AsObject()))
        {
            var refused = await api.PostAsync(key, path, changed);
            Assert.True(refused.Refusal() == (422, "id_reused"), $"{changed}: {refused.Text}");
            changes++;
        }
        Assert.True(changes > 0);
        Assert.Equal(entries, await api.EntriesAsync());
        Assert.Equal(200, (await api.PostAsync(key, path, body)).Status);
    }

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task The_same_request_many_times_at_once_has_one_effect(string pattern)
    {
        var (route, target, path, key) = await PrepareAsync(pattern);
        var body = target.Body(route);
        var entries = await api.EntriesAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => api.PostAsync(key, path, body)));
        Assert.Single(answers, a => a.Status == 201);
        Assert.All(answers.Where(a => a.Status is not (200 or 201)), a =>
        {
            Assert.Equal((409, "id_in_flight"), a.Refusal());
            Assert.NotNull(a.Headers.RetryAfter);
        });
        Assert.Equal(entries + 1, await api.EntriesAsync());
        var retry = await api.PostAsync(key, path, body);
        Assert.Equal((200, answers.Single(a => a.Status == 201).Text), (retry.Status, retry.Text));
    }

    /// <summary>The body with one member changed, or one more, for each member that is among the terms.</summary>
    private static IEnumerable<string> Changes(Route route, JsonObject body)
    {
        foreach (var (name, value) in new (string, JsonNode)[]
        {
            ("amountMsat", 6), ("amountSat", 699), ("code", 9), ("reference", "other"), ("upTo", true), ("close", true), ("perDayMsat", 5), ("flatMsat", 1), ("count", 3),
            ("reason", "other"), ("expires", PaymentCalls.In(TimeSpan.FromHours(2))),
        })
        {
            if (route.Request!.Properties.All(p => p.Name != name)) continue;
            var changed = body.DeepClone().AsObject();
            changed[name] = value;
            yield return changed.ToJsonString();
        }
        if (route.Request == ApiJson.Default.AssignmentRequest)
        {
            var changed = body.DeepClone().AsObject();
            changed["wallet"] = Engine.Partitions.ClientIds.NextWallet().ToString();
            yield return changed.ToJsonString();
        }
        if (body["parts"] is not JsonArray parts) yield break;
        parts[0]!["reference"] = "other";
        yield return body.ToJsonString();
    }

    private async Task<(Route Route, RouteTarget Target, string Path, string Key)> PrepareAsync(string pattern)
    {
        var route = Route.All.Single(r => r.TakesId && r.Path == pattern);
        var target = new RouteTarget(await api.NewWalletAsync(api.Shop, 10_000), await api.NewWalletAsync(api.Shop), ApiFixture.NewId(), ApiFixture.NewId());
        Assert.Equal(201, (await api.TransferAsync(api.Shop, target.Transfer, target.Payer, target.Payee, 7)).Status);
        Assert.Equal(201, (await api.HoldAsync(api.Shop, target.Payer, target.Payee, 20, id: target.Hold)).Status);
        var key = (route.Scopes & ScopeNames.OperatorOnly) == 0 ? api.Shop : api.Admin;
        var output = pattern.Contains("/frozen/", StringComparison.Ordinal)
            ? await api.NewFrozenAsync(api.Shop, await api.NewWalletAsync(api.Shop), 300) : await api.NewSuspenseAsync(api.Shop, target.Payer, 300);
        var path = pattern.Replace("{wallet}", target.Payer, StringComparison.Ordinal).Replace("{txid}/{vout}", output.Replace(':', '/'), StringComparison.Ordinal);
        return (route, target, path, key);
    }
}
