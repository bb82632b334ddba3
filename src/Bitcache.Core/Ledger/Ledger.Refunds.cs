// Refunds. A refund is paid by whoever was paid, out of what is available to it now, and costs no fee; the fee of the
// original stays where it is. All refunds of a payment together never pass what it moved.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly RefundTable _refunds = new();

    /// <summary>What wallets of this partition paid back so far of the payment at a sequence.</summary>
    /// <param name="home">The partition of the payment's entry: that of its payer.</param>
    public Msat RefundedOf(int home, long sequence) => _refunds.Of(home, sequence);

    private PaymentResult ApplyRefund(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record)
    {
        // Not where the payee is found: the operator has an account in each partition, and what it pays is decided in one.
        var home = HomeOf(payment.Payee);
        Assert(payment.OriginalSequence > 0 && (home != partition || payment.OriginalSequence < NextSequence), "what is refunded was journaled before");
        var refunded = _refunds.Of(home, payment.OriginalSequence);
        Assert(refunded <= payment.OriginalAmount && !payment.OriginalAmount.IsZero, "what is refunded moved what was read of it");
        var refusal = CheckRefund(_wallets.Peek(payer), payment, refunded);
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        if (refusal != Outcome.None) return Refuse(payment, refusal, payer, payee, context, record);

        // After this point the refund must succeed.
        Debit(ref _wallets[payer], payment.Amount);
        var leg = Pay(payee, EntryType.PaymentRefunded, payment, payment.Amount, NextSequence);
        _refunds.Add(home, payment.OriginalSequence, payment.Amount);
        var entry = Begin(EntryType.PaymentRefunded, context, record);
        PaymentBytes.Write(ref entry.Body, payment, payment.Amount);
        entry.End(context);
        entry.Link(ref _wallets[payer]);
        LinkPayee(ref entry, payee, leg);
        return Result(entry.Finish(), context, payer, payee) with { Amount = payment.Amount };
    }

    /// <summary>The wallet's state, then the original's, then the funds.</summary>
    private Outcome CheckRefund(in WalletRow wallet, in Payment payment, Msat refunded)
    {
        if (CheckState(wallet) is var refusal and not Outcome.None) return refusal;
        if (payment.Amount > payment.OriginalAmount - refunded) return Outcome.RefundExceeds;
        return wallet.Available < payment.Amount ? Outcome.InsufficientFunds : Outcome.None;
    }
}
