using Bitcache.Core;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class FrozenApiTests(ApiFixture api)
{
    [Fact]
    public async Task A_frozen_deposit_is_listed_released_once_and_seen_by_its_owner()
    {
        var (wallet, output) = await NewFrozenAsync(500, spent: 200);
        var listed = (await ListAsync()).Single(f => f.Output == output);
        Assert.Equal((wallet, 500, 300_000, 200_000), (listed.Wallet, listed.Sat, listed.Frozen, listed.Owed));

        var id = ApiFixture.NewId();
        var released = await SettleAsync(output, "release", id, "node restored, ticket 7");
        Assert.Equal((201, id, output, "final", 500_000, "node restored, ticket 7"), (released.Status, released.String("id"), released.String("output"), released.String("state"), released.Long("amountMsat"), released.String("reason")));
        Assert.Equal(300_000, await api.AvailableAsync(api.Shop, wallet));
        Assert.DoesNotContain(await ListAsync(), f => f.Output == output);

        var retry = await SettleAsync(output, "release", id, "node restored, ticket 7");
        Assert.Equal((200, released.Text), (retry.Status, retry.Text));
        Assert.Equal((422, "id_reused"), (await SettleAsync(output, "reverse", id, "node restored, ticket 7")).Refusal());
        Assert.Equal((422, "id_reused"), (await SettleAsync(output, "release", id, "another reason")).Refusal());
        Assert.Equal((404, "frozen_not_found"), (await SettleAsync(output, "reverse", ApiFixture.NewId())).Refusal());
        var line = (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history")).Json.GetProperty("items")[0];
        Assert.Equal(("deposit_settled_released", "in", 300_000L, output), (line.GetProperty("kind").GetString(), line.GetProperty("direction").GetString(), line.GetProperty("amountMsat").GetInt64(), line.GetProperty("output").GetString()));
        Assert.Equal("final", (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/deposits")).Json.GetProperty("items")[0].GetProperty("state").GetString());
    }

    [Fact]
    public async Task What_was_spent_of_a_reversed_deposit_is_owed()
    {
        var (wallet, output) = await NewFrozenAsync(500, spent: 200);
        var reversed = await SettleAsync(output, "reverse", ApiFixture.NewId());
        Assert.Equal((201, "reversed", 500_000), (reversed.Status, reversed.String("state"), reversed.Long("amountMsat")));
        var shown = await api.GetAsync(api.Shop, "/v1/wallets/" + wallet);
        Assert.Equal((0, 200_000), (shown.Long("availableMsat"), shown.Long("owedMsat")));
        var line = (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history")).Json.GetProperty("items")[0];
        Assert.Equal(("deposit_settled_reversed", "out"), (line.GetProperty("kind").GetString(), line.GetProperty("direction").GetString()));
        // Who said so stands in the journal, and in no answer.
        var entry = api.Engine.Partitions.HomeOf(ApiFixture.Parse(wallet)).ReadEntry(reversed.Long("sequence"));
        Assert.NotEqual(0, ((SettleDeposit)entry.Command).By.Length);
    }

    [Fact]
    public async Task What_cannot_be_settled_is_refused_and_leaves_no_entry()
    {
        var (wallet, output) = await NewFrozenAsync(500, spent: 0);
        var credited = (await api.DepositAsync(api.Shop, wallet, 100)).OutPoint.ToString();
        var entries = await api.EntriesAsync();
        foreach (var other in new[] { credited, output.Split(':')[0] + ":7", "nonsense:0", output.Split(':')[0] + ":4294967296" })
            Assert.Equal((404, "frozen_not_found"), (await SettleAsync(other, "reverse", ApiFixture.NewId())).Refusal());
        Assert.Equal((400, "malformed_id"), (await SettleAsync(output, "reverse", "x")).Refusal());
        Assert.Equal((400, "missing_member"), (await SettleAsync(output, "reverse", ApiFixture.NewId(), "")).Refusal());
        Assert.Equal((400, "malformed_reference"), (await SettleAsync(output, "reverse", ApiFixture.NewId(), new string('x', 65))).Refusal());
        Assert.Equal((403, "scope_missing"), (await api.PostAsync(api.Shop, $"/v1/operator/frozen/{output.Replace(':', '/')}/reverse", Body(ApiFixture.NewId(), "x"))).Refusal());
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Fact]
    public async Task What_was_never_credited_is_only_reversed()
    {
        var (_, output) = await NewFrozenAsync(500, spent: 0, credited: false);
        Assert.Equal((409, "deposit_not_credited"), (await SettleAsync(output, "release", ApiFixture.NewId())).Refusal());
        Assert.Equal(0, (await SettleAsync(output, "reverse", ApiFixture.NewId())).Long("amountMsat"));
    }

    /// <summary>A deposit that left the chain after part of it was spent.</summary>
    private async Task<(string Wallet, string Output)> NewFrozenAsync(long sat, long spent, bool credited = true)
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        var deposit = await api.DepositAsync(api.Shop, wallet, sat);
        if (!credited) deposit = deposit with { OutPoint = deposit.OutPoint with { Index = 1 }, To = DepositState.Seen };
        if (!credited) await DoAsync(wallet, deposit);
        if (spent > 0) Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, await api.NewWalletAsync(api.Shop), spent * 1_000)).Status);
        await DoAsync(wallet, deposit with { To = DepositState.Frozen });
        return (wallet, deposit.OutPoint.ToString());
    }

    private async Task DoAsync(string wallet, ChangeDeposit change) =>
        Assert.Equal(Outcome.Accepted, (await api.Engine.Partitions.HomeOf(ApiFixture.Parse(wallet)).SubmitAsync(change)).Outcome);

    private Task<ApiAnswer> SettleAsync(string output, string word, string id, string reason = "forgotten") =>
        api.PostAsync(api.Admin, $"/v1/operator/frozen/{output.Replace(':', '/')}/{word}", Body(id, reason));

    private static string Body(string id, string reason) => $$"""{"id":"{{id}}","reason":"{{reason}}"}""";

    /// <summary>The whole list, in pages of two.</summary>
    private async Task<List<(string Output, string Wallet, long Sat, long Frozen, long Owed)>> ListAsync()
    {
        var all = new List<(string, string, long, long, long)>();
        for (long? before = null; ;)
        {
            var page = await api.GetAsync(api.Admin, "/v1/operator/frozen?limit=2" + (before is null ? "" : $"&before={before}"));
            Assert.Equal(200, page.Status);
            all.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(i => (
                i.GetProperty("output").GetString()!, i.GetProperty("wallet").GetString()!, i.GetProperty("amountSat").GetInt64(),
                i.GetProperty("frozenMsat").GetInt64(), i.GetProperty("owedMsat").GetInt64())));
            if (!page.Json.TryGetProperty("next", out var next)) return all;
            before = next.GetInt64();
        }
    }
}
