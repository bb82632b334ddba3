// What clients ask for when they pay, as JSON, and how it becomes what the ledger takes. A batch's line may be any of
// these; alone, each kind has a request of its own that knows only its own members.

using System.Globalization;
using System.Text;
using Bitcache.Core;

namespace Bitcache.Server.Api;

/// <param name="Id">A UUID of version 7 that the client makes.</param>
/// <param name="UpTo">Whether less may be paid, if that is all that funds and limits allow.</param>
/// <param name="Code">A number of the payer's choice; 0 if absent.</param>
/// <param name="Reference">At most 64 bytes of UTF-8 of the payer's choice, without characters that are not seen (<see cref="PlainText"/>).</param>
public sealed record TransferRequest(
    string Id, string Payer, string Payee, long AmountMsat, uint? Code = null, string? Reference = null, bool? UpTo = null);

/// <param name="Expires">When what is left goes back: ISO 8601 in UTC.</param>
public sealed record HoldRequest(
    string Id, string Payer, string Payee, long AmountMsat, string Expires, uint? Code = null, string? Reference = null);

/// <param name="Hold">The id of the hold.</param>
/// <param name="Close">Whether it is the last, and what it leaves of the hold goes back.</param>
public sealed record CaptureRequest(
    string Id, string Payer, string Payee, string Hold, long AmountMsat, bool? Close = null, uint? Code = null, string? Reference = null);

/// <param name="Hold">The id of the hold.</param>
public sealed record ReleaseRequest(string Id, string Payer, string Payee, string Hold, uint? Code = null, string? Reference = null);

/// <param name="Payer">The wallet that was paid.</param>
/// <param name="Payee">The wallet that had paid.</param>
/// <param name="Original">The id of the payment, which is unique under the wallet that had paid.</param>
public sealed record RefundRequest(
    string Id, string Payer, string Payee, string Original, long AmountMsat, uint? Code = null, string? Reference = null);

/// <summary>One line of a batch: the request of its kind.</summary>
/// <param name="Kind">transfer, hold, capture, release or refund; a transfer if absent.</param>
public sealed record PaymentRequest(
    string Id, string Payer, string Payee, string? Kind = null, long? AmountMsat = null, bool? UpTo = null, string? Expires = null,
    string? Hold = null, bool? Close = null, string? Original = null, uint? Code = null, string? Reference = null);

