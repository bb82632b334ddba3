using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

/// <summary>Freezes, spending limits and fees, over HTTP.</summary>
[Trait("suite", "core")]
[Collection("api")]
public sealed class WalletControlTests(ApiFixture api)
{
    private static string IdBody() => $$"""{"id":"{{ApiFixture.NewId()}}"}""";

    private Task<ApiAnswer> FreezeAsync(string key, string wallet) => api.PostAsync(key, $"/v1/wallets/{wallet}/freeze", IdBody());

    private Task<ApiAnswer> UnfreezeAsync(string key, string wallet) => api.PostAsync(key, $"/v1/wallets/{wallet}/unfreeze", IdBody());

    private Task<ApiAnswer> LimitAsync(string wallet, string limits) =>
        api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/limits", $$"""{"id":"{{ApiFixture.NewId()}}"{{limits}}}""");

    private static string[] FrozenBy(ApiAnswer answer) =>
        answer.Json.TryGetProperty("frozenBy", out var by) ? [.. by.EnumerateArray().Select(b => b.GetString()!)] : [];

    [Fact]
    public async Task A_frozen_wallet_pays_nothing_and_still_receives_and_is_captured_from()
    {
        var (wallet, other) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Other, 1));
        var received = ApiFixture.NewId();
        Assert.Equal(201, (await api.TransferAsync(api.Other, received, other, wallet, 10)).Status);
        var hold = await api.HoldAsync(api.Shop, wallet, other, 100);
        var frozen = await FreezeAsync(api.Shop, wallet);
        Assert.Equal(201, frozen.Status);
        Assert.Equal(["owner"], FrozenBy(frozen));
        Assert.Equal(["owner"], FrozenBy(await api.GetAsync(api.Shop, "/v1/wallets/" + wallet)));

        Assert.Equal("wallet_frozen", (await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, other, 1)).Code);
        Assert.Equal("wallet_frozen", (await api.UpToAsync(api.Shop, wallet, other, 1)).Code);
        Assert.Equal("wallet_frozen", (await api.SplitAsync(api.Shop, wallet, [(other, 1)])).Code);
        Assert.Equal("wallet_frozen", (await api.HoldAsync(api.Shop, wallet, other, 1)).Code);
        Assert.Equal("wallet_frozen", (await api.RefundAsync(api.Shop, wallet, other, received, 1)).Code);
        Assert.Equal(201, (await api.CaptureAsync(api.Other, hold, 10)).Status);
        Assert.Equal(201, (await api.TransferAsync(api.Other, ApiFixture.NewId(), other, wallet, 1)).Status);

        Assert.Empty(FrozenBy(await UnfreezeAsync(api.Shop, wallet)));
        Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, other, 1)).Status);
    }

    [Fact]
    public async Task The_owner_cannot_lift_the_operators_freeze_nor_the_operator_the_owners()
    {
        var (wallet, other) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        Assert.Equal(["operator"], FrozenBy(await FreezeAsync(api.Admin, wallet)));
        Assert.Equal(["operator"], FrozenBy(await UnfreezeAsync(api.Shop, wallet)));
        Assert.Equal("wallet_frozen", (await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, other, 1)).Code);
        Assert.Equal(["owner", "operator"], FrozenBy(await FreezeAsync(api.Shop, wallet)));
        Assert.Equal(["owner"], FrozenBy(await UnfreezeAsync(api.Admin, wallet)));
        Assert.Equal("wallet_frozen", (await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, other, 1)).Code);
        Assert.Empty(FrozenBy(await UnfreezeAsync(api.Shop, wallet)));
        Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, other, 1)).Status);
    }

    [Fact]
    public async Task A_key_that_can_only_pay_lifts_nothing_and_one_of_the_operator_without_admin_touches_nobody()
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        Assert.Equal((403, "scope_missing"), (await UnfreezeAsync(api.Key(ApiFixture.ShopTenant, Scopes.Pay | Scopes.Read), wallet)).Refusal());
        var entries = await api.EntriesAsync();
        var clerk = api.Key(ApiFixture.OperatorTenant, Scopes.Withdraw);
        Assert.Equal((404, "wallet_not_found"), (await FreezeAsync(clerk, wallet)).Refusal());
        Assert.Equal(entries, await api.EntriesAsync());
        var own = (await api.GetAsync(api.Admin, "/v1/operator")).Json.GetProperty("wallet").GetProperty("wallet").GetString()!;
        Assert.Equal(201, (await FreezeAsync(clerk, own)).Status);
        Assert.Equal(201, (await UnfreezeAsync(clerk, own)).Status);
    }

    [Fact]
    public async Task Freezing_and_unfreezing_under_one_id_is_a_mistake()
    {
        var (wallet, body) = (await api.NewWalletAsync(api.Shop), IdBody());
        var first = await api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/freeze", body);
        Assert.Equal((422, "id_reused"), (await api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/unfreeze", body)).Refusal());
        Assert.Equal((422, "id_reused"), (await api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/limits", body)).Refusal());
        await UnfreezeAsync(api.Shop, wallet);
        var again = await api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/freeze", body);
        // A retry tells the first answer, and who holds the wallet frozen today.
        Assert.Equal((200, first.Long("sequence")), (again.Status, again.Long("sequence")));
        Assert.Empty(FrozenBy(again));
    }

    [Theory]
    [InlineData("perPaymentMsat", 11)]
    [InlineData("perHourMsat", 16)]
    [InlineData("perDayMsat", 16)]
    public async Task Each_limit_binds_transfers_splits_and_holds(string limit, long total)
    {
        var (payer, a, b) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Shop));
        var set = await LimitAsync(payer, $",\"{limit}\":{(limit == "perPaymentMsat" ? 10 : 15)}");
        Assert.Equal(201, set.Status);
        Assert.Equal(set.Long(limit), (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/limits")).Long(limit));
        if (limit == "perPaymentMsat")
        {
            Assert.Equal("limit_exceeded", (await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, a, total)).Code);
            Assert.Equal("limit_exceeded", (await api.HoldAsync(api.Shop, payer, a, total)).Code);
            Assert.Equal("limit_exceeded", (await api.SplitAsync(api.Shop, payer, [(a, 5), (b, 6)])).Code);
            Assert.Equal(10, (await api.UpToAsync(api.Shop, payer, a, total)).Long("amountMsat"));
            return;
        }
        Assert.Equal(201, (await api.HoldAsync(api.Shop, payer, a, 5)).Status);
        Assert.Equal(201, (await api.SplitAsync(api.Shop, payer, [(a, 2), (b, 3)])).Status);
        Assert.Equal("limit_exceeded", (await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, a, 6)).Code);
        Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, a, 5)).Status);
        Assert.Equal("limit_exceeded", (await api.UpToAsync(api.Shop, payer, a, 1)).Code);
        Assert.Equal(201, (await LimitAsync(payer, "")).Status);
        Assert.False((await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/limits")).Json.TryGetProperty(limit, out _));
        Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, a, 100)).Status);
    }

    [Theory]
    [InlineData(",\"perHourMsat\":0")]
    [InlineData(",\"perHourMsat\":-1")]
    [InlineData(",\"perHourMsat\":2100000000000000001")]
    public async Task A_limit_that_is_no_amount_is_refused(string limits)
    {
        var refused = await LimitAsync(await api.NewWalletAsync(api.Shop), limits);
        Assert.Equal((400, "number_out_of_range", "perHourMsat"), (refused.Status, refused.Code, refused.String("member")));
    }

    [Fact]
    public async Task A_fee_is_paid_on_top_shown_to_the_payer_and_booked_to_the_operator()
    {
        var key = api.Key("charged", Scopes.Read | Scopes.Pay | Scopes.Withdraw);
        var (payer, payee) = (await api.NewWalletAsync(key, 1), await api.NewWalletAsync(api.Other));
        var set = await api.PostAsync(api.Admin, "/v1/operator/fees", $$"""{"id":"{{ApiFixture.NewId()}}","tenant":"charged","flatMsat":2,"partsPerMillion":10000,"minimumMsat":3}""");
        Assert.Equal((201, "charged", 2, 10_000, 3), (set.Status, set.String("tenant"), set.Long("flatMsat"), set.Long("partsPerMillion"), set.Long("minimumMsat")));
        var listed = (await api.GetAsync(api.Auditor, "/v1/operator/fees")).Json.GetProperty("items").EnumerateArray();
        Assert.Equal(2, listed.Single(f => f.GetProperty("tenant").GetString() == "charged").GetProperty("flatMsat").GetInt64());

        var operatorBefore = await OperatorAvailableAsync();
        var paid = await api.TransferAsync(key, ApiFixture.NewId(), payer, payee, 200);
        Assert.Equal((201, 200, 4, 796), (paid.Status, paid.Long("amountMsat"), paid.Long("feeMsat"), paid.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64()));
        Assert.Equal(paid.Text, (await api.GetAsync(key, $"/v1/wallets/{payer}/transfers/{paid.String("id")}")).Text);
        Assert.Equal(operatorBefore + 4, await OperatorAvailableAsync());
        Assert.Equal("insufficient_funds", (await api.TransferAsync(key, ApiFixture.NewId(), payer, payee, 796)).Code);

        var hold = await api.HoldAsync(key, payer, payee, 100);
        Assert.Equal((3, 693), (hold.Long("feeMsat"), hold.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64()));
        Assert.Equal(3, (await api.GetAsync(key, $"/v1/wallets/{payer}/holds/{hold.String("id")}")).Long("feeLeftMsat"));
        Assert.False((await api.GetAsync(api.Other, $"/v1/wallets/{payer}/holds/{hold.String("id")}")).Json.TryGetProperty("feeLeftMsat", out _));
        var capture = await api.CaptureAsync(api.Other, hold, 100);
        // What the payer pays the operator is no affair of the payee.
        Assert.False(capture.Json.TryGetProperty("feeMsat", out _));
        var split = await api.SplitAsync(key, payer, [(payee, 10), (await api.NewWalletAsync(key), 300)]);
        Assert.Equal((8, 3, 5), (split.Long("feeMsat"), split.Json.GetProperty("parts")[0].GetProperty("feeMsat").GetInt64(), split.Json.GetProperty("parts")[1].GetProperty("feeMsat").GetInt64()));

        // 375 are left: 370, and 5 for moving them.
        var id = ApiFixture.NewId();
        var rest = await api.UpToAsync(key, payer, payee, 1_000, id);
        Assert.Equal((201, 370, 5, 1_000, 0), (rest.Status, rest.Long("amountMsat"), rest.Long("feeMsat"), rest.Long("upToMsat"), rest.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64()));
        await api.DepositAsync(key, payer, 1);
        var again = await api.UpToAsync(key, payer, payee, 1_000, id);
        Assert.Equal((200, 370, 5, 1_000), (again.Status, again.Long("amountMsat"), again.Long("feeMsat"), again.Long("upToMsat")));
        var history = (await api.GetAsync(key, $"/v1/wallets/{payer}/history")).Json.GetProperty("items").EnumerateArray()
            .Select(i => (i.GetProperty("kind").GetString(), i.GetProperty("amountMsat").GetInt64(), i.TryGetProperty("feeMsat", out var fee) ? fee.GetInt64() : 0));
        Assert.Equal(
            [("deposit_credited", 1_000, 0), ("transfer", 370, 5), ("split", 310, 8), ("hold_placed", 100, 3), ("transfer", 200, 4)],
            history.Take(5));
    }

    [Theory]
    [InlineData("\"tenant\":\"nobody\"", 422, "tenant_not_found", "tenant")]
    [InlineData("\"tenant\":\"shop\",\"flatMsat\":-1", 400, "number_out_of_range", "flatMsat")]
    [InlineData("\"tenant\":\"shop\",\"partsPerMillion\":1000001", 400, "number_out_of_range", "partsPerMillion")]
    [InlineData("\"tenant\":\"shop\",\"minimumMsat\":2100000000000000001", 400, "number_out_of_range", "minimumMsat")]
    public async Task Fees_that_cannot_be_are_refused(string terms, int status, string code, string member)
    {
        var entries = await api.EntriesAsync();
        var refused = await api.PostAsync(api.Admin, "/v1/operator/fees", $$"""{"id":"{{ApiFixture.NewId()}}",{{terms}}}""");
        Assert.Equal((status, code, member), (refused.Status, refused.Code, refused.String("member")));
        Assert.Equal(entries, await api.EntriesAsync());
    }

    private async Task<long> OperatorAvailableAsync() =>
        (await api.GetAsync(api.Admin, "/v1/operator")).Json.GetProperty("wallet").GetProperty("availableMsat").GetInt64();
}
