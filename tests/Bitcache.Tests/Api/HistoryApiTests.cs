using Bitcache.Core;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class HistoryApiTests(ApiFixture api)
{
    [Fact]
    public async Task History_is_read_page_by_page_back_to_the_wallets_making()
    {
        var (wallet, other) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Other));
        await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, other, 1_000);
        await api.TransferAsync(api.Other, ApiFixture.NewId(), other, wallet, 300);
        var lines = new List<(string Kind, string Direction, long Amount, long Available)>();
        long? before = null;
        var pages = 0;
        do
        {
            var page = await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history?limit=3" + (before is null ? "" : $"&before={before}"));
            Assert.Equal(200, page.Status);
            lines.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(i => (
                i.GetProperty("kind").GetString()!, i.GetProperty("direction").GetString()!,
                i.GetProperty("amountMsat").GetInt64(), i.GetProperty("availableMsat").GetInt64())));
            before = page.Json.TryGetProperty("next", out var next) ? next.GetInt64() : null;
            pages++;
        }
        while (before is not null);
        Assert.Equal(
            [("transfer", "in", 300, 9_300), ("transfer", "out", 1_000, 9_000), ("deposit_credited", "in", 10_000, 10_000), ("wallet_created", "in", 0, 0)],
            lines);
        Assert.Equal(2, pages);
    }

    [Fact]
    public async Task A_step_of_a_deposit_shows_by_how_much_it_moved_what_is_available()
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        var deposit = await api.DepositAsync(api.Shop, wallet, 10);
        await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, await api.NewWalletAsync(api.Shop), 4_000);
        foreach (var to in new[] { DepositState.Frozen, DepositState.Credited, DepositState.Frozen, DepositState.Reversed })
            Assert.Equal(Outcome.Accepted, (await api.Engine.Partitions.First.SubmitAsync(deposit with { To = to })).Outcome);
        var page = await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history");
        // Of ten satoshis six were left to be frozen; given back and frozen again, they are gone for good.
        Assert.Equal(
            [
                ("deposit_reversed", "out", 0, 0), ("deposit_frozen", "out", 6_000, 0), ("deposit_credited", "in", 6_000, 6_000),
                ("deposit_frozen", "out", 6_000, 0), ("transfer", "out", 4_000, 6_000), ("deposit_credited", "in", 10_000, 10_000),
            ],
            page.Json.GetProperty("items").EnumerateArray().SkipLast(1).Select(i => (
                i.GetProperty("kind").GetString()!, i.GetProperty("direction").GetString()!,
                i.GetProperty("amountMsat").GetInt64(), i.GetProperty("availableMsat").GetInt64())));
    }

    [Fact]
    public async Task A_place_in_somebody_elses_history_is_no_way_in()
    {
        var (mine, theirs) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Other, 1));
        await api.TransferAsync(api.Other, ApiFixture.NewId(), theirs, await api.NewWalletAsync(api.Other), 1);
        var place = (await api.GetAsync(api.Other, $"/v1/wallets/{theirs}/history?limit=1")).Json.GetProperty("items")[0].GetProperty("sequence").GetInt64();
        await api.DepositAsync(api.Shop, mine, 1);
        // A deposit does not name its wallet: the one of theirs stands before their transfer.
        var deposit = (await api.GetAsync(api.Other, $"/v1/wallets/{theirs}/history?limit=2")).Json.GetProperty("items")[1].GetProperty("sequence").GetInt64();
        Assert.Equal("malformed_parameter", (await api.GetAsync(api.Shop, $"/v1/wallets/{mine}/history?before={deposit}")).Code);
        var peek = await api.GetAsync(api.Shop, $"/v1/wallets/{mine}/history?before={place}");
        Assert.Equal((400, "malformed_parameter"), (peek.Status, peek.Code));
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=201")]
    [InlineData("limit=ten")]
    [InlineData("limit=")]
    [InlineData("before=-1")]
    [InlineData("before=99999999999999999999")]
    [InlineData("before=1000000000")]
    public async Task A_parameter_outside_its_range_is_refused(string query)
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        var answer = await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history?{query}");
        Assert.Equal((400, "malformed_parameter"), (answer.Status, answer.Code));
        Assert.Equal(query.Split('=')[0], answer.String("member"));
    }

    [Theory]
    [InlineData("limt=5")]
    [InlineData("limit=5&limit=6")]
    public async Task A_parameter_that_nobody_reads_is_refused(string query)
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        Assert.Equal("unknown_parameter", (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history?{query}")).Code);
    }

    [Fact]
    public async Task Deposits_and_addresses_are_listed_newest_first()
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        foreach (var sat in new[] { 5_000L, 6_000, 7_000 }) await api.DepositAsync(api.Shop, wallet, sat);
        var first = await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/deposits?limit=2");
        Assert.Equal([7_000L, 6_000], first.Json.GetProperty("items").EnumerateArray().Select(d => d.GetProperty("amountSat").GetInt64()));
        var rest = await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/deposits?limit=2&before={first.Long("next")}");
        var last = Assert.Single(rest.Json.GetProperty("items").EnumerateArray());
        Assert.Equal((5_000, "credited", false),
            (last.GetProperty("amountSat").GetInt64(), last.GetProperty("state").GetString(), last.GetProperty("suspense").GetBoolean()));
        Assert.False(rest.Json.TryGetProperty("next", out _));

        var addresses = (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/addresses")).Json.GetProperty("items");
        Assert.Equal(3, addresses.GetArrayLength());
        Assert.Equal(last.GetProperty("address").GetString(), addresses[2].GetProperty("address").GetString());
    }
}