/// <summary>Requests as payments. What cannot be read is refused with the member that it is about.</summary>
internal static class PaymentRequests
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private static readonly string[] TimeForms = ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.fff'Z'"];

    /// <exception cref="ProblemException">A member cannot be read.</exception>
    public static Payment ToPayment(TransferRequest request) => With(Begin(PaymentKind.Transfer, request.Id, request.Payer, request.Payee, request.Code) with
    {
        Flags = request.UpTo == true ? PaymentFlags.UpTo : PaymentFlags.None,
        Amount = ParseAmount(request.AmountMsat),
    }, request.Reference);

    /// <exception cref="ProblemException">A member cannot be read.</exception>
    public static Payment ToPayment(HoldRequest request) => With(Begin(PaymentKind.Hold, request.Id, request.Payer, request.Payee, request.Code) with
    {
        Amount = ParseAmount(request.AmountMsat),
        Expires = ParseTime(request.Expires, "expires"),
    }, request.Reference);

    /// <exception cref="ProblemException">A member cannot be read.</exception>
    public static Payment ToPayment(CaptureRequest request) => With(Begin(PaymentKind.Capture, request.Id, request.Payer, request.Payee, request.Code) with
    {
        Flags = request.Close == true ? PaymentFlags.Close : PaymentFlags.None,
        Target = Call.ParseId(request.Hold, "hold"),
        Amount = ParseAmount(request.AmountMsat),
    }, request.Reference);

    /// <exception cref="ProblemException">A member cannot be read.</exception>
    public static Payment ToPayment(ReleaseRequest request) => With(Begin(PaymentKind.Release, request.Id, request.Payer, request.Payee, request.Code) with
    {
        Target = Call.ParseId(request.Hold, "hold"),
    }, request.Reference);

    /// <summary>The refund; its original is still to be found.</summary>
    /// <exception cref="ProblemException">A member cannot be read.</exception>
    public static Payment ToPayment(RefundRequest request) => With(Begin(PaymentKind.Refund, request.Id, request.Payer, request.Payee, request.Code) with
    {
        Target = Call.ParseId(request.Original, "original"),
        Amount = ParseAmount(request.AmountMsat),
    }, request.Reference);

    /// <exception cref="ProblemException">It is of no kind, or has a member that is not its kind's, or lacks one that is.</exception>
    public static Payment ToPayment(PaymentRequest r)
    {
        var (kind, wanted) = r.Kind switch
        {
            null or "transfer" => (PaymentKind.Transfer, Members.Amount | Members.UpTo),
            "hold" => (PaymentKind.Hold, Members.Amount | Members.Expires),
            "capture" => (PaymentKind.Capture, Members.Amount | Members.Hold | Members.Close),
            "release" => (PaymentKind.Release, Members.Hold),
            "refund" => (PaymentKind.Refund, Members.Amount | Members.Original),
            _ => throw new ProblemException(ProblemType.UnknownKind, "kind"),
        };
        Refuse(r, ~wanted);
        return kind switch
        {
            PaymentKind.Hold => ToPayment(new HoldRequest(r.Id, r.Payer, r.Payee, Amount(r), Need(r.Expires, "expires"), r.Code, r.Reference)),
            PaymentKind.Capture => ToPayment(new CaptureRequest(r.Id, r.Payer, r.Payee, Need(r.Hold, "hold"), Amount(r), r.Close, r.Code, r.Reference)),
            PaymentKind.Release => ToPayment(new ReleaseRequest(r.Id, r.Payer, r.Payee, Need(r.Hold, "hold"), r.Code, r.Reference)),
            PaymentKind.Refund => ToPayment(new RefundRequest(r.Id, r.Payer, r.Payee, Need(r.Original, "original"), Amount(r), r.Code, r.Reference)),
            PaymentKind.Transfer or PaymentKind.None => ToPayment(new TransferRequest(r.Id, r.Payer, r.Payee, Amount(r), r.Code, r.Reference, r.UpTo)),
        };
    }

    public static Msat ParseAmount(long amount, string member = "amountMsat") => amount is >= 1 and <= Limits.SupplyMsatMax
        ? new Msat(amount)
        : throw new ProblemException(ProblemType.AmountOutOfRange, member);

    public static ByteString ParseReference(string? text, string member = "reference")
    {
        if (string.IsNullOrEmpty(text)) return ByteString.Empty;
        if (!PlainText.IsPlain(text) || StrictUtf8.GetByteCount(text) > Limits.ReferenceBytesMax)
            throw new ProblemException(ProblemType.MalformedReference, member);
        return ByteString.FromUtf8(text);
    }

    public static UnixTime ParseTime(string text, string member) =>
        DateTimeOffset.TryParseExact(text, TimeForms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? new UnixTime(time.ToUnixTimeMilliseconds())
            : throw new ProblemException(ProblemType.MalformedTime, member);

    /// <summary>What every kind has.</summary>
    private static Payment Begin(PaymentKind kind, string id, string payer, string payee, uint? code) => new()
    {
        Kind = kind,
        Id = Call.ParseId(id),
        Payer = Call.ParseWallet(payer, "payer"),
        Payee = Call.ParseWallet(payee, "payee"),
        Code = code ?? 0,
    };

    private static Payment With(Payment payment, string? reference)
    {
        payment.SetReference(ParseReference(reference).Span);
        return payment;
    }

    /// <summary>The members of a line that not every kind has.</summary>
    [Flags]
    private enum Members
    {
        None = 0,
        Amount = 1,
        UpTo = 2,
        Expires = 4,
        Hold = 8,
        Close = 16,
        Original = 32,
    }

    private static void Refuse(PaymentRequest r, Members unknown)
    {
        RefuseIf(r.AmountMsat is not null && unknown.HasFlag(Members.Amount), "amountMsat");
        RefuseIf(r.UpTo is not null && unknown.HasFlag(Members.UpTo), "upTo");
        RefuseIf(r.Expires is not null && unknown.HasFlag(Members.Expires), "expires");
        RefuseIf(r.Hold is not null && unknown.HasFlag(Members.Hold), "hold");
        RefuseIf(r.Close is not null && unknown.HasFlag(Members.Close), "close");
        RefuseIf(r.Original is not null && unknown.HasFlag(Members.Original), "original");
    }

    private static void RefuseIf(bool isThere, string member)
    {
        if (isThere) throw new ProblemException(ProblemType.UnknownMember, member);
    }

    private static long Amount(PaymentRequest request) => request.AmountMsat ?? throw new ProblemException(ProblemType.MissingMember, "amountMsat");

    private static string Need(string? value, string member) => value ?? throw new ProblemException(ProblemType.MissingMember, member);
}
