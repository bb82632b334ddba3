using System.Net.Sockets;
using System.Text;
using Bitcache.Server.Keys;
using Microsoft.Extensions.Logging;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class BadRequestTests(ApiFixture api)
{
    [Theory]
    [InlineData("\"amountMsat\":0", "amount_out_of_range", "amountMsat")]
    [InlineData("\"amountMsat\":-1", "amount_out_of_range", "amountMsat")]
    [InlineData("\"amountMsat\":-9223372036854775808", "amount_out_of_range", "amountMsat")]
    [InlineData("\"amountMsat\":2100000000000000001", "amount_out_of_range", "amountMsat")]
    [InlineData("\"amountMsat\":9223372036854775807", "amount_out_of_range", "amountMsat")]
    [InlineData("\"amountMsat\":99999999999999999999999999", "amount_out_of_range", "amountMsat")]
    [InlineData("\"amountMsat\":1.5", "not_an_integer", "amountMsat")]
    [InlineData("\"amountMsat\":\"1\"", "wrong_type", "amountMsat")]
    [InlineData("\"amountMsat\":1,\"amountMsat\":1", "duplicate_member", "amountMsat")]
    [InlineData("\"amountMsat\":1,\"amountSat\":1", "unknown_member", "amountSat")]
    [InlineData("\"code\":1", "missing_member", "amountMsat")]
    [InlineData("\"amountMsat\":1,\"code\":-1", "number_out_of_range", "code")]
    [InlineData("\"amountMsat\":1,\"code\":4294967296", "number_out_of_range", "code")]
    [InlineData("\"amountMsat\":1,\"reference\":\"line\\nfeed\"", "malformed_reference", "reference")]
    [InlineData("\"amountMsat\":1,\"reference\":\"\\u009b31m\"", "malformed_reference", "reference")]
    [InlineData("\"amountMsat\":1,\"reference\":\"a\\u202eb\"", "malformed_reference", "reference")]
    [InlineData("\"amountMsat\":1,\"reference\":\"a\\u2028b\"", "malformed_reference", "reference")]
    [InlineData("\"amountMsat\":1,\"reference\":\"a\\u2029b\"", "malformed_reference", "reference")]
    [InlineData("\"amountMsat\":1,\"reference\":\"a\\udb40\\udc01b\"", "malformed_reference", "reference")]
    [InlineData("\"amountMsat\":1,\"reference\":\"1234567890123456789012345678901234567890123456789012345678901234€\"", "malformed_reference", "reference")]
    public async Task A_bad_payment_is_refused_with_its_reason_and_leaves_no_trace(string terms, string code, string member)
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var entries = await api.EntriesAsync();
        var id = ApiFixture.NewId();
        var answer = await api.PostAsync(api.Shop, "/v1/transfers", $$"""{"id":"{{id}}","payer":"{{payer}}","payee":"{{payee}}",{{terms}}}""");
        Assert.Equal((400, code, member), (answer.Status, answer.Code, answer.String("member")));
        Assert.Equal("application/problem+json", answer.ContentType);
        Assert.Equal(entries, await api.EntriesAsync());
        Assert.Equal(201, (await api.TransferAsync(api.Shop, id, payer, payee, 1)).Status);
    }

    [Fact]
    public async Task A_reference_of_exactly_64_bytes_is_taken()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var reference = new string('é', 32);
        var answer = await api.PostAsync(api.Shop, "/v1/transfers",
            $$"""{"id":"{{ApiFixture.NewId()}}","payer":"{{payer}}","payee":"{{payee}}","amountMsat":1,"reference":"{{reference}}"}""");
        Assert.Equal((201, reference), (answer.Status, answer.String("reference")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("bcw1")]
    [InlineData("not a wallet")]
    [InlineData("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")]
    public async Task A_malformed_wallet_is_told_apart_from_an_unknown_one(string wallet)
    {
        var good = await api.NewWalletAsync(api.Shop, 1);
        var payee = await api.TransferAsync(api.Shop, ApiFixture.NewId(), good, wallet, 1);
        Assert.Equal((400, "malformed_wallet", "payee"), (payee.Status, payee.Code, payee.String("member")));
        var payer = await api.TransferAsync(api.Shop, ApiFixture.NewId(), wallet, good, 1);
        Assert.Equal((400, "malformed_wallet", "payer"), (payer.Status, payer.Code, payer.String("member")));
        if (wallet.Length == 0) return;
        var path = await api.GetAsync(api.Shop, "/v1/wallets/" + Uri.EscapeDataString(wallet));
        Assert.Equal((400, "malformed_wallet", "wallet"), (path.Status, path.Code, path.String("member")));
    }

    [Fact]
    public async Task A_mistyped_character_in_a_wallet_is_found()
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        var mistyped = wallet[..10] + (wallet[10] == 'q' ? 'p' : 'q') + wallet[11..];
        Assert.Equal("malformed_wallet", (await api.GetAsync(api.Shop, "/v1/wallets/" + mistyped)).Code);
    }

    [Fact]
    public async Task Unknown_wallets_and_payments_to_oneself_are_refused_and_the_id_is_free_again()
    {
        var (payer, payee, id) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop), ApiFixture.NewId());
        var nobody = Engine.Partitions.ClientIds.NextWallet().ToString();
        var entries = await api.EntriesAsync();
        var unknownPayee = await api.TransferAsync(api.Shop, id, payer, nobody, 1);
        Assert.Equal((422, "payee_not_found"), (unknownPayee.Status, unknownPayee.Code));
        var unknownPayer = await api.TransferAsync(api.Shop, id, nobody, payee, 1);
        Assert.Equal((404, "wallet_not_found"), (unknownPayer.Status, unknownPayer.Code));
        var self = await api.TransferAsync(api.Shop, id, payer, payer, 1);
        Assert.Equal((422, "self_transfer"), (self.Status, self.Code));
        Assert.Equal(entries, await api.EntriesAsync());
        Assert.Equal(201, (await api.TransferAsync(api.Shop, id, payer, payee, 1)).Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("019aa5d07c0070008000000000000001")]
    [InlineData("{019aa5d0-7c00-7000-8000-000000000001}")]
    [InlineData("019aa5d0-7c00-4000-8000-000000000001")]
    [InlineData("019aa5d0-7c00-7000-c000-000000000001")]
    [InlineData(" 019aa5d0-7c00-7000-8000-000000000001")]
    [InlineData("019aa5d0-0x00-7000-8000-000000000001")]
    [InlineData("+19aa5d0-7c00-7000-8000-000000000001")]
    public async Task An_id_that_is_no_UUIDv7_is_refused(string id)
    {
        var answer = await api.PostAsync(api.Shop, "/v1/wallets", $$"""{"id":"{{id}}"}""");
        Assert.Equal((400, "malformed_id", "id"), (answer.Status, answer.Code, answer.String("member")));
    }

    [Theory]
    [InlineData("GET", "/", 404, "route_not_found")]
    [InlineData("GET", "/v1", 404, "route_not_found")]
    [InlineData("GET", "/v2/wallets", 404, "route_not_found")]
    [InlineData("GET", "/v1/transfers", 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/wallets/bcw1", 405, "method_not_allowed")]
    [InlineData("PUT", "/v1/wallets", 405, "method_not_allowed")]
    public async Task Paths_and_methods_that_nobody_serves_are_problems_too(string method, string path, int status, string code)
    {
        var answer = await api.SendAsync(HttpMethod.Parse(method), path, api.Shop);
        Assert.Equal((status, code, "application/problem+json"), (answer.Status, answer.Code, answer.ContentType));
    }

    [Theory]
    [InlineData("Basic dXNlcjpwYXNz")]
    [InlineData("Bearer")]
    [InlineData("bck_test_")]
    public async Task Only_a_bearer_key_is_looked_at(string header)
    {
        var answer = await RawAsync($"GET /v1/operator HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 401 ", answer, StringComparison.Ordinal);
        Assert.Contains("key_missing", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_keys_in_one_request_are_none()
    {
        var answer = await RawAsync($"GET /v1/operator HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.Admin}\r\nAuthorization: Bearer {api.Shop}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 401 ", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ffffffffffffffff\r\n{}")]
    [InlineData("80000000\r\n{}")]
    [InlineData("x\r\n{}")]
    [InlineData("2\r\n{}xx\r\n")]
    public async Task A_body_in_chunks_that_are_none_is_the_senders_affair(string chunks)
    {
        var answer = await RawAsync(
            $"POST /v1/wallets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.Shop}\r\nContent-Type: application/json\r\n"
            + $"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}");
        Assert.StartsWith("HTTP/1.1 4", answer, StringComparison.Ordinal);
        Assert.Matches("malformed_request|body_too_large", answer);
        Assert.DoesNotContain(api.Log.At(LogLevel.Error), line => !line.StartsWith("Nobody is let in", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", "The body is empty.")]
    [InlineData("{\n \"id\": x}", "Byte 9: not JSON.")]
    [InlineData("{\"id\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "Nested more than 16 deep.")]
    [InlineData("{\"id\":\"\\ud800\"}", "A string holds half of a surrogate pair.")]
    public async Task What_is_no_JSON_is_explained(string body, string detail)
    {
        var answer = await api.PostAsync(api.Shop, "/v1/wallets", body);
        Assert.Equal((400, "malformed_json", detail), (answer.Status, answer.Code, answer.String("detail")));
    }

    [Fact]
    public async Task While_the_keys_cannot_be_read_health_says_so()
    {
        var shop = api.Shop;
        var good = await File.ReadAllBytesAsync(api.KeysFile, TestContext.Current.CancellationToken);
        try
        {
            await File.WriteAllTextAsync(api.KeysFile, "{", TestContext.Current.CancellationToken);
            api.Time.Advance(Keyring.StaleMax);
            Assert.Equal((503, "keys_unavailable"), await StatusAsync());
            var health = await api.SendAsync(HttpMethod.Get, "/v1/health", key: null);
            Assert.Equal((200, "degraded"), (health.Status, health.String("status")));
            Assert.Contains("keys_unavailable", health.Json.GetProperty("reasons").EnumerateArray().Select(r => r.GetString()));
        }
        finally
        {
            await File.WriteAllBytesAsync(api.KeysFile, good, CancellationToken.None);
            api.Time.Advance(Keyring.StaleMax);
        }
        Assert.Equal((404, "wallet_not_found"), await StatusAsync());

        async Task<(int, string?)> StatusAsync()
        {
            var answer = await api.GetAsync(shop, "/v1/wallets/" + Engine.Partitions.ClientIds.NextWallet());
            return (answer.Status, answer.Code);
        }
    }

    [Fact]
    public async Task Headers_above_8_KiB_are_refused()
    {
        var answer = await RawAsync($"GET /v1/health HTTP/1.1\r\nHost: x\r\nX: {new string('x', 8 << 10)}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 431 ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answers_are_kept_by_nobody_and_name_no_software()
    {
        var answer = await api.SendAsync(HttpMethod.Get, "/v1/health", key: null);
        Assert.True(answer.Headers.CacheControl!.NoStore);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Empty(answer.Headers.Server);
    }

    private async Task<string> RawAsync(string request)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var client = new TcpClient();
        await client.ConnectAsync(api.Address.Host, api.Address.Port, cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), cancel);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(cancel);
    }
}
