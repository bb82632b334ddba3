// What came in and is nobody's yet, and whom the operator gives it to.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>One output that is in suspense.</summary>
/// <param name="Output">As txid:index.</param>
/// <param name="Wallet">Whose address it pays.</param>
/// <param name="State">credited (to suspense), frozen (it left the chain), or final: then it can be assigned.</param>
public sealed record SuspenseReply(string Output, string Address, string Wallet, long AmountSat, string State, string Block, long Height);

/// <param name="Wallet">Who is to have it.</param>
public sealed record AssignmentRequest(string Id, string Wallet);

/// <param name="Sequence">Of the entry, in the partition that booked the output.</param>
public sealed record AssignmentReply(string Id, string Output, string Wallet, long AmountSat, long Sequence, string Time);

internal static class SuspenseRoutes
{
    public static Route[] All =>
    [
        Route.Get("/v1/operator/suspense", Scopes.Admin | Scopes.Audit, "What is in suspense, newest first", ListAsync) with
        {
            Response = ApiJson.Default.PageSuspenseReply,
            Query = Replies.Paging,
        },
        Route.Post("/v1/operator/suspense/{txid}/{vout}/assign", Scopes.Admin, "Give an output that is in suspense to a wallet", AssignAsync) with
        {
            Request = ApiJson.Default.AssignmentRequest,
            Response = ApiJson.Default.AssignmentReply,
            AsksSettlement = true,
        },
        Route.Get("/v1/operator/suspense/{txid}/{vout}/receipt", Scopes.Admin | Scopes.Audit, "The receipt of an output's assignment", GetReceiptAsync) with
        {
            Response = ApiJson.Default.ReceiptReply,
            AsksSettlement = true,
        },
    ];

    private static async Task<IResult> ListAsync(Call call)
    {
        var page = await DepositPages.ReadAsync(call, static (ledger, before, most) => ledger.Suspense(before, most));
        return Replies.Json(new Page<SuspenseReply>([.. page.Items.Select(deposit => ToReply(deposit, call.Engine.Network))], page.Next), ApiJson.Default.PageSuspenseReply);
    }

    private static async Task<IResult> AssignAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.AssignmentRequest);
        var command = new AssignSuspense(Call.ParseId(request.Id), DepositPages.OutputInPath(call, ProblemType.SuspenseNotFound), Call.ParseWallet(request.Wallet, "wallet"));
        var answer = await call.Partitions.SubmitAsync(command, call.Principal.Tenant);
        if (call.Refusal(answer) is { } refusal) return refusal;
        var entry = answer.Entry!;
        return Replies.Done(
            answer,
            new AssignmentReply(
                request.Id, command.OutPoint.ToString(), command.Wallet.ToString(), entry.Released.Value / Limits.MsatPerSat, entry.Sequence, entry.Time.ToString()),
            ApiJson.Default.AssignmentReply);
    }

    private static async Task<IResult> GetReceiptAsync(Call call)
    {
        var output = DepositPages.OutputInPath(call, ProblemType.SuspenseNotFound);
        var assigned = await call.Partitions.QueryAllAsync(ledger => ledger.FindDeposit(output)?.Assigned);
        var partition = Array.FindIndex(assigned, a => a is not null);
        if (partition < 0) throw new ProblemException(ProblemType.SuspenseNotFound);
        var entry = call.Partitions[partition].ReadEntry(assigned[partition]!.Sequence);
        return await TransferRoutes.ReceiptAsync(call, entry, entry.Sequence);
    }

    private static SuspenseReply ToReply(Deposit deposit, BitcoinNetwork network) => new(
        deposit.OutPoint.ToString(), DepositRoutes.Text(deposit.Script, network), deposit.Wallet.ToString(), deposit.Amount.Value,
        DepositReply.NameOf(deposit.State), deposit.Block.ToString(), deposit.Height);
}
