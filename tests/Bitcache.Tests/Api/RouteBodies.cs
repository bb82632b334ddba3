// A good body for every route that takes one, so that tests over the whole table of routes need not know each of them.

using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

/// <summary>What a request may be about: wallets, an open hold from payer to payee, and a transfer of 7 msat between them.</summary>
internal sealed record RouteTarget(string Payer, string Payee, string Hold, string Transfer)
{
    /// <summary>A body with a new id. Payments move 7 msat, withdrawals 700 sat; fees and limits are set to nothing.</summary>
    public string Body(Route route) => Body(route, ApiFixture.NewId());

    public string Body(Route route, string id)
    {
        var json = ApiJson.Default;
        if (route.Request == json.SignedRequest) return """{"psbt":"cHNidP8="}""";
        if (route.Request == json.ReservesSignedRequest) return """{"psbts":["cHNidP8="]}""";
        var terms = route.Request switch
        {
            _ when route.BatchTypes.Count > 0 => $",\"payer\":\"{Payer}\",\"payee\":\"{Payee}\",\"amountMsat\":7",
            var r when r == json.IdRequest || r == json.LimitsRequest => "",
            var r when r == json.AssignmentRequest => $",\"wallet\":\"{Payee}\"",
            var r when r == json.AddressesRequest => ",\"count\":2",
            var r when r == json.RescanRequest => null,
            var r when r == json.SettlementRequest => ",\"reason\":\"forgotten\"",
            var r when r == json.FeesRequest => $",\"tenant\":\"{ApiFixture.ShopTenant}\"",
            var r when r == json.TransferRequest => $",\"payer\":\"{Payer}\",\"payee\":\"{Payee}\",\"amountMsat\":7",
            var r when r == json.SplitRequest => $",\"payer\":\"{Payer}\",\"parts\":[{{\"payee\":\"{Payee}\",\"amountMsat\":7}}]",
            var r when r == json.HoldRequest => $",\"payer\":\"{Payer}\",\"payee\":\"{Payee}\",\"amountMsat\":7,\"expires\":\"{InAnHour()}\"",
            var r when r == json.CaptureRequest => $",\"payer\":\"{Payer}\",\"payee\":\"{Payee}\",\"hold\":\"{Hold}\",\"amountMsat\":7",
            var r when r == json.ReleaseRequest => $",\"payer\":\"{Payer}\",\"payee\":\"{Payee}\",\"hold\":\"{Hold}\"",
            var r when r == json.RefundRequest => $",\"payer\":\"{Payee}\",\"payee\":\"{Payer}\",\"original\":\"{Transfer}\",\"amountMsat\":7",
            var r when r == json.WithdrawalRequest => $",\"address\":\"{OfflineNode.NewAddress()}\",\"amountSat\":700",
            _ => throw new NotSupportedException($"no test knows how to ask for {route.Method} {route.Path}: teach it"),
        };
        // That one needs no id: asking twice for it asks for the same thing.
        return terms is null ? "{\"fromHeight\":1}" : "{\"id\":\"" + id + "\"" + terms + "}";
    }

    /// <summary>When a hold of a test expires; the same for every attempt of one test.</summary>
    public static string InAnHour() => TimeProvider.System.GetUtcNow().AddHours(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
