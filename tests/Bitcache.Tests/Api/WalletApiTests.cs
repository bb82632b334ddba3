namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class WalletApiTests(ApiFixture api)
{
    private static string IdBody(string id) => $$"""{"id":"{{id}}"}""";

    [Fact]
    public async Task The_same_id_makes_one_wallet_and_one_address()
    {
        var (id, other) = (ApiFixture.NewId(), ApiFixture.NewId());
        var first = await api.PostAsync(api.Shop, "/v1/wallets", IdBody(id));
        var again = await api.PostAsync(api.Shop, "/v1/wallets", IdBody(id));
        Assert.Equal((201, 200, first.Text), (first.Status, again.Status, again.Text));
        var addresses = $"/v1/wallets/{first.String("wallet")}/addresses";
        var address = await api.PostAsync(api.Shop, addresses, IdBody(other));
        var same = await api.PostAsync(api.Shop, addresses, IdBody(other));
        Assert.Equal((201, 200, address.Text), (address.Status, same.Status, same.Text));
    }

    [Fact]
    public async Task Many_addresses_are_given_at_once_and_again_to_a_retry()
    {
        var (wallet, id) = (await api.NewWalletAsync(api.Shop), ApiFixture.NewId());
        var path = $"/v1/wallets/{wallet}/addresses:batch";
        Task<ApiAnswer> AskAsync(string key, string with, string count) => api.PostAsync(key, path, $$"""{"id":"{{with}}","count":{{count}}}""");
        var first = await AskAsync(api.Shop, id, "1000");
        var again = await AskAsync(api.Shop, id, "1000");
        Assert.Equal((201, 200, first.Text), (first.Status, again.Status, again.Text));
        Assert.Equal((wallet, "deposit"), (first.String("wallet"), first.String("purpose")));
        var addresses = first.Json.GetProperty("addresses").EnumerateArray().Select(a => a.GetString()).ToArray();
        Assert.Equal(1_000, addresses.Distinct().Count());
        Assert.Equal((422, "id_reused"), (await AskAsync(api.Shop, id, "999")).Refusal());
        Assert.Equal((422, "id_reused"), (await api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/addresses", IdBody(id))).Refusal());
        foreach (var (count, refusal) in new[] { ("0", "number_out_of_range"), ("1001", "number_out_of_range"), ("-1", "number_out_of_range"), ("1.5", "not_an_integer"), ("null", "wrong_type") })
            Assert.Equal((400, refusal), (await AskAsync(api.Shop, ApiFixture.NewId(), count)).Refusal());
        Assert.Equal((404, "wallet_not_found"), (await AskAsync(api.Other, ApiFixture.NewId(), "2")).Refusal());
        // Those of the list are the same, newest first.
        var listed = await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/addresses?limit=200");
        var items = listed.Json.GetProperty("items").EnumerateArray().ToArray();
        Assert.Equal(addresses[^200..].Reverse(), items.Select(a => a.GetProperty("address").GetString()));
        Assert.All(items, item => Assert.Equal(first.Long("sequence"), item.GetProperty("sequence").GetInt64()));
        for (var i = 0; i < 9; i++) Assert.Equal(201, (await AskAsync(api.Shop, ApiFixture.NewId(), "1000")).Status);
        Assert.Equal((422, "too_many_addresses"), (await AskAsync(api.Shop, ApiFixture.NewId(), "1")).Refusal());
    }

    [Fact]
    public async Task Two_tenants_may_use_one_id()
    {
        var id = ApiFixture.NewId();
        var mine = await api.PostAsync(api.Shop, "/v1/wallets", IdBody(id));
        var theirs = await api.PostAsync(api.Other, "/v1/wallets", IdBody(id));
        Assert.Equal((201, 201), (mine.Status, theirs.Status));
        Assert.NotEqual(mine.String("wallet"), theirs.String("wallet"));
    }

    [Fact]
    public async Task Without_a_node_there_is_no_address_and_the_id_is_free_again()
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        var (path, body) = ($"/v1/wallets/{wallet}/addresses", IdBody(ApiFixture.NewId()));
        api.Node.GivesAddresses = false;
        var refused = await api.PostAsync(api.Shop, path, body);
        api.Node.GivesAddresses = true;
        Assert.Equal((503, "node_unavailable"), (refused.Status, refused.Code));
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal(201, (await api.PostAsync(api.Shop, path, body)).Status);
    }

    [Fact]
    public async Task A_strangers_guess_of_an_id_tells_nothing()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var (transfer, address) = (ApiFixture.NewId(), ApiFixture.NewId());
        await api.TransferAsync(api.Shop, transfer, payer, payee, 1);
        await api.PostAsync(api.Shop, $"/v1/wallets/{payer}/addresses", IdBody(address));
        foreach (var answer in new[]
        {
            await api.TransferAsync(api.Other, transfer, payer, payee, 1), await api.TransferAsync(api.Other, transfer, payer, payee, 2),
            await api.PostAsync(api.Other, $"/v1/wallets/{payer}/addresses", IdBody(address)),
            await api.GetAsync(api.Other, $"/v1/wallets/{payer}/transfers/{transfer}"),
        })
        {
            Assert.Equal((404, "wallet_not_found"), (answer.Status, answer.Code));
        }
    }

    [Fact]
    public async Task What_the_ledger_refuses_costs_the_node_no_address()
    {
        var (mine, theirs) = (await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Other));
        var id = ApiFixture.NewId();
        Assert.Equal(201, (await AssignAsync(mine, id)).Status);
        var given = api.Node.AddressesGiven;
        var now = TimeProvider.System.GetUtcNow();
        Assert.Equal((200, null), (await AssignAsync(mine, id)).Refusal());
        Assert.Equal((404, "wallet_not_found"), (await AssignAsync(theirs, ApiFixture.NewId())).Refusal());
        Assert.Equal((422, "id_too_old"), (await AssignAsync(mine, Guid.CreateVersion7(now.AddDays(-400)).ToString())).Refusal());
        Assert.Equal((422, "id_too_new"), (await AssignAsync(mine, Guid.CreateVersion7(now.AddHours(1)).ToString())).Refusal());
        Assert.Equal(given, api.Node.AddressesGiven);

        Task<ApiAnswer> AssignAsync(string wallet, string assigned) =>
            api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/addresses", $$"""{"id":"{{assigned}}"}""");
    }
}
