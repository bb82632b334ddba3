using System.Globalization;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Api;

/// <summary>What withdrawals cost and until when they wait, where users bear their share of mining.</summary>
[Trait("suite", "core")]
public sealed class WithdrawalTermsApiTests : IAsyncLifetime
{
    private readonly ApiFixture _api = new() { WithdrawalFeeShare = true };

    public async ValueTask InitializeAsync()
    {
        await _api.InitializeAsync();
        // 87 virtual bytes at 10 sat each.
        _api.Engine.WithdrawalFees.Post(new FeeRate(10_000));
    }

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    private Task<ApiAnswer> WithdrawAsync(string wallet, string id, string address, string terms) =>
        _api.PostAsync(_api.Shop, $"/v1/wallets/{wallet}/withdrawals", $$"""{"id":"{{id}}","address":"{{address}}",{{terms}}}""");

    private Task<ApiAnswer> QuoteAsync(string wallet, string query) => _api.GetAsync(_api.Shop, $"/v1/wallets/{wallet}/withdrawals:quote?{query}");

    [Fact]
    public async Task What_is_quoted_is_held_and_shown_and_the_rest_of_it_comes_back()
    {
        var (wallet, address) = (await _api.NewWalletAsync(_api.Shop, 10_000), OfflineNode.NewAddress());
        var quote = await QuoteAsync(wallet, $"address={address}&amountSat=4000");
        Assert.Equal((200, 4_000, 870), (quote.Status, quote.Long("amountSat"), quote.Long("feeSat")));
        Assert.True(DateTimeOffset.Parse(quote.String("validUntil"), CultureInfo.InvariantCulture) > _api.Time.GetUtcNow());
        Assert.Equal(9_130, (await QuoteAsync(wallet, "address=" + address)).Long("amountSat"));

        // The rate rises; the quote holds.
        _api.Engine.WithdrawalFees.Post(new FeeRate(90_000));
        var id = ApiFixture.NewId();
        var asked = await WithdrawAsync(wallet, id, address, "\"amountSat\":4000,\"feeMaxSat\":870");
        Assert.Equal((201, 870), (asked.Status, asked.Long("feeQuotedSat")));
        Assert.False(asked.Json.TryGetProperty("feeChargedSat", out _));
        var balances = await _api.GetAsync(_api.Shop, "/v1/wallets/" + wallet);
        Assert.Equal((5_130_000, 4_870_000), (balances.Long("availableMsat"), balances.Long("heldMsat")));
        var requested = await NewestAsync(wallet);
        Assert.Equal(("withdrawal_requested", 870_000), (requested.String("kind"), requested.Long("feeMsat")));

        await FinishAsync(wallet, id, shared: 300);
        var paid = await _api.GetAsync(_api.Shop, $"/v1/wallets/{wallet}/withdrawals/{id}");
        Assert.Equal(("final", 870, 300), (paid.String("state"), paid.Long("feeQuotedSat"), paid.Long("feeChargedSat")));
        Assert.Equal(5_700_000, await _api.AvailableAsync(_api.Shop, wallet));
        var charged = await NewestAsync(wallet);
        Assert.Equal(
            ("withdrawal_charged", "in", 570_000, 300_000, 5_700_000, id),
            (charged.String("kind"), charged.String("direction"), charged.Long("amountMsat"), charged.Long("feeMsat"), charged.Long("availableMsat"), charged.String("id")));
        var operators = await _api.Engine.Partitions.First.QueryAsync(ledger => ledger.OperatorWallet);
        var line = (await _api.GetAsync(_api.Key(ApiFixture.OperatorTenant, Server.Keys.Scopes.Read), $"/v1/wallets/{operators.Id}/history?limit=1")).Json.GetProperty("items")[0];
        Assert.Equal(
            ("withdrawal_charged", "in", 300_000, wallet),
            (line.GetProperty("kind").GetString(), line.GetProperty("direction").GetString(), line.GetProperty("amountMsat").GetInt64(), line.GetProperty("other").GetString()));
    }

