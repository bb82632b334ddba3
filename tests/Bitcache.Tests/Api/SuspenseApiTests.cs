using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class SuspenseApiTests(ApiFixture api)
{
    [Fact]
    public async Task An_output_in_suspense_is_listed_assigned_once_and_seen_by_its_new_owner()
    {
        var (of, to) = (await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Other));
        var output = await api.NewSuspenseAsync(api.Shop, of, 300);
        var listed = (await ListAsync()).Single(o => o.Output == output);
        Assert.Equal((of, 300, "final"), (listed.Wallet, listed.Sat, listed.State));

        var id = ApiFixture.NewId();
        var assigned = await AssignAsync(output, id, to);
        Assert.Equal((201, id, output, to, 300), (assigned.Status, assigned.String("id"), assigned.String("output"), assigned.String("wallet"), assigned.Long("amountSat")));
        Assert.Equal(300_000, await api.AvailableAsync(api.Other, to));
        Assert.DoesNotContain(await ListAsync(), o => o.Output == output);

        var retry = await AssignAsync(output, id, to);
        Assert.Equal((200, assigned.Text), (retry.Status, retry.Text));
        Assert.Equal((422, "id_reused"), (await AssignAsync(output, id, of)).Refusal());
        Assert.Equal((404, "suspense_not_found"), (await AssignAsync(output, ApiFixture.NewId(), of)).Refusal());
        Assert.Equal((0, 300_000), (await api.AvailableAsync(api.Shop, of), await api.AvailableAsync(api.Other, to)));

        var line = (await api.GetAsync(api.Other, $"/v1/wallets/{to}/history")).Json.GetProperty("items")[0];
        Assert.Equal(("suspense_assigned", "in", 300_000L, output), (line.GetProperty("kind").GetString(), line.GetProperty("direction").GetString(), line.GetProperty("amountMsat").GetInt64(), line.GetProperty("output").GetString()));
        var deposit = (await api.GetAsync(api.Shop, $"/v1/wallets/{of}/deposits")).Json.GetProperty("items")[0];
        Assert.True(deposit.GetProperty("assigned").GetBoolean() && deposit.GetProperty("suspense").GetBoolean());
    }

    [Fact]
    public async Task An_assignment_has_a_receipt()
    {
        var to = await api.NewWalletAsync(api.Other);
        var output = await api.NewSuspenseAsync(api.Shop, await api.NewWalletAsync(api.Shop), 300);
        Assert.Equal((404, "suspense_not_found"), (await api.GetAsync(api.Admin, ReceiptPath(output))).Refusal());
        var assigned = await AssignAsync(output, ApiFixture.NewId(), to);
        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        var receipt = await api.GetAsync(api.Admin, ReceiptPath(output));
        Assert.True(receipt.Status == 200, receipt.Text);
        Assert.True(Pins.TryParse((await api.GetAsync(api.Shop, "/v1/pins")).Text, out var pins, out _));
        var report = ReceiptVerifier.Verify(new ReceiptFiles(Convert.FromBase64String(receipt.String("leaf")), Convert.FromBase64String(receipt.String("tlogProof"))) { Rotations = api.Engine.KeyRotations }, pins);
        Assert.True(report.Verdict == ReceiptVerdict.LoggedOnly, string.Join('\n', report.Steps));
        var entry = Entry.ReadStatement(report.Entry.Span);
        Assert.Equal((assigned.Long("sequence"), to, new Msat(300_000)), (entry.Sequence, ((AssignSuspense)entry.Command).Wallet.ToString(), entry.Released));
    }

    [Fact]
    public async Task What_cannot_be_assigned_is_refused_and_leaves_no_entry()
    {
        var of = await api.NewWalletAsync(api.Shop, 5_000);
        var output = await api.NewSuspenseAsync(api.Shop, of, 300, isFinal: false);
        var credited = (await api.GetAsync(api.Shop, $"/v1/wallets/{of}/deposits")).Json.GetProperty("items")[1].GetProperty("output").GetString()!;
        var entries = await api.EntriesAsync();
        Assert.Equal((409, "suspense_not_final"), (await AssignAsync(output, ApiFixture.NewId(), of)).Refusal());
        foreach (var other in new[] { credited, output.Split(':')[0] + ":7", "nonsense:0", output.Split(':')[0] + ":-1", output.Split(':')[0] + ":4294967296" })
            Assert.Equal((404, "suspense_not_found"), (await AssignAsync(other, ApiFixture.NewId(), of)).Refusal());
        Assert.Equal((400, "malformed_wallet"), (await AssignAsync(output, ApiFixture.NewId(), "bcw1")).Refusal());
        Assert.Equal((400, "malformed_id"), (await AssignAsync(output, "x", of)).Refusal());
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Fact]
    public async Task A_wallet_that_is_not_there_is_assigned_nothing()
    {
        var output = await api.NewSuspenseAsync(api.Shop, await api.NewWalletAsync(api.Shop), 300);
        var nowhere = Engine.Partitions.ClientIds.NextWallet().ToString();
        Assert.Equal((404, "wallet_not_found"), (await AssignAsync(output, ApiFixture.NewId(), nowhere)).Refusal());
        Assert.Contains(await ListAsync(), o => o.Output == output);
    }

    private Task<ApiAnswer> AssignAsync(string output, string id, string wallet) =>
        api.PostAsync(api.Admin, $"/v1/operator/suspense/{output.Replace(':', '/')}/assign", $$"""{"id":"{{id}}","wallet":"{{wallet}}"}""");

    private static string ReceiptPath(string output) => $"/v1/operator/suspense/{output.Replace(':', '/')}/receipt";

    /// <summary>The whole list, in pages of two.</summary>
    private async Task<List<(string Output, string Wallet, long Sat, string State)>> ListAsync()
    {
        var all = new List<(string, string, long, string)>();
        for (long? before = null; ;)
        {
            var page = await api.GetAsync(api.Admin, "/v1/operator/suspense?limit=2" + (before is null ? "" : $"&before={before}"));
            Assert.Equal(200, page.Status);
            all.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(i => (
                i.GetProperty("output").GetString()!, i.GetProperty("wallet").GetString()!, i.GetProperty("amountSat").GetInt64(), i.GetProperty("state").GetString()!)));
            if (!page.Json.TryGetProperty("next", out var next)) return all;
            before = next.GetInt64();
        }
    }
}
