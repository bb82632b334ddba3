using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class WithdrawalApiTests(ApiFixture api)
{
    private Task<ApiAnswer> WithdrawAsync(string wallet, string id, string address, string amount) =>
        api.PostAsync(api.Shop, $"/v1/wallets/{wallet}/withdrawals", $$"""{"id":"{{id}}","address":"{{address}}",{{amount}}}""");

    private Task<ApiAnswer> CancelAsync(string wallet, string id) =>
        api.SendAsync(HttpMethod.Post, $"/v1/wallets/{wallet}/withdrawals/{id}/cancel", api.Shop);

    [Fact]
    public async Task A_withdrawal_is_held_and_queued_and_found_again()
    {
        var wallet = await api.NewWalletAsync(api.Shop, 10_000);
        var (id, address) = (ApiFixture.NewId(), OfflineNode.NewAddress());
        var first = await WithdrawAsync(wallet, id, address, "\"amountSat\":4000");
        Assert.Equal((201, "queued", address, 4_000), (first.Status, first.String("state"), first.String("address"), first.Long("amountSat")));
        var again = await WithdrawAsync(wallet, id, address, "\"amountSat\":4000");
        Assert.Equal((200, first.Text), (again.Status, again.Text));
        Assert.Equal("id_reused", (await WithdrawAsync(wallet, id, address, "\"amountSat\":4001")).Code);

        var balances = await api.GetAsync(api.Shop, "/v1/wallets/" + wallet);
        Assert.Equal((6_000_000, 4_000_000), (balances.Long("availableMsat"), balances.Long("heldMsat")));
        Assert.Equal(first.Text, (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/withdrawals/{id}")).Text);
        var listed = Assert.Single((await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/withdrawals")).Json.GetProperty("items").EnumerateArray());
        Assert.Equal(first.Text, listed.GetRawText());
    }

    [Fact]
    public async Task A_withdrawal_that_is_queued_is_taken_back_however_often_that_is_asked()
    {
        var wallet = await api.NewWalletAsync(api.Shop, 10_000);
        var (id, address) = (ApiFixture.NewId(), OfflineNode.NewAddress());
        var asked = await WithdrawAsync(wallet, id, address, "\"amountSat\":4000");
        var cancelled = await CancelAsync(wallet, id);
        Assert.Equal((200, asked.Text.Replace("queued", "cancelled", StringComparison.Ordinal)), (cancelled.Status, cancelled.Text));
        var balances = await api.GetAsync(api.Shop, "/v1/wallets/" + wallet);
        Assert.Equal((10_000_000, 0), (balances.Long("availableMsat"), balances.Long("heldMsat")));

        var entries = await api.EntriesAsync();
        Assert.Equal(cancelled.Text, (await CancelAsync(wallet, id)).Text);
        Assert.Equal(cancelled.Text, (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/withdrawals/{id}")).Text);
        Assert.Equal(cancelled.Text, (await WithdrawAsync(wallet, id, address, "\"amountSat\":4000")).Text);
        Assert.Equal(entries, await api.EntriesAsync());
        var newest = (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/history?limit=1")).Json.GetProperty("items")[0];
        Assert.Equal(
            ("withdrawal_cancelled", "in", 4_000_000, id),
            (newest.GetProperty("kind").GetString(), newest.GetProperty("direction").GetString(), newest.GetProperty("amountMsat").GetInt64(), newest.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task What_does_not_wait_any_more_is_not_taken_back()
    {
        var (wallet, other) = (await api.NewWalletAsync(api.Shop, 10_000), await api.NewWalletAsync(api.Other));
        var address = (await api.PostAsync(api.Other, $"/v1/wallets/{other}/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).String("address");
        var (inside, refused) = (ApiFixture.NewId(), ApiFixture.NewId());
        await WithdrawAsync(wallet, inside, address, "\"amountSat\":1000");
        await WithdrawAsync(wallet, refused, OfflineNode.NewAddress(), "\"amountSat\":10001");
        foreach (var (id, status, code) in new[]
        {
            (inside, 409, "withdrawal_not_queued"), (refused, 404, "withdrawal_not_found"), (ApiFixture.NewId(), 404, "withdrawal_not_found"), ("x", 400, "malformed_id"),
        })
        {
            var answer = await CancelAsync(wallet, id);
            Assert.Equal((status, code), (answer.Status, answer.Code));
        }
        Assert.Equal(9_000_000, await api.AvailableAsync(api.Shop, wallet));
    }

    [Fact]
    public async Task Max_takes_all_whole_satoshis_and_leaves_the_rest()
    {
        var (wallet, other) = (await api.NewWalletAsync(api.Shop, 10_000), await api.NewWalletAsync(api.Shop));
        await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, other, 1);
        var answer = await WithdrawAsync(wallet, ApiFixture.NewId(), OfflineNode.NewAddress(), "\"max\":true");
        Assert.Equal((201, 9_999), (answer.Status, answer.Long("amountSat")));
        Assert.Equal(999, await api.AvailableAsync(api.Shop, wallet));
    }

    [Fact]
    public async Task An_address_of_another_wallet_is_settled_inside_at_once()
    {
        var (wallet, other) = (await api.NewWalletAsync(api.Shop, 10_000), await api.NewWalletAsync(api.Other));
        var address = (await api.PostAsync(api.Other, $"/v1/wallets/{other}/addresses", $$"""{"id":"{{ApiFixture.NewId()}}"}""")).String("address");
        var answer = await WithdrawAsync(wallet, ApiFixture.NewId(), address, "\"amountSat\":1");
        Assert.Equal((201, "settled_inside"), (answer.Status, answer.String("state")));
        Assert.Equal(1_000, await api.AvailableAsync(api.Other, other));
        Assert.Equal("withdrawal_settled_inside",
            (await api.GetAsync(api.Other, $"/v1/wallets/{other}/history?limit=1")).Json.GetProperty("items")[0].GetProperty("kind").GetString());
    }

    [Theory]
    [InlineData("\"amountSat\":293", 422, "amount_below_dust")]
    [InlineData("\"amountSat\":10001", 422, "insufficient_funds")]
    [InlineData("\"amountSat\":0", 400, "amount_out_of_range")]
    [InlineData("\"amountSat\":-1", 400, "amount_out_of_range")]
    [InlineData("\"amountSat\":2100000000000001", 400, "amount_out_of_range")]
    [InlineData("\"amountSat\":99999999999999999999", 400, "amount_out_of_range")]
    [InlineData("\"amountSat\":1000.5", 400, "not_an_integer")]
    [InlineData("\"amountSat\":\"1000\"", 400, "wrong_type")]
    [InlineData("\"max\":1", 400, "wrong_type")]
    [InlineData("\"max\":false", 400, "amount_or_max")]
    [InlineData("\"amountSat\":1000,\"max\":true", 400, "amount_or_max")]
    [InlineData("\"amountSat\":1000,\"max\":false", 400, "amount_or_max")]
    [InlineData("\"max\":null", 400, "amount_or_max")]
    public async Task A_bad_amount_is_refused(string amount, int status, string code)
    {
        var wallet = await api.NewWalletAsync(api.Shop, 10_000);
        var answer = await WithdrawAsync(wallet, ApiFixture.NewId(), OfflineNode.NewAddress(), amount);
        Assert.Equal((status, code), (answer.Status, answer.Code));
        Assert.Equal(10_000_000, await api.AvailableAsync(api.Shop, wallet));
    }

    [Fact]
    public async Task Max_of_less_than_dust_is_refused_and_the_refusal_remembered()
    {
        var wallet = await api.NewWalletAsync(api.Shop, 200);
        var (id, address) = (ApiFixture.NewId(), OfflineNode.NewAddress());
        var refused = await WithdrawAsync(wallet, id, address, "\"max\":true");
        Assert.Equal((422, "insufficient_funds"), (refused.Status, refused.Code));
        await api.DepositAsync(api.Shop, wallet, 5_000);
        Assert.Equal(refused.Text, (await WithdrawAsync(wallet, id, address, "\"max\":true")).Text);
        Assert.Equal("withdrawal_not_found", (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/withdrawals/{id}")).Code);
    }

    [Fact]
    public async Task An_address_that_cannot_be_paid_is_refused_with_the_reason()
    {
        var wallet = await api.NewWalletAsync(api.Shop, 10_000);
        var good = OfflineNode.NewAddress();
        var taproot = Core.Bech32m.EncodeSegwit("bcrt", 2, new byte[32]);
        foreach (var (address, code) in new[]
        {
            ("", "malformed_address"), ("1", "malformed_address"), (good[..^1] + (good[^1] == 'q' ? 'p' : 'q'), "malformed_address"),
            (OfflineNode.NewAddress(BitcoinNetwork.Mainnet), "address_of_other_network"), ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "address_of_other_network"),
            (taproot, "unsupported_address"),
        })
        {
            var answer = await WithdrawAsync(wallet, ApiFixture.NewId(), address, "\"amountSat\":1000");
            Assert.Equal((400, code, "address"), (answer.Status, answer.Code, answer.String("member")));
        }
        Assert.Equal(10_000_000, await api.AvailableAsync(api.Shop, wallet));
    }

    [Fact]
    public async Task The_anchor_address_and_ones_own_address_are_no_targets()
    {
        var wallet = await api.NewWalletAsync(api.Shop, 10_000);
        var script = await api.Engine.Partitions.First.QueryAsync(ledger => ledger.Genesis!.AnchorScript);
        var anchor = BitcoinAddress.FromScript(script.Span, BitcoinNetwork.Regtest)!;
        Assert.Equal("anchor_address", (await WithdrawAsync(wallet, ApiFixture.NewId(), anchor, "\"amountSat\":1000")).Code);
        var own = (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/addresses")).Json.GetProperty("items")[0].GetProperty("address").GetString()!;
        Assert.Equal("self_transfer", (await WithdrawAsync(wallet, ApiFixture.NewId(), own, "\"amountSat\":1000")).Code);
    }
}