    [Fact]
    public async Task Max_leaves_room_for_the_fee_and_what_is_taken_back_comes_with_it()
    {
        var (wallet, id) = (await _api.NewWalletAsync(_api.Shop, 10_000), ApiFixture.NewId());
        var asked = await WithdrawAsync(wallet, id, OfflineNode.NewAddress(), "\"max\":true");
        Assert.Equal((10_000, 0), (asked.Long("amountSat") + asked.Long("feeQuotedSat"), await _api.AvailableAsync(_api.Shop, wallet)));
        Assert.Equal("cancelled", (await _api.SendAsync(HttpMethod.Post, $"/v1/wallets/{wallet}/withdrawals/{id}/cancel", _api.Shop)).String("state"));
        Assert.Equal(10_000_000, await _api.AvailableAsync(_api.Shop, wallet));
        Assert.Equal(10_000_000, (await NewestAsync(wallet)).Long("amountMsat"));
    }

    [Fact]
    public async Task A_fee_above_what_is_accepted_is_refused_until_mining_costs_less()
    {
        var (wallet, id, address) = (await _api.NewWalletAsync(_api.Shop, 10_000), ApiFixture.NewId(), OfflineNode.NewAddress());
        var refused = await WithdrawAsync(wallet, id, address, "\"amountSat\":4000,\"feeMaxSat\":86");
        Assert.Equal((422, "fee_above_max"), (refused.Status, refused.Code));
        _api.Engine.WithdrawalFees.Post(new FeeRate(980));
        var accepted = await WithdrawAsync(wallet, id, address, "\"amountSat\":4000,\"feeMaxSat\":86");
        Assert.Equal((201, 86), (accepted.Status, accepted.Long("feeQuotedSat")));
        _api.Engine.WithdrawalFees.Post(new FeeRate(500));
        // A retry is answered as it was; other terms are another request.
        Assert.Equal(accepted.Text, (await WithdrawAsync(wallet, id, address, "\"amountSat\":4000,\"feeMaxSat\":86")).Text);
        Assert.Equal("id_reused", (await WithdrawAsync(wallet, id, address, "\"amountSat\":4000,\"feeMaxSat\":87")).Code);
        Assert.Equal("id_reused", (await WithdrawAsync(wallet, id, address, "\"amountSat\":4000")).Code);
    }

