// Payments from one wallet to another, refunds, and looking payments of any kind up.

using System.Text;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <summary>What proves that an entry is in the log; bytes in base64.</summary>
/// <param name="Leaf">The receipt file: one byte 00 and the entry's statement. Its SHA-256 is the log's leaf hash.</param>
/// <param name="TlogProof">The proof that a signed checkpoint covers the leaf (c2sp.org/tlog-proof@v1).</param>
/// <param name="OpenTimestamps">The .ots file that leads from the leaf to a Bitcoin block, once the epoch's anchor is confirmed.</param>
public sealed record ReceiptReply(string Leaf, string TlogProof, string? OpenTimestamps, long? AnchorHeight, string? AnchorTxid);

internal static class TransferRoutes
{
    public static Route[] All =>
    [
        Route.Post("/v1/transfers", Scopes.Pay, "Pay from one wallet to another", PayAsync) with
        {
            Request = ApiJson.Default.TransferRequest,
            Response = ApiJson.Default.PaymentReply,
        },
        Route.Post("/v1/refunds", Scopes.Pay, "Pay a payment back, wholly or in part", RefundAsync) with
        {
            Request = ApiJson.Default.RefundRequest,
            Response = ApiJson.Default.PaymentReply,
        },
        Route.Get("/v1/wallets/{wallet}/transfers/{id}", Scopes.Read | Scopes.Audit, "A payment that this wallet is the payer of", GetAsync) with
        {
            Response = ApiJson.Default.PaymentReply,
        },
        Route.Get("/v1/wallets/{wallet}/transfers/{id}/receipt", Scopes.Read | Scopes.Audit, "The receipt of a payment that this wallet is the payer of", GetReceiptAsync) with
        {
            Response = ApiJson.Default.ReceiptReply,
            AsksSettlement = true,
        },
    ];

    private static async Task<IResult> PayAsync(Call call) =>
        await PaymentReplies.SubmitAsync(call, PaymentRequests.ToPayment(await call.BodyAsync(ApiJson.Default.TransferRequest)));

    private static async Task<IResult> RefundAsync(Call call)
    {
        Payment[] refund = [PaymentRequests.ToPayment(await call.BodyAsync(ApiJson.Default.RefundRequest))];
        var outcome = (await Refunds.CompleteAsync(call.Partitions, call.Principal.Tenant, refund, call.Http.RequestAborted))[0];
        return call.Refusal(outcome, 0, default) is { } refusal ? refusal : await PaymentReplies.SubmitAsync(call, refund[0]);
    }

    private static async Task<IResult> GetAsync(Call call)
    {
        var entry = await FindAsync<PaymentCommand>(call, ProblemType.TransferNotFound);
        var payment = (PaymentCommand)entry.Command;
        var wallets = await call.Partitions.QueryEachAsync([payment.Payer, payment.Payee], wallet => wallet, (ledger, wallet) => ledger.FindWallet(wallet));
        return Replies.Json(PaymentReplies.Of(call, entry, wallets[0], wallets[1]), ApiJson.Default.PaymentReply);
    }

    private static async Task<IResult> GetReceiptAsync(Call call)
    {
        var entry = await FindAsync<PaymentCommand>(call, ProblemType.TransferNotFound);
        return await ReceiptAsync(call, entry, entry.Sequence);
    }

    /// <summary>The receipt of an entry or, of a split, of the part at a sequence.</summary>
    public static async Task<IResult> ReceiptAsync(Call call, Entry entry, long sequence)
    {
        if (entry.Outcome != Outcome.Accepted) return new Problem(ProblemType.NothingToProve);
        if (await call.Engine.FindReceiptAsync(entry.Partition, sequence) is not { } receipt) return new Problem(ProblemType.ReceiptNotReady);
        var ots = receipt.OpenTimestamps is null ? null : Convert.ToBase64String(receipt.OpenTimestamps);
        return Replies.Json(
            new ReceiptReply(
                Convert.ToBase64String(receipt.Leaf), Convert.ToBase64String(Encoding.UTF8.GetBytes(receipt.TlogProof)), ots,
                receipt.AnchorHeight, receipt.AnchorTxid?.ToString()),
            ApiJson.Default.ReceiptReply);
    }

    /// <summary>The entry that the id in the path left under the wallet in the path. The ledger knows all ids from its
    /// floor on; only for older ones the journal is searched.</summary>
    public static async Task<Entry> FindAsync<TCommand>(Call call, ProblemType missing) where TCommand : ClientCommand
    {
        var id = call.IdInPath;
        var (sequence, floor) = await call.AskAsync((ledger, wallet) => (ledger.FindId(wallet.Id, id), ledger.Floor));
        var home = call.Partitions.HomeOf(call.WalletInPath);
        if (sequence is null && id.Time < floor) sequence = home.FindForgottenId(call.WalletInPath, id);
        var entry = sequence is null ? null : home.ReadEntry(sequence.Value);
        return entry?.Command is TCommand ? entry : throw new ProblemException(missing);
    }
}
