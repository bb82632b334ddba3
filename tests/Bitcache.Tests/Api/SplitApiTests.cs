using Bitcache.Core;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class SplitApiTests(ApiFixture api)
{
    [Fact]
    public async Task All_are_paid_each_part_with_a_sequence_and_a_receipt_of_its_own()
    {
        var (payer, mine, theirs) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Other));
        var id = ApiFixture.NewId();
        var split = await api.SplitAsync(api.Shop, payer, [(mine, 200), (theirs, 50)], id);
        Assert.Equal((201, "accepted", 250), (split.Status, split.String("outcome"), split.Long("amountMsat")));
        Assert.Equal(750, split.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64());
        var parts = split.Json.GetProperty("parts");
        Assert.Equal([split.Long("sequence"), split.Long("sequence") + 1], parts.EnumerateArray().Select(p => p.GetProperty("sequence").GetInt64()));
        Assert.Equal(200, parts[0].GetProperty("payeeWallet").GetProperty("availableMsat").GetInt64());
        Assert.False(parts[1].TryGetProperty("payeeWallet", out _));
        Assert.Equal((0, 50), (await api.AvailableAsync(api.Shop, mine) - 200, await api.AvailableAsync(api.Other, theirs)));

        var again = await api.SplitAsync(api.Shop, payer, [(mine, 200), (theirs, 50)], id);
        Assert.Equal((200, split.Text), (again.Status, again.Text));
        var path = $"/v1/wallets/{payer}/splits/{id}";
        Assert.Equal(split.Text, (await api.GetAsync(api.Shop, path)).Text);
        Assert.Equal("transfer_not_found", (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/transfers/{id}")).Code);
        Assert.Equal("split_not_found", (await api.GetAsync(api.Shop, $"/v1/wallets/{mine}/splits/{id}")).Code);

        Assert.Equal("receipt_not_ready", (await api.GetAsync(api.Shop, path + "/receipt")).Code);
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        foreach (var (query, part, payee) in new[] { ("", 0, mine), ("?part=0", 0, mine), ("?part=1", 1, theirs) })
        {
            var receipt = await api.GetAsync(api.Shop, path + "/receipt" + query);
            var entry = Entry.ReadStatement(Convert.FromBase64String(receipt.String("leaf")).AsSpan(1));
            Assert.Equal((split.Long("sequence") + part, payee), (entry.Sequence, entry.Payee.ToString()));
        }
        Assert.Equal("malformed_parameter", (await api.GetAsync(api.Shop, path + "/receipt?part=2")).Code);
    }

    [Fact]
    public async Task Too_little_for_all_moves_nothing_and_is_remembered()
    {
        var (payer, a, b) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Shop));
        var id = ApiFixture.NewId();
        var refused = await api.SplitAsync(api.Shop, payer, [(a, 999), (b, 2)], id);
        Assert.Equal((422, "insufficient_funds"), refused.Refusal());
        Assert.Equal((1_000, 0, 0), (await api.AvailableAsync(api.Shop, payer), await api.AvailableAsync(api.Shop, a), await api.AvailableAsync(api.Shop, b)));
        await api.DepositAsync(api.Shop, payer, 1);
        Assert.Equal(refused.Text, (await api.SplitAsync(api.Shop, payer, [(a, 999), (b, 2)], id)).Text);
        var seen = await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/splits/{id}");
        Assert.Equal((200, "insufficient_funds", 1_001), (seen.Status, seen.String("outcome"), seen.Long("amountMsat")));
        Assert.Equal("transfer_refused", (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/splits/{id}/receipt")).Code);
    }

    [Fact]
    public async Task Sixty_four_payees_are_paid_and_every_shape_that_is_none_is_refused_without_a_trace()
    {
        var payer = await api.NewWalletAsync(api.Shop, 1);
        var payees = new List<string>();
        for (var i = 0; i < Limits.SplitPayeesMax; i++) payees.Add(await api.NewWalletAsync(api.Shop));
        var (a, b) = (payees[0], payees[1]);
        var (id, entries) = (ApiFixture.NewId(), await api.EntriesAsync());
        foreach (var (parts, status, code, member) in new ((string, long)[], int, string, string?)[]
        {
            ([], 400, "parts_out_of_range", "parts"),
            ([.. payees.Select(p => (p, 1L)), (payer, 1)], 400, "parts_out_of_range", "parts"),
            ([(a, 1), (b, 0)], 400, "amount_out_of_range", "parts[1].amountMsat"),
            ([(a, Limits.SupplyMsatMax), (b, 1)], 400, "amount_out_of_range", "parts"),
            ([(a, 1), ("bcw1", 1)], 400, "malformed_wallet", "parts[1].payee"),
            ([(a, 1), (b, 1), (a, 1)], 422, "payee_twice", null),
            ([(a, 1), (payer, 1)], 422, "self_transfer", null),
            ([(a, 1), (Engine.Partitions.ClientIds.NextWallet().ToString(), 1)], 422, "payee_not_found", null),
        })
        {
            var refused = await api.SplitAsync(api.Shop, payer, parts, id);
            Assert.Equal((status, code), refused.Refusal());
            if (member is not null) Assert.Equal(member, refused.String("member"));
        }
        Assert.Equal("wallet_not_found", (await api.SplitAsync(api.Other, payer, [(a, 1)], id)).Code);
        Assert.Equal(entries, await api.EntriesAsync());
        var all = await api.SplitAsync(api.Shop, payer, payees.Select(p => (p, 2L)), id);
        Assert.Equal((201, 128), (all.Status, all.Long("amountMsat")));
        Assert.Equal(entries + Limits.SplitPayeesMax, await api.EntriesAsync());
    }
}