    [Fact]
    public async Task What_is_settled_inside_costs_nothing_and_its_quote_does_not_tell()
    {
        var (wallet, other) = (await _api.NewWalletAsync(_api.Shop, 10_000), await _api.NewWalletAsync(_api.Other));
        var address = (await _api.PostAsync(_api.Other, $"/v1/wallets/{other}/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).String("address");
        Assert.Equal((await QuoteAsync(wallet, "address=" + OfflineNode.NewAddress())).Long("feeSat"), (await QuoteAsync(wallet, "address=" + address)).Long("feeSat"));
        var settled = await WithdrawAsync(wallet, ApiFixture.NewId(), address, "\"amountSat\":4000,\"feeMaxSat\":0");
        Assert.Equal("settled_inside", settled.String("state"));
        Assert.False(settled.Json.TryGetProperty("feeQuotedSat", out _));
        Assert.Equal(6_000_000, await _api.AvailableAsync(_api.Shop, wallet));
    }

    [Fact]
    public async Task A_deadline_is_told_and_over_gives_the_money_back()
    {
        var (wallet, id, address) = (await _api.NewWalletAsync(_api.Shop, 10_000), ApiFixture.NewId(), OfflineNode.NewAddress());
        // The ledger's time, not less than a second from its next batch.
        var deadline = TimeProvider.System.GetUtcNow().AddSeconds(1).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var asked = await WithdrawAsync(wallet, id, address, $"\"amountSat\":4000,\"deadline\":\"{deadline}\"");
        Assert.Equal((201, deadline), (asked.Status, asked.String("deadline")));
        string state;
        do state = (await _api.GetAsync(_api.Shop, $"/v1/wallets/{wallet}/withdrawals/{id}")).String("state");
        while (state == "queued");
        Assert.Equal("expired", state);
        Assert.Equal(10_000_000, await _api.AvailableAsync(_api.Shop, wallet));
        var line = await NewestAsync(wallet);
        Assert.Equal(("withdrawal_expired", "in", id), (line.String("kind"), line.String("direction"), line.String("id")));
        var late = await _api.SendAsync(HttpMethod.Post, $"/v1/wallets/{wallet}/withdrawals/{id}/cancel", _api.Shop);
        Assert.Equal((409, "withdrawal_not_queued"), (late.Status, late.Code));
    }

    [Theory]
    [InlineData("\"deadline\":\"2020-01-01T00:00:00Z\"", 422, "deadline_out_of_range")]
    [InlineData("\"deadline\":\"2999-01-01T00:00:00Z\"", 422, "deadline_out_of_range")]
    [InlineData("\"deadline\":\"tomorrow\"", 400, "malformed_time")]
    [InlineData("\"deadline\":5", 400, "wrong_type")]
    [InlineData("\"feeMaxSat\":-1", 400, "number_out_of_range")]
    [InlineData("\"feeMaxSat\":2100000000000001", 400, "number_out_of_range")]
    [InlineData("\"feeMaxSat\":1.5", 400, "not_an_integer")]
    public async Task Bad_terms_are_refused(string terms, int status, string code)
    {
        var wallet = await _api.NewWalletAsync(_api.Shop, 10_000);
        var answer = await WithdrawAsync(wallet, ApiFixture.NewId(), OfflineNode.NewAddress(), "\"amountSat\":4000," + terms);
        Assert.Equal((status, code), (answer.Status, answer.Code));
        Assert.Equal(10_000_000, await _api.AvailableAsync(_api.Shop, wallet));
    }

    [Theory]
    [InlineData("", "malformed_parameter")]
    [InlineData("amountSat=5", "malformed_parameter")]
    [InlineData("address=bc1", "malformed_address")]
    [InlineData("address=ADDRESS&amountSat=x", "malformed_parameter")]
    [InlineData("address=ADDRESS&amountSat=0", "amount_out_of_range")]
    [InlineData("address=ADDRESS&address=ADDRESS", "unknown_parameter")]
    [InlineData("address=ADDRESS&max=true", "unknown_parameter")]
    public async Task A_bad_question_is_refused(string query, string code)
    {
        var wallet = await _api.NewWalletAsync(_api.Shop);
        Assert.Equal(code, (await QuoteAsync(wallet, query.Replace("ADDRESS", OfflineNode.NewAddress(), StringComparison.Ordinal))).Code);
    }

    /// <summary>Takes the withdrawal to its end as the settlement would, in one transaction of which it bears so much.</summary>
    private async Task FinishAsync(string wallet, string id, long shared)
    {
        var partition = _api.Engine.Partitions.First;
        await TopUpAsync(10_000);
        Assert.True(OperationId.TryParse(id, out var operation));
        var key = new WithdrawalKey(ApiFixture.Parse(wallet), operation);
        foreach (var command in new Command[]
        {
            new OpenFamily(1, new Sats(1_000), null, [key]),
            new SignAttempt(1, 1, default, new Sats(500), new ByteString([1])),
            new ConfirmFamily(1, 1, 7, default, new ByteString(new byte[80]), 0, []),
            new FinishFamily(1, new Sats(shared)),
            new ChargeWithdrawal(key),
        }) Assert.Equal(Outcome.Accepted, (await partition.SubmitAsync(command)).Outcome);
    }

    private async Task TopUpAsync(long sat)
    {
        var address = await _api.PostAsync(_api.Admin, "/v1/operator/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""");
        Assert.True(BitcoinAddress.TryParse(address.String("address"), BitcoinNetwork.Regtest, out var script, out _));
        var deposit = new ChangeDeposit(new OutPoint(new Txid(new Hash256(1, 1)), 0), DepositState.Credited, false, new ByteString(script), new Sats(sat), default, 101);
        Assert.Equal(Outcome.Accepted, (await _api.Engine.Partitions.First.SubmitAsync(deposit)).Outcome);
    }

    private async Task<Line> NewestAsync(string wallet) =>
        new((await _api.GetAsync(_api.Shop, $"/v1/wallets/{wallet}/history?limit=1")).Json.GetProperty("items")[0]);

    private readonly record struct Line(System.Text.Json.JsonElement Json)
    {
        public string String(string member) => Json.GetProperty(member).GetString()!;
        public long Long(string member) => Json.GetProperty(member).GetInt64();
    }
}
