// What the operator takes for payments, tenant by tenant.

using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>A payment costs max(minimum, flat + floor(amount x parts per million / 1,000,000)), on top of the amount.</summary>
/// <param name="Tenant">The owner's name, as its keys have it.</param>
/// <param name="PartsPerMillion">From 0 to 1,000,000.</param>
public sealed record FeesRequest(string Id, string Tenant, long? FlatMsat = null, long? PartsPerMillion = null, long? MinimumMsat = null);

/// <param name="Sequence">Of the entry that set them; absent when they are only looked at.</param>
public sealed record FeesReply(string Tenant, long FlatMsat, long PartsPerMillion, long MinimumMsat, long? Sequence = null, string? Time = null);

internal static class FeeRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/operator/fees", Scopes.Admin, "Set what a tenant's wallets pay for their payments", SetAsync) with
        {
            Request = ApiJson.Default.FeesRequest,
            Response = ApiJson.Default.FeesReply,
            AsksSettlement = true,
        },
        Route.Get("/v1/operator/fees", Scopes.Admin | Scopes.Audit, "What each tenant's wallets pay for their payments", ListAsync) with
        {
            Response = ApiJson.Default.PageFeesReply,
        },
    ];

    private static async Task<IResult> SetAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.FeesRequest);
        var schedule = new FeeSchedule(
            new Msat(Parse(request.FlatMsat, Limits.SupplyMsatMax, "flatMsat")),
            (int)Parse(request.PartsPerMillion, Limits.FeePartsPerMillionMax, "partsPerMillion"),
            new Msat(Parse(request.MinimumMsat, Limits.SupplyMsatMax, "minimumMsat")));
        var id = Call.ParseId(request.Id);
        var tenant = call.Keys.Tenants().FirstOrDefault(t => t.Name == request.Tenant) ?? throw new ProblemException(ProblemType.TenantNotFound, "tenant");
        var answer = await call.Partitions.SubmitAsync(new SetFees(id, tenant.Number, schedule), call.Principal.Tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var reply = ToReply(tenant, schedule) with { Sequence = answer.Entry!.Sequence, Time = answer.Entry.Time.ToString() };
        return Replies.Done(answer, reply, ApiJson.Default.FeesReply);
    }

    private static async Task<IResult> ListAsync(Call call)
    {
        var tenants = call.Keys.Tenants();
        var fees = await call.Partitions.First.QueryAsync(ledger => tenants.Select(tenant => ToReply(tenant, ledger.FeesOf(tenant.Number))).ToArray());
        return Replies.Json(new Page<FeesReply>(fees), ApiJson.Default.PageFeesReply);
    }

    private static long Parse(long? number, long max, string member) => number switch
    {
        null => 0,
        >= 0 when number <= max => number.Value,
        _ => throw new ProblemException(ProblemType.NumberOutOfRange, member),
    };

    private static FeesReply ToReply(Tenant tenant, FeeSchedule fees) =>
        new(tenant.Name, fees.Flat.Value, fees.PartsPerMillion, fees.Minimum.Value);
}
