// The routes that pay, hold and bound payments.

using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Client;

public sealed partial class ApiClient
{
    public Task<Reply<PaymentReply>> PayAsync(Transfer transfer, CancellationToken cancel) => connection.PostAsync(
        "/v1/transfers",
        new TransferRequest(
            transfer.Id.ToString(), transfer.Payer.ToString(), transfer.Payee.ToString(), (transfer.UpTo ?? transfer.Amount).Value, transfer.Code,
            transfer.Reference.ToUtf8(), transfer.UpTo is null ? null : true),
        Json.TransferRequest, Json.PaymentReply, cancel);

    /// <summary>The salts of the parts stay here: the server draws its own.</summary>
    public Task<Reply<SplitReply>> SplitAsync(Split split, CancellationToken cancel) => connection.PostAsync(
        "/v1/splits",
        new SplitRequest(
            split.Id.ToString(), split.Payer.ToString(),
            [.. split.Parts.Select(part => new SplitPartRequest(part.Payee.ToString(), part.Amount.Value, part.Code, part.Reference.ToUtf8()))]),
        Json.SplitRequest, Json.SplitReply, cancel);

    public Task<Reply<PaymentReply>> PlaceHoldAsync(PlaceHold hold, CancellationToken cancel) => connection.PostAsync(
        "/v1/holds",
        new HoldRequest(
            hold.Id.ToString(), hold.Payer.ToString(), hold.Payee.ToString(), hold.Amount.Value, hold.Expires.ToString(), hold.Code,
            hold.Reference.ToUtf8()),
        Json.HoldRequest, Json.PaymentReply, cancel);

    public Task<Reply<PaymentReply>> CaptureHoldAsync(CaptureHold capture, CancellationToken cancel) => connection.PostAsync(
        "/v1/holds:capture",
        new CaptureRequest(
            capture.Id.ToString(), capture.Payer.ToString(), capture.Payee.ToString(), capture.Hold.ToString(), capture.Amount.Value, capture.Close,
            capture.Code, capture.Reference.ToUtf8()),
        Json.CaptureRequest, Json.PaymentReply, cancel);

    public Task<Reply<PaymentReply>> ReleaseHoldAsync(ReleaseHold release, CancellationToken cancel) => connection.PostAsync(
        "/v1/holds:release",
        new ReleaseRequest(
            release.Id.ToString(), release.Payer.ToString(), release.Payee.ToString(), release.Hold.ToString(), release.Code,
            release.Reference.ToUtf8()),
        Json.ReleaseRequest, Json.PaymentReply, cancel);

    public Task<Reply<HoldReply>> GetHoldAsync(WalletId payer, OperationId hold, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{payer}/holds/{hold}", Json.HoldReply, cancel);

    public Task<Reply<Page<HoldReply>>> GetHoldsAsync(WalletId wallet, Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/holds{paging}", Json.PageHoldReply, cancel);

    public Task<Reply<PaymentReply>> RefundAsync(RefundRequest refund, CancellationToken cancel) =>
        connection.PostAsync("/v1/refunds", refund, Json.RefundRequest, Json.PaymentReply, cancel);

    public Task<Reply<FreezeReply>> FreezeAsync(SetFrozen freeze, CancellationToken cancel) => connection.PostAsync(
        $"/v1/wallets/{freeze.Wallet}/{(freeze.Frozen ? "freeze" : "unfreeze")}",
        new IdRequest(freeze.Id.ToString()), Json.IdRequest, Json.FreezeReply, cancel);

    public Task<Reply<LimitsReply>> GetLimitsAsync(WalletId wallet, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/limits", Json.LimitsReply, cancel);

    public Task<Reply<LimitsReply>> SetLimitsAsync(WalletId wallet, LimitsRequest limits, CancellationToken cancel) =>
        connection.PostAsync($"/v1/wallets/{wallet}/limits", limits, Json.LimitsRequest, Json.LimitsReply, cancel);

    public Task<Reply<Page<FeesReply>>> GetFeesAsync(CancellationToken cancel) => connection.GetAsync("/v1/operator/fees", Json.PageFeesReply, cancel);

    public Task<Reply<FeesReply>> SetFeesAsync(FeesRequest fees, CancellationToken cancel) =>
        connection.PostAsync("/v1/operator/fees", fees, Json.FeesRequest, Json.FeesReply, cancel);
}
