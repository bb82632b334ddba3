using System.Globalization;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Client;

/// <summary>The routes of the API, one method each. The caller makes the ids, so that it can ask again under the same one.</summary>
public sealed partial class ApiClient(ApiConnection connection) : IDisposable
{
    private static ClientJson Json => ClientJson.Default;

    public ApiConnection Connection => connection;

    public Task<Reply<WalletReply>> CreateWalletAsync(OperationId id, CancellationToken cancel) =>
        connection.PostAsync("/v1/wallets", new IdRequest(id.ToString()), Json.IdRequest, Json.WalletReply, cancel);

    public Task<Reply<WalletReply>> GetWalletAsync(WalletId wallet, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}", Json.WalletReply, cancel);

    public Task<Reply<ReceiptReply>> GetReceiptAsync(WalletId wallet, OperationId id, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/transfers/{id}/receipt", Json.ReceiptReply, cancel);

    /// <param name="part">Of a split: which part, from 0.</param>
    public Task<Reply<ReceiptReply>> GetReceiptAsync(WalletId wallet, OperationId id, int part, CancellationToken cancel) =>
        connection.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v1/wallets/{wallet}/splits/{id}/receipt?part={part}"), Json.ReceiptReply, cancel);

    public Task<Reply<Page<HistoryReply>>> GetHistoryAsync(WalletId wallet, Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/history{paging}", Json.PageHistoryReply, cancel);

    public Task<Reply<AddressReply>> AssignAddressAsync(WalletId wallet, OperationId id, CancellationToken cancel) =>
        connection.PostAsync($"/v1/wallets/{wallet}/addresses", new IdRequest(id.ToString()), Json.IdRequest, Json.AddressReply, cancel);

    public Task<Reply<AddressesReply>> AssignAddressesAsync(WalletId wallet, OperationId id, int count, CancellationToken cancel) =>
        connection.PostAsync(
            $"/v1/wallets/{wallet}/addresses:batch", new AddressesRequest(id.ToString(), (uint)count), Json.AddressesRequest, Json.AddressesReply, cancel);

    public Task<Reply<Page<DepositReply>>> GetDepositsAsync(WalletId wallet, Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/deposits{paging}", Json.PageDepositReply, cancel);

    /// <param name="amount">Null for everything that makes a whole satoshi.</param>
    public Task<Reply<WithdrawalReply>> WithdrawAsync(WalletId wallet, OperationId id, string address, Sats? amount, CancellationToken cancel) =>
        WithdrawAsync(wallet, new WithdrawalRequest(id.ToString(), address, amount?.Value, amount is null ? true : null), cancel);

    public Task<Reply<WithdrawalReply>> WithdrawAsync(WalletId wallet, WithdrawalRequest request, CancellationToken cancel) =>
        connection.PostAsync($"/v1/wallets/{wallet}/withdrawals", request, Json.WithdrawalRequest, Json.WithdrawalReply, cancel);

    /// <param name="amount">Null for everything that makes a whole satoshi.</param>
    public Task<Reply<WithdrawalQuoteReply>> QuoteWithdrawalAsync(WalletId wallet, string address, Sats? amount, CancellationToken cancel) =>
        connection.GetAsync(
            $"/v1/wallets/{wallet}/withdrawals:quote?address={Uri.EscapeDataString(address)}"
                + (amount is { } sats ? string.Create(CultureInfo.InvariantCulture, $"&amountSat={sats.Value}") : ""),
            Json.WithdrawalQuoteReply, cancel);

    public Task<Reply<WithdrawalReply>> CancelWithdrawalAsync(WalletId wallet, OperationId id, CancellationToken cancel) =>
        connection.PostAsync($"/v1/wallets/{wallet}/withdrawals/{id}/cancel", Json.WithdrawalReply, cancel);

    public Task<Reply<WithdrawalReply>> GetWithdrawalAsync(WalletId wallet, OperationId id, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/withdrawals/{id}", Json.WithdrawalReply, cancel);

    public Task<Reply<Page<WithdrawalReply>>> GetWithdrawalsAsync(WalletId wallet, Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/withdrawals{paging}", Json.PageWithdrawalReply, cancel);

    /// <param name="stopped">False to let them go on.</param>
    public Task<Reply<StopReply>> StopWithdrawalsAsync(OperationId id, bool stopped, CancellationToken cancel) => connection.PostAsync(
        stopped ? "/v1/operator/withdrawals:stop" : "/v1/operator/withdrawals:resume", new IdRequest(id.ToString()), Json.IdRequest, Json.StopReply, cancel);

    public Task<Reply<KeyRotationReply>> RotateCheckpointKeyAsync(OperationId id, CancellationToken cancel) => connection.PostAsync(
        "/v1/operator/checkpoint-key:rotate", new IdRequest(id.ToString()), Json.IdRequest, Json.KeyRotationReply, cancel);

    public Task<Reply<ApprovalsReply>> GetApprovalsAsync(CancellationToken cancel) =>
        connection.GetAsync("/v1/operator/approvals", Json.ApprovalsReply, cancel);

    public Task<Reply<WithdrawalReply>> DecideWithdrawalAsync(WalletId wallet, OperationId id, bool approved, CancellationToken cancel) =>
        connection.PostAsync($"/v1/wallets/{wallet}/withdrawals/{id}/{(approved ? "approve" : "decline")}", Json.WithdrawalReply, cancel);

    public Task<Reply<EpochReply>> CloseEpochAsync(OperationId id, CancellationToken cancel) =>
        connection.PostAsync("/v1/epochs", new IdRequest(id.ToString()), Json.IdRequest, Json.EpochReply, cancel);

    public Task<Reply<EpochReply>> GetEpochAsync(long epoch, CancellationToken cancel) =>
        connection.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v1/epochs/{epoch}"), Json.EpochReply, cancel);

    public Task<Reply<Page<EpochReply>>> GetEpochsAsync(Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/epochs{paging}", Json.PageEpochReply, cancel);

    public Task<Reply<AddressReply>> AssignTopUpAddressAsync(OperationId id, CancellationToken cancel) =>
        connection.PostAsync("/v1/operator/addresses", new IdRequest(id.ToString()), Json.IdRequest, Json.AddressReply, cancel);

    public Task<Reply<OperatorReply>> GetOperatorAsync(CancellationToken cancel) =>
        connection.GetAsync("/v1/operator", Json.OperatorReply, cancel);

    public Task<Reply<Page<SuspenseReply>>> GetSuspenseAsync(Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/operator/suspense{paging}", Json.PageSuspenseReply, cancel);

    public Task<Reply<AssignmentReply>> AssignSuspenseAsync(OutPoint output, WalletId wallet, OperationId id, CancellationToken cancel) => connection.PostAsync(
        string.Create(CultureInfo.InvariantCulture, $"/v1/operator/suspense/{output.Txid}/{output.Index}/assign"),
        new AssignmentRequest(id.ToString(), wallet.ToString()), Json.AssignmentRequest, Json.AssignmentReply, cancel);

    public Task<Reply<Page<FrozenReply>>> GetFrozenAsync(Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/operator/frozen{paging}", Json.PageFrozenReply, cancel);

    public Task<Reply<SettlementReply>> SettleDepositAsync(OutPoint output, bool released, string reason, OperationId id, CancellationToken cancel) => connection.PostAsync(
        string.Create(CultureInfo.InvariantCulture, $"/v1/operator/frozen/{output.Txid}/{output.Index}/{(released ? "release" : "reverse")}"),
        new SettlementRequest(id.ToString(), reason), Json.SettlementRequest, Json.SettlementReply, cancel);

    public Task<Reply<ClockReply>> ConfirmClockAsync(CancellationToken cancel) =>
        connection.PostAsync("/v1/operator/clock:confirm", Json.ClockReply, cancel);

    public Task<Reply<Page<SigningReply>>> GetSigningAsync(Paging paging, CancellationToken cancel) =>
        connection.GetAsync($"/v1/operator/signing{paging}", Json.PageSigningReply, cancel);

    /// <param name="psbt">Signed, in base64.</param>
    public Task<Reply<SignedReply>> HandBackAsync(Txid txid, string psbt, CancellationToken cancel) =>
        connection.PostAsync($"/v1/operator/signing/{txid}", new SignedRequest(psbt), Json.SignedRequest, Json.SignedReply, cancel);

    public Task<Reply<ReservesProofReply>> SignReservesAsync(long epoch, CancellationToken cancel) => connection.PostAsync(
        string.Create(CultureInfo.InvariantCulture, $"/v1/operator/reserves/{epoch}/sign"), Json.ReservesProofReply, cancel);

    /// <param name="psbts">Signed, in base64.</param>
    public Task<Reply<ReservesProofReply>> HandBackReservesAsync(long epoch, IReadOnlyList<string> psbts, CancellationToken cancel) => connection.PostAsync(
        string.Create(CultureInfo.InvariantCulture, $"/v1/operator/reserves/{epoch}/signed"), new ReservesSignedRequest(psbts), Json.ReservesSignedRequest, Json.ReservesProofReply, cancel);

    public Task<Reply<RescanReply>> RescanAsync(uint fromHeight, CancellationToken cancel) =>
        connection.PostAsync("/v1/operator/rescan", new RescanRequest(fromHeight), Json.RescanRequest, Json.RescanReply, cancel);

    public Task<Reply<HealthReply>> GetHealthAsync(CancellationToken cancel) =>
        connection.GetAsync("/v1/health", Json.HealthReply, cancel);

    public Task<Reply<HealthDetailsReply>> GetHealthDetailsAsync(CancellationToken cancel) =>
        connection.GetAsync("/v1/operator/health", Json.HealthDetailsReply, cancel);

    /// <summary>The pins, as the file that auditors keep.</summary>
    public Task<string> GetPinsAsync(CancellationToken cancel) => connection.GetTextAsync("/v1/pins", cancel);

    /// <summary>What the server publishes of its log, at a path such as <c>checkpoint</c> or <c>tile/0/000</c>.</summary>
    public Task<byte[]> GetPublishedAsync(string path, CancellationToken cancel) => connection.GetBytesAsync("/" + path, cancel);

    /// <summary>The notes in which each of the log's keys named the next; empty if the first one signs.</summary>
    public Task<string> GetRotationsAsync(CancellationToken cancel) => connection.GetTextAsync("/rotations", cancel);

    public Task<Reply<LiabilityKeyReply>> GetLiabilityKeyAsync(WalletId wallet, CancellationToken cancel) =>
        connection.GetAsync($"/v1/wallets/{wallet}/liability-key", ClientJson.Default.LiabilityKeyReply, cancel);

    public Task<Reply<BalanceProofReply>> GetBalanceProofAsync(WalletId wallet, long epoch, CancellationToken cancel) => connection.GetAsync(
        string.Create(CultureInfo.InvariantCulture, $"/v1/wallets/{wallet}/balances/{epoch}"), ClientJson.Default.BalanceProofReply, cancel);

    /// <summary>A published file, however long; null if there is none.</summary>
    public Task<Stream?> FindPublishedAsync(string path, CancellationToken cancel) => connection.FindStreamAsync("/" + path, cancel);

    public void Dispose() => connection.Dispose();
}

/// <summary>Which part of a list is wanted, newest first.</summary>
/// <param name="Before">What the page before gave as <c>next</c>; null for the newest.</param>
public readonly record struct Paging(long? Before, int? Limit)
{
    public override string ToString()
    {
        var parts = new List<string>();
        if (Before is { } before) parts.Add(string.Create(CultureInfo.InvariantCulture, $"before={before}"));
        if (Limit is { } limit) parts.Add(string.Create(CultureInfo.InvariantCulture, $"limit={limit}"));
        return parts.Count == 0 ? "" : "?" + string.Join('&', parts);
    }
}
