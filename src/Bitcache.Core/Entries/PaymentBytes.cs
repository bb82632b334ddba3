// The bodies of the statements of payments.
//
//   every payment     16  id
//                     16  payer
//                     16  payee
//                      8  msat: what was moved; behind a refusal, what was asked for
//                      4  code
//                      1  length r of the reference, and r bytes
//   a hold            .. 8 expires, Unix milliseconds
//   a capture         .. 16 id of the hold, u8 whether it closes the hold
//   a release         .. 16 id of the hold
//   a refund          .. 8 sequence of the original, 8 msat that it moved, 16 its id; its payer is the refund's payee
//
// Outside the statement: of a transfer up to an amount 8 msat, the amount. A retry is held against it, and nothing else.

namespace Bitcache.Core;

internal static class PaymentBytes
{
    public static void Write(ref ByteWriter writer, in Payment payment, Msat amount)
    {
        writer.Id(payment.Id);
        writer.Wallet(payment.Payer);
        writer.Wallet(payment.Payee);
        writer.Amount(amount);
        writer.U32(payment.Code);
        writer.Short(payment.Reference);
        if (payment.Kind == PaymentKind.Hold) writer.Time(payment.Expires);
        if (payment.Kind == PaymentKind.Refund)
        {
            writer.I64(payment.OriginalSequence);
            writer.Amount(payment.OriginalAmount);
        }
        if (payment.Kind is PaymentKind.Capture or PaymentKind.Release or PaymentKind.Refund) writer.Id(payment.Target);
        if (payment.Kind == PaymentKind.Capture) writer.Flag(payment.IsClosing);
    }

    public static void WritePrivate(ref ByteWriter writer, in Payment payment)
    {
        if (payment.IsUpTo) writer.Amount(payment.Amount);
    }

    /// <summary>Reads a payment that took effect, or that was refused in the words of one that does.</summary>
    /// <param name="rest">The private bytes.</param>
    /// <param name="leafOnly">There are none: what they hold is left at zero.</param>
    public static PaymentCommand Read(PaymentKind kind, bool upTo, ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        var (id, payer, payee, amount) = (body.Id(), body.Wallet(), body.Wallet(), body.Msat());
        var (code, reference) = (body.U32(), body.Short(Limits.ReferenceBytesMax));
        switch (kind)
        {
            case PaymentKind.Transfer when upTo:
                return new Transfer(id, payer, payee, amount, code, reference) { UpTo = leafOnly ? Msat.Zero : rest.Msat() };
            case PaymentKind.Transfer:
                return new Transfer(id, payer, payee, amount, code, reference);
            case PaymentKind.Hold:
                return new PlaceHold(id, payer, payee, amount, code, reference, body.Time());
            case PaymentKind.Capture:
                return new CaptureHold(id, payer, payee, amount, code, reference, body.Id(), body.Flag());
            case PaymentKind.Release:
                return new ReleaseHold(id, payer, payee, amount, code, reference, body.Id());
            case PaymentKind.Refund:
                return new RefundPayment(id, payer, payee, amount, code, reference, body.I64(), body.Msat(), body.Id());
            default:
                throw new FormatException("a payment of no kind");
        }
    }
}
