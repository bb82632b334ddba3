using System.Text.Json;
using Bitcache.Server.Keys;
using Bitcache.Tests.Cli;

namespace Bitcache.Tests.Api;

/// <summary>Withdrawals stopped by the operator, and those that wait for a second person.</summary>
[Trait("suite", "core")]
[Collection("api")]
public sealed class BrakeApiTests(ApiFixture api)
{
    private const long Large = ApiFixture.ApprovalFromSat;

    private Task<ApiAnswer> StopAsync(string id) => api.PostAsync(api.Admin, "/v1/operator/withdrawals:stop", $$"""{"id":"{{id}}"}""");

    private Task<ApiAnswer> ResumeAsync(string id) => api.PostAsync(api.Admin, "/v1/operator/withdrawals:resume", $$"""{"id":"{{id}}"}""");

    private Task<ApiAnswer> WithdrawAsync(string key, string wallet, string id, long sat) =>
        api.PostAsync(key, $"/v1/wallets/{wallet}/withdrawals", $$"""{"id":"{{id}}","address":"{{OfflineNode.NewAddress()}}","amountSat":{{sat}}}""");

    private Task<ApiAnswer> DecideAsync(string key, string wallet, string id, string word) =>
        api.SendAsync(HttpMethod.Post, $"/v1/wallets/{wallet}/withdrawals/{id}/{word}", key);

    private async Task<bool> IsStoppedAsync() => (await api.GetAsync(api.Auditor, "/v1/operator/health")).Json
        .GetProperty("reasons").EnumerateArray().Any(r => r.GetString() == "withdrawals_stopped");

    [Fact]
    public async Task Withdrawals_are_stopped_and_go_on_and_a_late_retry_undoes_nothing()
    {
        var (stop, resume) = (ApiFixture.NewId(), ApiFixture.NewId());
        var first = await StopAsync(stop);
        Assert.Equal(201, first.Status);
        Assert.True(first.Json.GetProperty("stopped").GetBoolean());
        Assert.True(await IsStoppedAsync());
        // Asking goes on.
        var wallet = await api.NewWalletAsync(api.Shop, 5_000);
        Assert.Equal("queued", (await WithdrawAsync(api.Shop, wallet, ApiFixture.NewId(), 1_000)).String("state"));

        Assert.Equal((200, first.Text), await OfAsync(StopAsync(stop)));
        Assert.Equal(201, (await ResumeAsync(resume)).Status);
        Assert.False(await IsStoppedAsync());
        Assert.Equal(200, (await StopAsync(stop)).Status);
        Assert.False(await IsStoppedAsync());
        await StopAsync(ApiFixture.NewId());
        Assert.Equal(200, (await ResumeAsync(resume)).Status);
        Assert.True(await IsStoppedAsync());
        Assert.Equal((422, "id_reused"), (await ResumeAsync(stop)).Refusal());
        await ResumeAsync(ApiFixture.NewId());
        Assert.False(await IsStoppedAsync());

        static async Task<(int, string)> OfAsync(Task<ApiAnswer> asked) => ((await asked).Status, (await asked).Text);
    }

