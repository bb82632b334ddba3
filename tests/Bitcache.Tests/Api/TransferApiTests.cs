using System.Text.Json;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class TransferApiTests(ApiFixture api)
{
    [Fact]
    public async Task A_payment_moves_money_and_shows_each_side_only_to_its_owner()
    {
        var (mine, alsoMine, theirs) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Other));
        var inside = await api.TransferAsync(api.Shop, ApiFixture.NewId(), mine, alsoMine, 250);
        Assert.Equal(201, inside.Status);
        Assert.Equal(9_750, inside.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64());
        Assert.Equal(250, inside.Json.GetProperty("payeeWallet").GetProperty("availableMsat").GetInt64());

        var id = ApiFixture.NewId();
        var outside = await api.PostAsync(api.Shop, "/v1/transfers",
            $$"""{"id":"{{id}}","payer":"{{mine}}","payee":"{{theirs}}","amountMsat":1,"code":4294967295,"reference":"Lied 7 ♪"}""");
        Assert.Equal(201, outside.Status);
        Assert.False(outside.Json.TryGetProperty("payeeWallet", out _));
        Assert.Equal(9_749, outside.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64());
        Assert.Equal((id, "accepted", 1, 4294967295, "Lied 7 ♪"),
            (outside.String("id"), outside.String("outcome"), outside.Long("amountMsat"), outside.Long("code"), outside.String("reference")));

        Assert.Equal(1, await api.AvailableAsync(api.Other, theirs));
        var again = await api.GetAsync(api.Shop, $"/v1/wallets/{mine}/transfers/{id}");
        Assert.Equal(outside.Text, again.Text);
    }

    [Fact]
    public async Task Ids_in_capitals_are_answered_as_they_are_always_written()
    {
        var (payer, payee, id) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Shop), ApiFixture.NewId());
        var paid = await api.TransferAsync(api.Shop, id.ToUpperInvariant(), payer.ToUpperInvariant(), payee.ToUpperInvariant(), 250);
        Assert.Equal((201, id, payer, payee), (paid.Status, paid.String("id"), paid.String("payer"), paid.String("payee")));
        Assert.Equal((payer, payee), (paid.Json.GetProperty("payerWallet").GetProperty("wallet").GetString(), paid.Json.GetProperty("payeeWallet").GetProperty("wallet").GetString()));
        Assert.Equal(paid.Text, (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/transfers/{id}")).Text);
    }

    [Fact]
    public async Task The_same_request_again_gets_the_first_answer_with_todays_balances()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Shop));
        var id = ApiFixture.NewId();
        var first = await api.TransferAsync(api.Shop, id, payer, payee, 1_000);
        await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, payee, 500);
        var entries = await api.EntriesAsync();
        var again = await api.TransferAsync(api.Shop, id, payer, payee, 1_000);
        Assert.Equal((201, 200), (first.Status, again.Status));
        Assert.All(["sequence", "time", "outcome", "amountMsat"], member =>
            Assert.Equal(first.Json.GetProperty(member).ToString(), again.Json.GetProperty(member).ToString()));
        Assert.Equal(8_500, again.Json.GetProperty("payerWallet").GetProperty("availableMsat").GetInt64());
        Assert.Equal(entries, await api.EntriesAsync());
    }

    [Theory]
    [InlineData("""{"amountMsat":999}""")]
    [InlineData("""{"code":1}""")]
    [InlineData("""{"reference":"other"}""")]
    [InlineData("""{"payee":"OTHER"}""")]
    public async Task Other_terms_under_a_known_id_are_refused(string change)
    {
        var (payer, payee, third) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Shop));
        var terms = new Dictionary<string, object> { ["id"] = ApiFixture.NewId(), ["payer"] = payer, ["payee"] = payee, ["amountMsat"] = 1_000 };
        Assert.Equal(201, (await api.PostAsync(api.Shop, "/v1/transfers", JsonSerializer.Serialize(terms))).Status);
        foreach (var member in JsonElement.Parse(change.Replace("OTHER", third, StringComparison.Ordinal)).EnumerateObject()) terms[member.Name] = member.Value;
        var reused = await api.PostAsync(api.Shop, "/v1/transfers", JsonSerializer.Serialize(terms));
        Assert.Equal((422, "id_reused"), (reused.Status, reused.Code));
        Assert.Equal(9_000, await api.AvailableAsync(api.Shop, payer));
    }

    [Fact]
    public async Task A_refusal_for_lack_of_funds_is_remembered_even_when_the_money_has_come()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var id = ApiFixture.NewId();
        var refused = await api.TransferAsync(api.Shop, id, payer, payee, 1_001);
        Assert.Equal((422, "insufficient_funds"), (refused.Status, refused.Code));
        Assert.True(refused.Long("sequence") > 0);
        await api.DepositAsync(api.Shop, payer, 100);
        Assert.Equal(refused.Text, (await api.TransferAsync(api.Shop, id, payer, payee, 1_001)).Text);
        Assert.Equal("id_reused", (await api.TransferAsync(api.Shop, id, payer, payee, 1_000)).Code);

        var seen = await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/transfers/{id}");
        Assert.Equal((200, "insufficient_funds"), (seen.Status, seen.String("outcome")));
        Assert.Equal("transfer_refused", (await api.GetAsync(api.Shop, $"/v1/wallets/{payer}/transfers/{id}/receipt")).Code);
    }

    [Fact]
    public async Task An_id_from_the_future_is_refused_with_the_servers_time()
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        var time = DateTimeOffset.FromUnixTimeMilliseconds(Environment.TickCount64) + TimeSpan.FromDays(365 * 200);
        var refused = await api.TransferAsync(api.Shop, Guid.CreateVersion7(time).ToString(), wallet, await api.NewWalletAsync(api.Shop), 1);
        Assert.Equal((422, "id_too_new"), (refused.Status, refused.Code));
        Assert.Equal(api.Time.GetUtcNow(), DateTimeOffset.Parse(refused.String("serverTime"), null), TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task An_id_below_the_floor_is_refused_with_the_servers_time()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Shop));
        var refused = await api.TransferAsync(api.Shop, Guid.CreateVersion7(DateTimeOffset.UnixEpoch).ToString(), payer, payee, 1);
        Assert.Equal((422, "id_too_old"), (refused.Status, refused.Code));
        Assert.NotEmpty(refused.String("serverTime"));
    }

    [Fact]
    public async Task A_receipt_comes_with_the_next_checkpoint()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var id = ApiFixture.NewId();
        await api.TransferAsync(api.Shop, id, payer, payee, 1);
        var path = $"/v1/wallets/{payer}/transfers/{id}/receipt";
        var early = await api.GetAsync(api.Shop, path);
        Assert.Equal((409, "receipt_not_ready"), (early.Status, early.Code));
        Assert.NotNull(early.Headers.RetryAfter);

        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        var receipt = await api.GetAsync(api.Shop, path);
        Assert.Equal(200, receipt.Status);
        Assert.False(receipt.Json.TryGetProperty("openTimestamps", out _));
        var leaf = Convert.FromBase64String(receipt.String("leaf"));
        var proof = System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(receipt.String("tlogProof")));
        var entry = Core.Entry.ReadStatement(leaf.AsSpan(1));
        Assert.Equal((payer, payee), (((Core.Transfer)entry.Command).Payer.ToString(), ((Core.Transfer)entry.Command).Payee.ToString()));
        var pins = (await api.GetAsync(api.Shop, "/v1/pins")).Text;
        Assert.True(Core.Audit.Pins.TryParse(pins, out var parsed, out var refusal), refusal);
        Assert.True(parsed is not null);
        Assert.StartsWith("c2sp.org/tlog-proof@v1", proof, StringComparison.Ordinal);
        Assert.EndsWith((await api.GetAsync(api.Shop, "/v1/checkpoint")).Text, proof, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hundred_at_once_spend_a_wallet_to_nothing_and_not_below()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, payee, 20)));
        Assert.Equal(50, answers.Count(a => a.Status == 201));
        Assert.Equal(50, answers.Count(a => a.Code == "insufficient_funds"));
        Assert.Equal((0, 1_000), (await api.AvailableAsync(api.Shop, payer), await api.AvailableAsync(api.Shop, payee)));
    }

    [Fact]
    public async Task The_same_request_many_times_at_once_pays_once()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var id = ApiFixture.NewId();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => api.TransferAsync(api.Shop, id, payer, payee, 20)));
        Assert.Single(answers, a => a.Status == 201);
        Assert.All(answers.Where(a => a.Status != 201), a => Assert.True(a.Status == 200 || a.Code == "id_in_flight"));
        Assert.All(answers.Where(a => a.Code == "id_in_flight"), a => Assert.NotNull(a.Headers.RetryAfter));
        Assert.Equal(980, await api.AvailableAsync(api.Shop, payer));
    }
}
