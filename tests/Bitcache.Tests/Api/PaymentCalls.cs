using System.Globalization;

namespace Bitcache.Tests.Api;

/// <summary>The requests of holds, refunds and splits, with what a test varies.</summary>
internal static class PaymentCalls
{
    /// <summary>A hold of an hour unless another time is given; its id is the answer's.</summary>
    public static Task<ApiAnswer> HoldAsync(this ApiFixture api, string key, string payer, string payee, long msat, string? expires = null, string? id = null) =>
        api.PostAsync(key, "/v1/holds", $$"""{"id":"{{id ?? ApiFixture.NewId()}}","payer":"{{payer}}","payee":"{{payee}}","amountMsat":{{msat}},"expires":"{{expires ?? RouteTarget.InAnHour()}}"}""");

    public static Task<ApiAnswer> CaptureAsync(this ApiFixture api, string key, ApiAnswer hold, long msat, bool close = false, string? id = null) =>
        api.PostAsync(key, "/v1/holds:capture", $$"""{"id":"{{id ?? ApiFixture.NewId()}}",{{Sides(hold)}},"hold":"{{hold.String("id")}}","amountMsat":{{msat}},"close":{{(close ? "true" : "false")}}}""");

    public static Task<ApiAnswer> ReleaseAsync(this ApiFixture api, string key, ApiAnswer hold, string? id = null) =>
        api.PostAsync(key, "/v1/holds:release", $$"""{"id":"{{id ?? ApiFixture.NewId()}}",{{Sides(hold)}},"hold":"{{hold.String("id")}}"}""");

    /// <param name="payer">The wallet that was paid.</param>
    /// <param name="payee">The wallet that had paid.</param>
    public static Task<ApiAnswer> RefundAsync(this ApiFixture api, string key, string payer, string payee, string original, long msat, string? id = null) =>
        api.PostAsync(key, "/v1/refunds", $$"""{"id":"{{id ?? ApiFixture.NewId()}}","payer":"{{payer}}","payee":"{{payee}}","original":"{{original}}","amountMsat":{{msat}}}""");

    public static Task<ApiAnswer> SplitAsync(this ApiFixture api, string key, string payer, IEnumerable<(string Payee, long Msat)> parts, string? id = null) =>
        api.PostAsync(key, "/v1/splits", $$"""{"id":"{{id ?? ApiFixture.NewId()}}","payer":"{{payer}}","parts":[{{string.Join(',', parts.Select(p => $$"""{"payee":"{{p.Payee}}","amountMsat":{{p.Msat}}}"""))}}]}""");

    public static Task<ApiAnswer> UpToAsync(this ApiFixture api, string key, string payer, string payee, long msat, string? id = null) =>
        api.PostAsync(key, "/v1/transfers", $$"""{"id":"{{id ?? ApiFixture.NewId()}}","payer":"{{payer}}","payee":"{{payee}}","amountMsat":{{msat}},"upTo":true}""");

    /// <summary>A time from now, as the API wants it.</summary>
    public static string In(TimeSpan span) =>
        (TimeProvider.System.GetUtcNow() + span).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>Status and code: a short form for what is refused.</summary>
    public static (int Status, string? Code) Refusal(this ApiAnswer answer) => (answer.Status, answer.Code);

    private static string Sides(ApiAnswer hold) => $"\"payer\":\"{hold.String("payer")}\",\"payee\":\"{hold.String("payee")}\"";
}
