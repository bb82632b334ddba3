// The answer of every POST that makes or moves something is lost, and the request is sent again: one effect, and the
// answer that was lost. The routes come from the server's own table.

using System.Net.Sockets;
using System.Text;
using Bitcache.Server.Api;
using Bitcache.Server.Keys;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class LostAnswerTests(ApiFixture api)
{
    public static TheoryData<string> Routes => [.. Route.All.Where(r => r.TakesId).Select(r => r.Path)];

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task A_request_whose_answer_was_lost_has_one_effect(string pattern)
    {
        var route = Route.All.Single(r => r.TakesId && r.Path == pattern);
        var (wallet, payee) = (await api.NewWalletAsync(api.Shop, 10_000), await api.NewWalletAsync(api.Shop));
        var target = new RouteTarget(wallet, payee, ApiFixture.NewId(), ApiFixture.NewId());
        await PrepareAsync(target);
        var output = pattern.Contains("/frozen/", StringComparison.Ordinal)
            ? await api.NewFrozenAsync(api.Shop, await api.NewWalletAsync(api.Shop), 300) : await api.NewSuspenseAsync(api.Shop, wallet, 300);
        var path = pattern.Replace("{wallet}", wallet, StringComparison.Ordinal).Replace("{txid}/{vout}", output.Replace(':', '/'), StringComparison.Ordinal);
        var key = (route.Scopes & ScopeNames.OperatorOnly) == 0 ? api.Shop : api.Admin;
        var body = target.Body(route);

        var before = await api.EntriesAsync();
        await SendAndHangUpAsync(path, key, body, before);
        var applied = await api.EntriesAsync();
        var again = await api.PostAsync(key, path, body);
        Assert.Equal(200, again.Status);
        var third = await api.PostAsync(key, path, body);
        Assert.Equal((again.Status, again.Text), (third.Status, third.Text));
        Assert.Equal(applied, await api.EntriesAsync());
        Assert.Equal(PayeesChange(route), await api.AvailableAsync(api.Shop, payee) - 7);
        if (route.Request == ApiJson.Default.WithdrawalRequest) Assert.Equal(9_299_973, await api.AvailableAsync(api.Shop, wallet));
    }

    /// <summary>By how much the request, done once, moves what the payee has.</summary>
    private static long PayeesChange(Route route)
    {
        var json = ApiJson.Default;
        if (route.Request == json.RefundRequest) return -7;
        if (route.Request == json.AssignmentRequest) return 300_000;
        return route.Request == json.TransferRequest || route.Request == json.SplitRequest || route.Request == json.CaptureRequest ? 7 : 0;
    }

    /// <summary>A transfer of 7 msat that can be refunded, and a hold of 20 that can be captured and released.</summary>
    private async Task PrepareAsync(RouteTarget target)
    {
        Assert.Equal(201, (await api.TransferAsync(api.Shop, target.Transfer, target.Payer, target.Payee, 7)).Status);
        var hold = $$"""{"id":"{{target.Hold}}","payer":"{{target.Payer}}","payee":"{{target.Payee}}","amountMsat":20,"expires":"{{RouteTarget.InAnHour()}}"}""";
        Assert.Equal(201, (await api.PostAsync(api.Shop, "/v1/holds", hold)).Status);
    }

    /// <summary>Sends a request, waits until its effect is on the disk, and goes without reading the answer.</summary>
    private async Task SendAndHangUpAsync(string path, string key, string body, long entriesBefore)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var client = new TcpClient();
        await client.ConnectAsync(api.Address.Host, api.Address.Port, cancel);
        var request = $"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), cancel);
        // Each question takes a turn of the ledger's own queue, behind whatever came before it.
        // An answer before that is a refusal.
        while (await api.EntriesAsync() == entriesBefore && client.Available == 0) await Task.Yield();
        client.LingerState = new LingerOption(enable: true, seconds: 0);
    }
}
