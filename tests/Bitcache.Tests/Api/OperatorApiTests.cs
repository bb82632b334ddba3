using System.Text.Json;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class OperatorApiTests(ApiFixture api)
{
    private static string IdBody(string id) => $$"""{"id":"{{id}}"}""";

    [Fact]
    public async Task The_same_id_closes_one_epoch()
    {
        var id = ApiFixture.NewId();
        var first = await api.PostAsync(api.Admin, "/v1/epochs", IdBody(id));
        var next = await api.PostAsync(api.Admin, "/v1/epochs", IdBody(ApiFixture.NewId()));
        var again = await api.PostAsync(api.Admin, "/v1/epochs", IdBody(id));
        Assert.Equal((201, 201, 200), (first.Status, next.Status, again.Status));
        Assert.Equal(first.Text, again.Text);
        Assert.Equal(first.Long("epoch") + 1, next.Long("epoch"));
        Assert.Equal(first.Text, (await api.GetAsync(api.Shop, $"/v1/epochs/{first.Long("epoch")}")).Text);
        var page = (await api.GetAsync(api.Shop, "/v1/epochs?limit=1")).Json;
        Assert.Equal(next.Long("epoch"), page.GetProperty("items")[0].GetProperty("epoch").GetInt64());
        page = (await api.GetAsync(api.Shop, $"/v1/epochs?limit=1&before={page.GetProperty("next").GetInt64()}")).Json;
        Assert.Equal(first.Text, Assert.Single(page.GetProperty("items").EnumerateArray()).GetRawText());
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1000000")]
    [InlineData("one")]
    [InlineData("-1")]
    public async Task An_epoch_that_is_not_closed_is_not_found(string epoch)
    {
        var answer = await api.GetAsync(api.Shop, "/v1/epochs/" + epoch);
        Assert.Equal((404, "epoch_not_found"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task The_operator_sees_that_money_is_conserved_and_where_to_top_up()
    {
        await api.NewWalletAsync(api.Shop, 1_000);
        var answer = await api.GetAsync(api.Auditor, "/v1/operator");
        var totals = answer.Json.GetProperty("totals");
        Assert.True(totals.GetProperty("conserved").GetBoolean());
        Assert.Equal(totals.GetProperty("fromBitcoinMsat").GetInt64(), totals.GetProperty("insideMsat").GetInt64());
        Assert.True(totals.GetProperty("depositedMsat").GetInt64() >= 1_000_000);

        var address = await api.PostAsync(api.Admin, "/v1/operator/addresses", IdBody(ApiFixture.NewId()));
        Assert.Equal((201, "operator_top_up"), (address.Status, address.String("purpose")));
        Assert.Equal(answer.Json.GetProperty("wallet").GetProperty("wallet").GetString(), address.String("wallet"));
    }

    [Fact]
    public async Task A_rescan_is_due_from_the_lowest_block_that_was_named()
    {
        const string Path = "/v1/operator/rescan";
        foreach (var (height, from) in new[] { (8, 8), (9, 8), (7, 7), (8, 7) })
        {
            var answer = await api.PostAsync(api.Admin, Path, $$"""{"fromHeight":{{height}}}""");
            Assert.Equal(200, answer.Status);
            // Another test may have asked for one from further below.
            Assert.InRange(answer.Long("fromHeight"), 0, from);
        }
        var entries = await api.EntriesAsync();
        foreach (var height in new[] { "100", "4294967295", "-1" })
            Assert.Equal((400, "number_out_of_range"), (await api.PostAsync(api.Admin, Path, $$"""{"fromHeight":{{height}}}""")).Refusal());
        Assert.Equal("scope_missing", (await api.PostAsync(api.Shop, Path, """{"fromHeight":1}""")).Code);
        api.Node.GivesAddresses = false;
        var refused = await api.PostAsync(api.Admin, Path, """{"fromHeight":0}""");
        api.Node.GivesAddresses = true;
        Assert.Equal((503, "node_unavailable"), refused.Refusal());
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Fact]
    public async Task Confirming_the_clock_leaves_an_entry()
    {
        var entries = await api.EntriesAsync();
        var answer = await api.SendAsync(HttpMethod.Post, "/v1/operator/clock:confirm", api.Admin);
        Assert.Equal(200, answer.Status);
        Assert.True(await api.EntriesAsync() > entries);
    }

    [Fact]
    public async Task Health_says_what_does_not_work_and_tells_the_operator_more()
    {
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        var answer = await api.SendAsync(HttpMethod.Get, "/v1/health", key: null);
        Assert.Equal((200, "degraded"), (answer.Status, answer.String("status")));
        // Other tests may have stopped withdrawals.
        Assert.Equal(["node_unavailable"], Reasons(answer).Except(["withdrawals_stopped"]));
        Assert.Equal(2, answer.Json.GetPropertyCount());

        var details = await api.GetAsync(api.Auditor, "/v1/operator/health");
        Assert.Contains("there is no node", details.String("nodeTrouble"), StringComparison.Ordinal);
        Assert.True(details.Json.GetProperty("conserved").GetBoolean());
        Assert.Contains("node_unavailable", Reasons(details));
    }

    private static IEnumerable<string?> Reasons(ApiAnswer health) => health.Json.GetProperty("reasons").EnumerateArray().Select(r => r.GetString());

    [Fact]
    public async Task Checkpoint_and_pins_are_for_anybody_and_fit_together()
    {
        await api.NewWalletAsync(api.Shop);
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        var pinned = await api.SendAsync(HttpMethod.Get, "/v1/pins", key: null);
        Assert.True(Pins.TryParse(pinned.Text, out var pins, out var refusal), refusal);
        Assert.Equal(("ledger.test/log", BitcoinNetwork.Regtest), (pins!.Origin, pins.Network));
        var checkpoint = await api.SendAsync(HttpMethod.Get, "/v1/checkpoint", key: null);
        Assert.StartsWith("ledger.test/log\n", checkpoint.Text, StringComparison.Ordinal);
        Assert.Equal("text/plain; charset=utf-8", checkpoint.ContentType);
    }

    [Fact]
    public async Task The_description_names_every_route_and_every_schema_that_it_refers_to()
    {
        var document = (await api.SendAsync(HttpMethod.Get, "/openapi/v1.json", key: null)).Json;
        foreach (var route in Server.Api.Route.All)
        {
#pragma warning disable CA1308 // OpenAPI writes methods in lower case.
            var operation = document.GetProperty("paths").GetProperty(Server.Api.OpenApi.PathOf(route)).GetProperty(route.Method.ToLowerInvariant());
#pragma warning restore CA1308
            Assert.Equal(route.IsPublic, !operation.TryGetProperty("security", out _));
            Assert.Equal(route.TakesId, operation.GetProperty("responses").TryGetProperty("201", out _));
        }
        var names = Operations(document).Select(o => o.GetProperty("operationId").GetString()).ToArray();
        Assert.Equal(names.Length, names.Distinct().Count());
        var schemas = document.GetProperty("components").GetProperty("schemas");
        Assert.All(References(document), reference =>
        {
            Assert.StartsWith("#/components/schemas/", reference, StringComparison.Ordinal);
            Assert.True(schemas.TryGetProperty(reference.Split('/')[^1], out _), reference);
        });
        var amount = schemas.GetProperty("TransferRequest").GetProperty("properties").GetProperty("amountMsat");
        Assert.Equal(("integer", 1), (amount.GetProperty("type").GetString(), amount.GetProperty("minimum").GetInt32()));
        Assert.False(schemas.GetProperty("TransferRequest").GetProperty("additionalProperties").GetBoolean());
        Assert.False(schemas.GetProperty("PaymentReply").TryGetProperty("additionalProperties", out _));
    }

    private static IEnumerable<JsonElement> Operations(JsonElement document) =>
        document.GetProperty("paths").EnumerateObject().SelectMany(p => p.Value.EnumerateObject().Select(o => o.Value));

    private static IEnumerable<string> References(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(m =>
            m.Name == "$ref" ? [m.Value.GetString()!] : References(m.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(References),
        _ => [],
    };
}
