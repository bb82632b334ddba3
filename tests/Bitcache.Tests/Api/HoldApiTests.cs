using System.Text.Json;

namespace Bitcache.Tests.Api;

/// <summary>Holds over HTTP: the payer is the shop, the payee somebody else.</summary>
[Trait("suite", "core")]
[Collection("api")]
public sealed class HoldApiTests(ApiFixture api)
{
    private async Task<(string Payer, string Payee)> WalletsAsync() => (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Other));

    private Task<ApiAnswer> GetAsync(string key, ApiAnswer hold) => api.GetAsync(key, $"/v1/wallets/{hold.String("payer")}/holds/{hold.String("id")}");

    [Fact]
    public async Task A_hold_is_captured_in_parts_by_either_side_and_its_rest_comes_back()
    {
        var (payer, payee) = await WalletsAsync();
        var hold = await api.HoldAsync(api.Shop, payer, payee, 600);
        Assert.Equal((201, "hold", 600), (hold.Status, hold.String("kind"), hold.Long("amountMsat")));
        Assert.Equal((400, 600), Balances(hold.Json.GetProperty("payerWallet")));
        Assert.False(hold.Json.TryGetProperty("payeeWallet", out _));

        var first = await api.CaptureAsync(api.Other, hold, 200);
        Assert.Equal((201, "capture", 200), (first.Status, first.String("kind"), first.Long("amountMsat")));
        Assert.Equal((200, 0), Balances(first.Json.GetProperty("payeeWallet")));
        Assert.False(first.Json.TryGetProperty("payerWallet", out _));
        Assert.False(first.Json.TryGetProperty("releasedMsat", out _));
        var open = await GetAsync(api.Other, hold);
        Assert.Equal(("open", 600, 400), (open.String("state"), open.Long("amountMsat"), open.Long("leftMsat")));

        var last = await api.CaptureAsync(api.Shop, hold, 100, close: true);
        Assert.Equal((201, 100, 300), (last.Status, last.Long("amountMsat"), last.Long("releasedMsat")));
        Assert.Equal((700, 0), Balances(last.Json.GetProperty("payerWallet")));
        Assert.Equal(300, await api.AvailableAsync(api.Other, payee));
        foreach (var key in new[] { api.Shop, api.Other, api.Auditor })
        {
            var closed = await GetAsync(key, hold);
            Assert.Equal(("closed", "accepted", 600), (closed.String("state"), closed.String("outcome"), closed.Long("amountMsat")));
            Assert.False(closed.Json.TryGetProperty("leftMsat", out _));
        }
        // Looked up, each of them is told as it was when it was made.
        foreach (var made in new[] { hold, last })
        {
            var seen = await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/transfers/{made.String("id")}");
            Assert.Equal(("accepted", made.Long("sequence"), made.Long("amountMsat")), (seen.String("outcome"), seen.Long("sequence"), seen.Long("amountMsat")));
        }
    }

    [Fact]
    public async Task A_closed_hold_takes_no_capture_and_a_retry_of_the_last_one_is_still_answered()
    {
        var (payer, payee) = await WalletsAsync();
        var hold = await api.HoldAsync(api.Shop, payer, payee, 100);
        var id = ApiFixture.NewId();
        var last = await api.CaptureAsync(api.Other, hold, 60, close: true, id);
        Assert.Equal((201, 40), (last.Status, last.Long("releasedMsat")));
        var entries = await api.EntriesAsync();
        Assert.Equal((422, "hold_not_found"), (await api.CaptureAsync(api.Other, hold, 1)).Refusal());
        Assert.Equal((422, "hold_not_found"), (await api.ReleaseAsync(api.Other, hold)).Refusal());
        var again = await api.CaptureAsync(api.Other, hold, 60, close: true, id);
        Assert.Equal((200, last.Text), (again.Status, again.Text));
        Assert.Equal((422, "id_reused"), (await api.CaptureAsync(api.Other, hold, 60, close: false, id)).Refusal());
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Fact]
    public async Task More_than_is_left_cannot_be_captured_and_that_is_remembered()
    {
        var (payer, payee) = await WalletsAsync();
        var hold = await api.HoldAsync(api.Shop, payer, payee, 100);
        Assert.Equal(201, (await api.CaptureAsync(api.Other, hold, 70)).Status);
        var id = ApiFixture.NewId();
        var over = await api.CaptureAsync(api.Other, hold, 31, id: id);
        Assert.Equal((422, "hold_exceeded"), over.Refusal());
        Assert.Equal(over.Text, (await api.CaptureAsync(api.Other, hold, 31, id: id)).Text);
        var seen = await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/transfers/{id}");
        Assert.Equal(("capture", "hold_exceeded", 31), (seen.String("kind"), seen.String("outcome"), seen.Long("amountMsat")));
        Assert.Equal("transfer_refused", (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/transfers/{id}/receipt")).Code);
        Assert.Equal((201, 30), (await api.CaptureAsync(api.Other, hold, 30)) is var rest ? (rest.Status, rest.Long("amountMsat")) : default);
    }

    [Fact]
    public async Task Only_the_two_sides_may_act_on_a_hold_and_only_the_payee_releases_it()
    {
        var (payer, payee) = await WalletsAsync();
        var stranger = api.Key("holds", Server.Keys.Scopes.Pay | Server.Keys.Scopes.Read);
        var hold = await api.HoldAsync(api.Shop, payer, payee, 100);
        var entries = await api.EntriesAsync();
        Assert.Equal((404, "wallet_not_found"), (await api.CaptureAsync(stranger, hold, 1)).Refusal());
        Assert.Equal((404, "wallet_not_found"), (await api.ReleaseAsync(stranger, hold)).Refusal());
        Assert.Equal((404, "wallet_not_found"), (await GetAsync(stranger, hold)).Refusal());
        Assert.Equal((422, "payee_only"), (await api.ReleaseAsync(api.Shop, hold)).Refusal());
        Assert.Equal(entries, await api.EntriesAsync());

        var id = ApiFixture.NewId();
        var released = await api.ReleaseAsync(api.Other, hold, id);
        Assert.Equal((201, "release", 100), (released.Status, released.String("kind"), released.Long("amountMsat")));
        Assert.Equal(1_000, await api.AvailableAsync(api.Shop, payer));
        var again = await api.ReleaseAsync(api.Other, hold, id);
        Assert.Equal((200, released.Text), (again.Status, again.Text));
        Assert.Equal(("hold_released", "in", 100), await NewestAsync(payer));
    }

    [Fact]
    public async Task A_hold_expires_by_itself_and_then_takes_no_capture()
    {
        var time = new ManualTime();
        await using var own = new ApiFixture { EngineTime = time };
        await own.InitializeAsync();
        var (payer, payee) = (await own.NewWalletAsync(own.Shop, 1), await own.NewWalletAsync(own.Other));
        var hold = await own.HoldAsync(own.Shop, payer, payee, 100, PaymentCalls.In(TimeSpan.FromMinutes(10)));
        var path = $"/v1/wallets/{payer}/holds/{hold.String("id")}";
        Assert.Equal("open", (await own.GetAsync(own.Other, path)).String("state"));
        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal((422, "hold_not_found"), (await own.CaptureAsync(own.Other, hold, 1)).Refusal());
        Assert.Equal(1_000, await own.AvailableAsync(own.Shop, payer));
        Assert.Equal("closed", (await own.GetAsync(own.Other, path)).String("state"));
        var line = (await own.GetAsync(own.Shop, $"/v1/wallets/{payer}/history?limit=1")).Json.GetProperty("items")[0];
        Assert.Equal(
            ("hold_expired", "in", 100, payee),
            (line.GetProperty("kind").GetString(), line.GetProperty("direction").GetString(), line.GetProperty("amountMsat").GetInt64(), line.GetProperty("other").GetString()));
    }

    [Theory]
    [InlineData("2020-01-01T00:00:00Z", 422, "expiry_out_of_range")]
    [InlineData("0001-01-01T00:00:00.000Z", 422, "expiry_out_of_range")]
    [InlineData("9999-12-31T23:59:59.999Z", 422, "expiry_out_of_range")]
    [InlineData("2026-11-21", 400, "malformed_time")]
    [InlineData("2026-11-21T08:00:00", 400, "malformed_time")]
    [InlineData("2026-11-21T08:00:00+01:00", 400, "malformed_time")]
    [InlineData("2026-02-30T08:00:00Z", 400, "malformed_time")]
    [InlineData("1795248000000", 400, "malformed_time")]
    public async Task A_time_that_cannot_be_is_refused_and_leaves_no_trace(string expires, int status, string code)
    {
        var (payer, payee) = await WalletsAsync();
        var (id, entries) = (ApiFixture.NewId(), await api.EntriesAsync());
        var refused = await api.HoldAsync(api.Shop, payer, payee, 1, expires, id);
        Assert.Equal((status, code), refused.Refusal());
        if (status == 400) Assert.Equal("expires", refused.String("member"));
        Assert.Equal(entries, await api.EntriesAsync());
        Assert.Equal(201, (await api.HoldAsync(api.Shop, payer, payee, 1, id: id)).Status);
    }

    [Fact]
    public async Task A_hold_that_was_refused_is_found_as_refused_and_one_that_never_was_is_not_found()
    {
        var (payer, payee) = await WalletsAsync();
        var id = ApiFixture.NewId();
        var refused = await api.HoldAsync(api.Shop, payer, payee, 1_001, id: id);
        Assert.Equal((422, "insufficient_funds"), refused.Refusal());
        var seen = await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/holds/{id}");
        Assert.Equal(("refused", "insufficient_funds"), (seen.String("state"), seen.String("outcome")));
        Assert.Equal((404, "hold_unknown"), (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/holds/{ApiFixture.NewId()}")).Refusal());
        // The payer's transfer is no hold, and its payee learns nothing of the payer's ids.
        var transfer = ApiFixture.NewId();
        await api.TransferAsync(api.Shop, transfer, payer, payee, 1);
        Assert.Equal((404, "hold_unknown"), (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/holds/{transfer}")).Refusal());
        Assert.Equal((404, "wallet_not_found"), (await api.GetAsync(api.Other, $"/v1/wallets/{payer}/holds/{transfer}")).Refusal());
    }

    [Fact]
    public async Task Open_holds_of_both_sides_are_listed_newest_first_in_pages()
    {
        var (a, b) = await WalletsAsync();
        Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), a, b, 500)).Status);
        var holds = new List<ApiAnswer>();
        for (var i = 0; i < 6; i++)
            holds.Add(i % 3 == 1 ? await api.HoldAsync(api.Other, b, a, 10 + i) : await api.HoldAsync(api.Shop, a, b, 10 + i));
        Assert.Equal(201, (await api.ReleaseAsync(api.Other, holds[2])).Status);
        var expected = holds.Where((_, i) => i != 2).Reverse().Select(h => h.Long("amountMsat")).ToArray();
        foreach (var (key, wallet) in new[] { (api.Shop, a), (api.Other, b) })
        {
            var listed = new List<long>();
            long? before = null;
            do
            {
                var page = await api.GetAsync(key, $"/v1/wallets/{wallet}/holds?limit=2" + (before is null ? "" : $"&before={before}"));
                listed.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("leftMsat").GetInt64()));
                before = page.Json.TryGetProperty("next", out var next) ? next.GetInt64() : null;
            }
            while (before is not null);
            Assert.Equal(expected, listed);
        }
        Assert.Empty((await api.GetAsync(api.Shop, $"/v1/wallets/{await api.NewWalletAsync(api.Shop)}/holds")).Json.GetProperty("items").EnumerateArray());
    }

    private async Task<(string, string, long)> NewestAsync(string wallet)
    {
        var line = (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history?limit=1")).Json.GetProperty("items")[0];
        return (line.GetProperty("kind").GetString()!, line.GetProperty("direction").GetString()!, line.GetProperty("amountMsat").GetInt64());
    }

    private static (long Available, long Held) Balances(JsonElement wallet) =>
        (wallet.GetProperty("availableMsat").GetInt64(), wallet.GetProperty("heldMsat").GetInt64());
}
