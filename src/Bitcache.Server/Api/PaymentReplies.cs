// How a payment of any kind is answered: when it is made, when it is asked for again, and when it is looked up.

using System.Text;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

/// <param name="Kind">transfer, hold, capture, release or refund.</param>
/// <param name="Outcome"><c>accepted</c>, or the code of the problem for which it was refused.</param>
/// <param name="Sequence">The entry's place in the ledger.</param>
/// <param name="AmountMsat">What was moved, held or given back; of a refusal, what was asked for.</param>
/// <param name="FeeMsat">What the payer paid on top, or has held for that; absent where there is none, or the payer is not the caller's.</param>
/// <param name="UpToMsat">What was asked for, if less was good, too.</param>
/// <param name="Expires">When what is left of a hold goes back.</param>
/// <param name="Hold">The hold that is captured or released.</param>
/// <param name="Close">Whether the capture is the last.</param>
/// <param name="ReleasedMsat">What the last capture gave back to the payer.</param>
/// <param name="Original">The payment that is refunded.</param>
/// <param name="PayerWallet">The payer as it is now, if the caller may see it.</param>
/// <param name="PayeeWallet">The payee as it is now, if the caller may see it.</param>
public sealed record PaymentReply(
    string Kind, string Id, string Outcome, long Sequence, string Time, string Payer, string Payee, long AmountMsat, uint Code, string Reference,
    long? FeeMsat, long? UpToMsat, string? Expires, string? Hold, bool? Close, long? ReleasedMsat, string? Original,
    WalletReply? PayerWallet, WalletReply? PayeeWallet);

internal static class PaymentReplies
{
    public const string Accepted = "accepted";

    /// <summary>Submits a payment, and answers it.</summary>
    public static async Task<IResult> SubmitAsync(Call call, Payment payment)
    {
        var answer = await call.Partitions.SubmitAsync(payment, call.Principal.Tenant);
        if (call.Refusal(answer.Outcome, answer.Sequence, answer.Time) is { } refusal) return refusal;
        return Replies.Done(answer.IsRetry, Of(call, payment, answer), ApiJson.Default.PaymentReply);
    }

    /// <summary>A payment as its entry tells it.</summary>
    public static PaymentReply Of(Call call, Entry entry, Wallet? payer, Wallet? payee)
    {
        var command = (PaymentCommand)entry.Command;
        var answer = new PaymentAnswer(entry.Outcome, entry.Sequence, entry.Time, payer, payee)
        {
            Amount = command.Amount,
            Fee = entry.Fee,
            Released = entry.Released,
        };
        return Of(call, command.ToPayment(), answer);
    }

    private static PaymentReply Of(Call call, in Payment payment, in PaymentAnswer answer)
    {
        var (payerId, payeeId) = (payment.Payer.ToString(), payment.Payee.ToString());
        var payer = Show(call, answer.Payer, payerId);
        var isCapture = payment.Kind == PaymentKind.Capture;
        return new PaymentReply(
            NameOf(payment.Kind), payment.Id.ToString(), ProblemType.Of(answer.Outcome)?.Code ?? Accepted, answer.Sequence, answer.Time.ToString(),
            payerId, payeeId, answer.Amount.Value, payment.Code, Encoding.UTF8.GetString(payment.Reference),
            payer is null ? null : MoreThanNothing(answer.Fee), payment.IsUpTo ? payment.Amount.Value : null,
            payment.Kind == PaymentKind.Hold ? payment.Expires.ToString() : null, payment.IsOnHold ? payment.Target.ToString() : null,
            payment.IsClosing ? true : null, isCapture ? MoreThanNothing(answer.Released) : null,
            payment.Kind == PaymentKind.Refund ? payment.Target.ToString() : null, payer, Show(call, answer.Payee, payeeId));
    }

    /// <summary>A wallet, if the caller may see it.</summary>
    /// <param name="id">Its id as text, where it is there already.</param>
    public static WalletReply? Show(Call call, Wallet? wallet, string? id = null) =>
        wallet is { } known && call.Principal.MaySee(known) ? WalletReply.Of(known, id) : null;

    public static long? MoreThanNothing(Msat amount) => amount.IsZero ? null : amount.Value;

    private static string NameOf(PaymentKind kind) => kind switch
    {
        PaymentKind.Transfer => "transfer",
        PaymentKind.Hold => "hold",
        PaymentKind.Capture => "capture",
        PaymentKind.Release => "release",
        PaymentKind.Refund => "refund",
        PaymentKind.None => throw new InvalidOperationException("a payment of no kind is not answered"),
    };
}
