using System.Text;
using Bitcache.Core;
using Bitcache.Server.Keys;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Id">A UUID of version 7 that the client makes.</param>
/// <param name="Code">A number of the payer's choice; 0 if absent.</param>
/// <param name="Reference">At most 64 bytes of UTF-8 of the payer's choice, without control characters.</param>
public sealed record TransferRequest(string Id, string Payer, string Payee, long AmountMsat, uint? Code = null, string? Reference = null);

/// <param name="Outcome"><c>accepted</c>, or the code of the problem for which it was refused.</param>
/// <param name="Sequence">The entry's place in the ledger.</param>
/// <param name="PayerWallet">The payer as it is now.</param>
/// <param name="PayeeWallet">The payee as it is now, if the caller may see it.</param>
public sealed record TransferReply(
    string Id, string Outcome, long Sequence, string Time, string Payer, string Payee, long AmountMsat, uint Code, string Reference,
    WalletReply? PayerWallet, WalletReply? PayeeWallet);

/// <summary>What proves that an entry is in the log; bytes in base64.</summary>
/// <param name="Leaf">The receipt file: one byte 00 and the entry's statement. Its SHA-256 is the log's leaf hash.</param>
/// <param name="TlogProof">The proof that a signed checkpoint covers the leaf (c2sp.org/tlog-proof@v1).</param>
/// <param name="OpenTimestamps">The .ots file that leads from the leaf to a Bitcoin block, once the epoch's anchor is confirmed.</param>
public sealed record ReceiptReply(string Leaf, string TlogProof, string? OpenTimestamps, long? AnchorHeight, string? AnchorTxid);

internal static class TransferRoutes
{
    public const string Accepted = "accepted";
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    public static Route[] All =>
    [
        Route.Post("/v1/transfers", Scopes.Pay, "Pay from one wallet to another", PayAsync) with
        {
            Request = ApiJson.Default.TransferRequest,
            Response = ApiJson.Default.TransferReply,
        },
        Route.Get("/v1/wallets/{wallet}/transfers/{id}", Scopes.Read | Scopes.Audit, "A transfer that this wallet sent", GetAsync) with
        {
            Response = ApiJson.Default.TransferReply,
        },
        Route.Get("/v1/wallets/{wallet}/transfers/{id}/receipt", Scopes.Read | Scopes.Audit, "The receipt of a transfer that this wallet sent", GetReceiptAsync) with
        {
            Response = ApiJson.Default.ReceiptReply,
        },
    ];

    private static async Task<IResult> PayAsync(Call call)
    {
        var request = await call.BodyAsync(ApiJson.Default.TransferRequest);
        var payment = ToPayment(request);
        var answer = await call.Partition.SubmitAsync(payment, call.Principal.Tenant);
        if (call.Refusal(answer.Outcome, answer.Sequence, answer.Time) is { } refusal) return refusal;
        // What was accepted is what was asked for.
        var reply = new TransferReply(
            payment.Id.ToString(), Accepted, answer.Sequence, answer.Time.ToString(), payment.Payer.ToString(), payment.Payee.ToString(),
            payment.Amount.Value, payment.Code, request.Reference ?? "", Show(call, answer.Payer), Show(call, answer.Payee));
        return Replies.Done(answer.IsRetry, reply, ApiJson.Default.TransferReply);
    }

    /// <exception cref="ProblemException">A member cannot be read.</exception>
    public static Payment ToPayment(TransferRequest request) => ToTransfer(request).ToPayment();

    private static Transfer ToTransfer(TransferRequest request) => new(
        Call.ParseId(request.Id), Call.ParseWallet(request.Payer, "payer"), Call.ParseWallet(request.Payee, "payee"),
        ParseAmount(request.AmountMsat), request.Code ?? 0, ParseReference(request.Reference));

    private static async Task<IResult> GetAsync(Call call)
    {
        var entry = await FindAsync(call);
        var transfer = (Transfer)entry.Command;
        var (payer, payee) = await call.Partition.QueryAsync(ledger => (ledger.FindWallet(transfer.Payer), ledger.FindWallet(transfer.Payee)));
        return Replies.Json(ToReply(call, entry, payer, payee), ApiJson.Default.TransferReply);
    }

    private static async Task<IResult> GetReceiptAsync(Call call)
    {
        var entry = await FindAsync(call);
        if (entry.Outcome != Outcome.Accepted) return new Problem(ProblemType.NothingToProve);
        if (await call.Engine.FindReceiptAsync(entry.Sequence) is not { } receipt) return new Problem(ProblemType.ReceiptNotReady);
        var ots = receipt.OpenTimestamps is null ? null : Convert.ToBase64String(receipt.OpenTimestamps);
        return Replies.Json(
            new ReceiptReply(
                Convert.ToBase64String(receipt.Leaf), Convert.ToBase64String(Encoding.UTF8.GetBytes(receipt.TlogProof)), ots,
                receipt.AnchorHeight, receipt.AnchorTxid?.ToString()),
            ApiJson.Default.ReceiptReply);
    }

    /// <summary>The entry that the id in the path left under the wallet in the path. The ledger knows all ids from its
    /// floor on; only for older ones the journal is searched.</summary>
    private static async Task<Entry> FindAsync(Call call)
    {
        var id = call.IdInPath;
        var (sequence, floor) = await call.AskAsync((ledger, wallet) => (ledger.FindId(wallet.Id, id), ledger.Floor));
        if (sequence is null && id.Time < floor) sequence = call.Partition.FindForgottenId(call.WalletInPath, id);
        var entry = sequence is null ? null : call.Partition.ReadEntry(sequence.Value);
        return entry?.Command is Transfer ? entry : throw new ProblemException(ProblemType.TransferNotFound);
    }

    private static TransferReply ToReply(Call call, Entry entry, Wallet? payer, Wallet? payee)
    {
        var transfer = (Transfer)entry.Command;
        return new TransferReply(
            transfer.Id.ToString(), ProblemType.Of(entry.Outcome)?.Code ?? Accepted, entry.Sequence, entry.Time.ToString(),
            transfer.Payer.ToString(), transfer.Payee.ToString(), transfer.Amount.Value, transfer.Code, transfer.Reference.ToUtf8(),
            Show(call, payer), Show(call, payee));
    }

    private static WalletReply? Show(Call call, Wallet? wallet) =>
        wallet is { } known && call.Principal.MaySee(known) ? WalletReply.Of(known) : null;

    private static Msat ParseAmount(long amount) => amount is >= 1 and <= Limits.SupplyMsatMax
        ? new Msat(amount)
        : throw new ProblemException(ProblemType.AmountOutOfRange, "amountMsat");

    private static ByteString ParseReference(string? text)
    {
        if (string.IsNullOrEmpty(text)) return ByteString.Empty;
        // Control characters would act on the terminals and tables in which references are shown.
        if (text.Any(char.IsControl) || StrictUtf8.GetByteCount(text) > Limits.ReferenceBytesMax)
            throw new ProblemException(ProblemType.MalformedReference, "reference");
        return ByteString.FromUtf8(text);
    }
}
