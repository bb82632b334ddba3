using Bitcache.Core;

namespace Bitcache.Tests.Api;

/// <summary>Refunds over HTTP: the shop paid, somebody else pays back.</summary>
[Trait("suite", "core")]
[Collection("api")]
public sealed class RefundApiTests(ApiFixture api)
{
    private async Task<(string Payer, string Payee)> WalletsAsync() => (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Other));

    [Fact]
    public async Task A_transfer_is_refunded_in_parts_and_never_above_what_it_moved()
    {
        var (payer, payee) = await WalletsAsync();
        var (original, first) = (ApiFixture.NewId(), ApiFixture.NewId());
        await api.TransferAsync(api.Shop, original, payer, payee, 100);
        await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, payee, 100);
        var refund = await api.RefundAsync(api.Other, payee, payer, original, 60, first);
        Assert.Equal((201, "refund", original, 60), (refund.Status, refund.String("kind"), refund.String("original"), refund.Long("amountMsat")));
        Assert.Equal(140, refund.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64());

        var id = ApiFixture.NewId();
        var above = await api.RefundAsync(api.Other, payee, payer, original, 41, id);
        Assert.Equal((422, "refund_exceeds"), above.Refusal());
        Assert.Equal(above.Text, (await api.RefundAsync(api.Other, payee, payer, original, 41, id)).Text);
        Assert.Equal(201, (await api.RefundAsync(api.Other, payee, payer, original, 40)).Status);
        Assert.Equal("refund_exceeds", (await api.RefundAsync(api.Other, payee, payer, original, 1)).Code);

        var again = await api.RefundAsync(api.Other, payee, payer, original, 60, first);
        Assert.Equal((200, refund.Long("sequence"), 100), (again.Status, again.Long("sequence"), again.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64()));
        Assert.Equal(900, await api.AvailableAsync(api.Shop, payer));
        var seen = await api.GetAsync(api.Other, $"/v1/wallets/{payee}/transfers/{first}");
        Assert.Equal(("refund", original, 60), (seen.String("kind"), seen.String("original"), seen.Long("amountMsat")));
    }

    [Fact]
    public async Task A_capture_and_a_part_of_a_split_are_refunded_for_what_they_moved()
    {
        var (payer, payee) = await WalletsAsync();
        var third = await api.NewWalletAsync(api.Other);
        var hold = await api.HoldAsync(api.Shop, payer, payee, 100);
        var capture = await api.CaptureAsync(api.Other, hold, 30);
        Assert.Equal("original_not_found", (await api.RefundAsync(api.Other, payee, payer, hold.String("id"), 1)).Code);
        Assert.Equal("refund_exceeds", (await api.RefundAsync(api.Other, payee, payer, capture.String("id"), 31)).Code);
        Assert.Equal(201, (await api.RefundAsync(api.Other, payee, payer, capture.String("id"), 30)).Status);

        var split = await api.SplitAsync(api.Shop, payer, [(payee, 10), (third, 20)]);
        Assert.Equal("refund_exceeds", (await api.RefundAsync(api.Other, payee, payer, split.String("id"), 11)).Code);
        Assert.Equal(201, (await api.RefundAsync(api.Other, payee, payer, split.String("id"), 10)).Status);
        Assert.Equal(201, (await api.RefundAsync(api.Other, third, payer, split.String("id"), 20)).Status);
        Assert.Equal(0, await api.AvailableAsync(api.Other, third));
    }

    [Fact]
    public async Task What_was_not_paid_to_the_refunder_cannot_be_refunded_and_leaves_no_trace()
    {
        var (payer, payee) = await WalletsAsync();
        var third = await api.NewWalletAsync(api.Other, 1);
        var (paid, refused, refundable) = (ApiFixture.NewId(), ApiFixture.NewId(), ApiFixture.NewId());
        await api.TransferAsync(api.Shop, paid, payer, payee, 100);
        await api.TransferAsync(api.Shop, refused, payer, payee, 100_000);
        var lost = await api.SplitAsync(api.Shop, payer, [(payee, 100_000)]);
        Assert.Equal("insufficient_funds", lost.Code);
        await api.RefundAsync(api.Other, payee, payer, paid, 1, refundable);
        var (id, entries) = (ApiFixture.NewId(), await api.EntriesAsync());
        foreach (var (from, to, original, code) in new[]
        {
            (payee, payer, refused, "original_not_found"),
            (payee, payer, ApiFixture.NewId(), "original_not_found"),
            (third, payer, paid, "original_not_found"),
            (payee, third, paid, "original_not_found"),
            (payee, payer, Guid.CreateVersion7(DateTimeOffset.UnixEpoch).ToString(), "original_not_found"),
            (payee, payee, paid, "self_transfer"),
            (payee, Engine.Partitions.ClientIds.NextWallet().ToString(), paid, "payee_not_found"),
            (payer, payee, paid, "wallet_not_found"),
        })
        {
            Assert.Equal(code, (await api.RefundAsync(api.Other, from, to, original, 1, id)).Code);
        }
        // A refund is no payment that could be refunded in turn.
        Assert.Equal("original_not_found", (await api.RefundAsync(api.Shop, payer, payee, refundable, 1)).Code);
        Assert.Equal(entries, await api.EntriesAsync());
        Assert.Equal(201, (await api.RefundAsync(api.Other, payee, payer, paid, 1, id)).Status);
        // The id is taken now: with another original it is refused for that, whether or not there is such a one.
        Assert.Equal("id_reused", (await api.RefundAsync(api.Other, payee, payer, ApiFixture.NewId(), 1, id)).Code);
        Assert.Equal("id_reused", (await api.RefundAsync(api.Other, payee, payer, paid, 2, id)).Code);
        Assert.Equal("id_reused", (await api.RefundAsync(api.Other, payee, third, paid, 1, id)).Code);
    }

    [Fact]
    public async Task A_refund_needs_money_and_costs_no_fee_and_its_original_may_be_older_than_the_window()
    {
        await using var own = new ApiFixture();
        await own.InitializeAsync();
        var (payer, payee) = (await own.NewWalletAsync(own.Shop, 1), await own.NewWalletAsync(own.Other));
        await own.PostAsync(own.Admin, "/v1/operator/fees", $$"""{"id":"{{ApiFixture.NewId()}}","tenant":"other","flatMsat":5}""");
        var original = Guid.CreateVersion7(TimeProvider.System.GetUtcNow().AddMinutes(-30)).ToString();
        Assert.Equal(201, (await own.TransferAsync(own.Shop, original, payer, payee, 100)).Status);
        Assert.Equal(201, (await own.TransferAsync(own.Other, ApiFixture.NewId(), payee, payer, 45)).Status);
        Assert.Equal("insufficient_funds", (await own.RefundAsync(own.Other, payee, payer, original, 51)).Code);
        var floor = new UnixTime(TimeProvider.System.GetUtcNow().AddMinutes(-1).ToUnixTimeMilliseconds());
        Assert.Equal(Outcome.Accepted, (await own.Engine.Partitions.First.SubmitAsync(new RaiseFloor(floor))).Outcome);
        var refund = await own.RefundAsync(own.Other, payee, payer, original, 50);
        Assert.Equal((201, 0), (refund.Status, refund.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64()));
        Assert.False(refund.Json.TryGetProperty("feeMsat", out _));
    }
}