    [Fact]
    public async Task A_large_withdrawal_waits_until_another_key_approves_it()
    {
        var wallet = await api.NewWalletAsync(api.Shop, 2 * Large);
        var (small, large) = (ApiFixture.NewId(), ApiFixture.NewId());
        Assert.Equal("queued", (await WithdrawAsync(api.Shop, wallet, small, Large - 1)).String("state"));
        var asked = await WithdrawAsync(api.Shop, wallet, large, Large);
        Assert.Equal((201, "awaiting_approval"), (asked.Status, asked.String("state")));
        Assert.Equal((2 * Large - 1) * 1_000, (await api.GetAsync(api.Shop, "/v1/wallets/" + wallet)).Long("heldMsat"));
        var approvals = await api.GetAsync(api.Auditor, "/v1/operator/approvals");
        Assert.Contains(approvals.Json.GetProperty("items").EnumerateArray(), w => w.GetRawText() == asked.Text);
        Assert.Equal(approvals.Long("waiting"), (await api.GetAsync(api.Auditor, "/v1/operator/health")).Long("withdrawalsAwaitingApproval"));

        var approved = await DecideAsync(api.Admin, wallet, large, "approve");
        Assert.Equal((200, "queued"), (approved.Status, approved.String("state")));
        Assert.Equal(approved.Text, (await DecideAsync(api.Admin, wallet, large, "approve")).Text);
        Assert.Equal(approved.Text, (await api.GetAsync(api.Shop, $"/v1/wallets/{wallet}/withdrawals/{large}")).Text);
        Assert.Equal((409, "withdrawal_not_awaiting"), (await DecideAsync(api.Admin, wallet, large, "decline")).Refusal());
        Assert.Equal((409, "withdrawal_not_awaiting"), (await DecideAsync(api.Admin, wallet, small, "decline")).Refusal());
        Assert.Equal((404, "withdrawal_not_found"), (await DecideAsync(api.Admin, wallet, ApiFixture.NewId(), "approve")).Refusal());
        Assert.DoesNotContain(large, (await api.GetAsync(api.Auditor, "/v1/operator/approvals")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_asked_cannot_approve_and_two_admin_keys_can()
    {
        // Somebody who may ask for the operator's own money to be sent out, and approve: not both.
        var (asker, second) = (api.NewKey(ApiFixture.OperatorTenant, Scopes.Withdraw | Scopes.Admin | Scopes.Pay | Scopes.Read), api.NewKey(ApiFixture.OperatorTenant, Scopes.Admin));
        var wallet = await api.NewWalletAsync(asker.Secret, 2 * Large);
        var (first, other) = (ApiFixture.NewId(), ApiFixture.NewId());
        await WithdrawAsync(asker.Secret, wallet, first, Large);
        await WithdrawAsync(asker.Secret, wallet, other, Large);
        Assert.Equal((409, "second_person_needed"), (await DecideAsync(asker.Secret, wallet, first, "approve")).Refusal());
        Assert.Equal("awaiting_approval", (await api.GetAsync(asker.Secret, $"/v1/wallets/{wallet}/withdrawals/{first}")).String("state"));
        Assert.Equal("queued", (await DecideAsync(second.Secret, wallet, first, "approve")).String("state"));
        // Saying no takes nobody else.
        Assert.Equal("declined", (await DecideAsync(asker.Secret, wallet, other, "decline")).String("state"));
        Assert.Equal("declined", (await DecideAsync(second.Secret, wallet, other, "decline")).String("state"));
        Assert.Equal((409, "withdrawal_not_awaiting"), (await DecideAsync(second.Secret, wallet, other, "approve")).Refusal());
        Assert.Equal(Large * 1_000, await api.AvailableAsync(asker.Secret, wallet));
        var newest = (await api.GetAsync(asker.Secret, $"/v1/wallets/{wallet}/history?limit=1")).Json.GetProperty("items")[0];
        Assert.Equal(
            ("withdrawal_declined", "in", Large * 1_000, other),
            (newest.GetProperty("kind").GetString(), newest.GetProperty("direction").GetString(), newest.GetProperty("amountMsat").GetInt64(), newest.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task Its_owner_takes_back_what_waits_for_approval()
    {
        var (wallet, id) = (await api.NewWalletAsync(api.Shop, Large), ApiFixture.NewId());
        await WithdrawAsync(api.Shop, wallet, id, Large);
        Assert.Equal("cancelled", (await api.SendAsync(HttpMethod.Post, $"/v1/wallets/{wallet}/withdrawals/{id}/cancel", api.Shop)).String("state"));
        Assert.Equal((409, "withdrawal_not_awaiting"), (await DecideAsync(api.Admin, wallet, id, "approve")).Refusal());
        Assert.Equal(Large * 1_000, await api.AvailableAsync(api.Shop, wallet));
    }

    [Fact]
    public async Task The_brakes_are_on_the_command_line()
    {
        var (wallet, id, other) = (await api.NewWalletAsync(api.Shop, 3 * Large), ApiFixture.NewId(), ApiFixture.NewId());
        await WithdrawAsync(api.Shop, wallet, id, Large);
        await WithdrawAsync(api.Shop, wallet, other, Large);
        Assert.Contains(id, await RunAsync("operator", "approvals"), StringComparison.Ordinal);
        Assert.Contains(": queued", await RunAsync("operator", "approve", wallet, id), StringComparison.Ordinal);
        Assert.Equal("declined", JsonElement.Parse(await RunAsync("operator", "decline", wallet, other, "--json")).GetProperty("state").GetString());
        Assert.StartsWith("withdrawals are stopped", await RunAsync("operator", "stop-withdrawals"), StringComparison.Ordinal);
        Assert.True(await IsStoppedAsync());
        Assert.False(JsonElement.Parse(await RunAsync("operator", "resume-withdrawals", "--json")).GetProperty("stopped").GetBoolean());
        Assert.False(await IsStoppedAsync());
    }

    private async Task<string> RunAsync(params string[] args)
    {
        var run = await CommandLineRun.OfAsync([.. args, "--url", api.Address.ToString(), "--key", api.Admin]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', args)}: {run.Error}");
        return run.Output;
    }
}
