// Payments: the same rules as for every command, on a path that allocates nothing.
//
// The fee is paid by the payer on top of the amount and goes to the operator in the same entry. The operator's own
// tenant pays none, and nobody pays one for paying the operator.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly FeeTable _fees = new();
    private readonly SpendingTable _spending = new();

    /// <summary>Applies payments in order, as far as there is room for their records.</summary>
    /// <param name="sights">One of each payment, of this ledger: see <see cref="Sight"/>.</param>
    /// <param name="salts">One for each payment.</param>
    /// <param name="context">Its salt is not used.</param>
    /// <param name="results">As long as <paramref name="payments"/>.</param>
    /// <param name="bytes">What was written to <paramref name="records"/>.</param>
    /// <returns>How many were applied: all of them, or as many as found <see cref="Limits.PaymentRecordBytesMax"/> free bytes each.</returns>
    public int Apply(
        ReadOnlySpan<Payment> payments, ReadOnlySpan<PaymentSight> sights, in ApplyContext context, ReadOnlySpan<UInt128> salts,
        Span<PaymentResult> results, Span<byte> records, out int bytes)
    {
        bytes = 0;
        for (var i = 0; i < Math.Min(RowsAhead, payments.Length); i++) PrefetchRows(payments[i], sights[i]);
        var own = context;
        for (var i = 0; i < payments.Length; i++)
        {
            if (records.Length - bytes < Limits.PaymentRecordBytesMax) return i;
            ref readonly var payment = ref payments[i];
            if (i + PaymentsAhead < payments.Length) Prefetch.Lines(in payments[i + PaymentsAhead], PlainPaymentBytes);
            if (i + RowsAhead < payments.Length) PrefetchRows(payments[i + RowsAhead], sights[i + RowsAhead]);
            own = own with { Salt = salts[i] };
            ref var result = ref results[i];
            var (payer, payee) = (_wallets.Find(payment.Payer, sights[i].Payer), _wallets.Find(payment.Payee, sights[i].Payee));
            Apply(payment, payer, payee, own, records[bytes..], ref result);
            bytes += result.BytesWritten;
        }
        return payments.Length;
    }

    /// <summary>What a tenant's wallets pay for their payments.</summary>
    public FeeSchedule FeesOf(uint tenant) => _fees.Of(tenant);

    /// <summary>A wallet's spending limits; all zero if it has none.</summary>
    public SpendingLimits LimitsOf(WalletId id) =>
        _wallets.Find(id) is var slot and >= 0 && _wallets.Peek(slot).Spending is var number and > 0 ? _spending.Peek(number).Limits : default;

    /// <summary>Applies a payment and writes its record to <paramref name="record"/>, as <see cref="Apply(Command, in ApplyContext, Span{byte})"/>
    /// does for commands.</summary>
    /// <remarks>What acts on a hold may be sent by the payee's owner, too. So the answer to a known id must be held
    /// against its entry, payee included, before it is given: under a payer's id, the owner of another payee is told
    /// that it was used, and no more.</remarks>
    public PaymentResult Apply(in Payment payment, in ApplyContext context, Span<byte> record)
    {
        PaymentResult result = default;
        Apply(payment, _wallets.Find(payment.Payer), _wallets.Find(payment.Payee), context, record, ref result);
        return result;
    }

    private void Apply(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record, ref PaymentResult result)
    {
        Assert(context.Time >= Time, "time does not run backwards");
        Assert(Genesis is not null, "the first entry is the genesis entry");
        if (Precheck(payment, payer, payee, context) is { Outcome: not Outcome.Accepted } answer)
        {
            result = answer.Outcome == Outcome.Known ? Result(answer, context, payer, payee) : Result(answer);
            return;
        }
        switch (payment.Kind)
        {
            case PaymentKind.Transfer when payment.IsUpTo || payee < 0 || _fees.Count > 0 || _wallets.Peek(payer).Spending > 0:
                result = ApplySpending(payment, payer, payee, context, record);
                break;
            case PaymentKind.Transfer:
                ApplyTransfer(payment, payer, payee, context, record, ref result);
                break;
            case PaymentKind.Hold:
                result = ApplyPlaceHold(payment, payer, payee, context, record);
                break;
            case PaymentKind.Capture:
                result = ApplyCapture(payment, payer, payee, context, record);
                break;
            case PaymentKind.Release:
                result = ApplyRelease(payment, payer, payee, context, record);
                break;
            case PaymentKind.Refund:
                result = ApplyRefund(payment, payer, payee, context, record);
                break;
            case PaymentKind.None:
                throw new LedgerInvariantException("a payment of no kind is refused before");
        }
    }

    /// <summary>The owner, the id, the shape, what is named.</summary>
    private ApplyResult Precheck(in Payment payment, int payer, int payee, in ApplyContext context)
    {
        if (!payment.IsWellFormed) return Refused(Outcome.Malformed);
        // As for commands: a stranger learns nothing.
        var mayAsk = payer < 0 || IsOwn(payer, context) || (payment.IsOnHold && IsPayees(payment, payee, context));
        if (!mayAsk) return Refused(Outcome.WalletNotFound);
        var answer = Identify(OwnerKey(payment.Payer, payer), payment.Id, context);
        if (answer.Outcome != Outcome.Accepted) return answer;
        return CheckNames(payment, payer, payee) is var wrong and not Outcome.None ? Refused(wrong) : answer;
    }

    /// <summary>The shape of a payment, then what it names.</summary>
    private Outcome CheckNames(in Payment payment, int payer, int payee)
    {
        if (payment.Amount.IsZero && payment.Kind != PaymentKind.Release) return Outcome.AmountZero;
        if (payment.Payer == payment.Payee) return Outcome.SelfTransfer;
        if (payer < 0) return Outcome.WalletNotFound;
        return payee >= 0 || (payment.Facts.HasFlag(PayeeFacts.Exists) && IsElsewhere(payment.Payee)) ? Outcome.None : Outcome.PayeeNotFound;
    }

    /// <summary>Whether the payee belongs to whoever asks.</summary>
    private bool IsPayees(in Payment payment, int payee, in ApplyContext context) =>
        payee >= 0 ? IsOwn(payee, context) : payment.Facts.HasFlag(PayeeFacts.IsCallers) && IsElsewhere(payment.Payee);

    /// <summary>A transfer to which neither a fee nor a limit applies.</summary>
    private void ApplyTransfer(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record, ref PaymentResult result)
    {
        ref var from = ref _wallets[payer];
        ref var to = ref _wallets[payee];
        var refusal = CheckState(from);
        if (refusal == Outcome.None && from.Available < payment.Amount) refusal = Outcome.InsufficientFunds;
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        if (refusal != Outcome.None)
        {
            result = Refuse(payment, refusal, payer, payee, context, record);
            return;
        }

        // After this point the transfer must succeed.
        Debit(ref from, payment.Amount);
        Credit(ref to, payment.Amount);
        var sequence = TakeSequence(EntryType.Transfer, context.Time);
        var length = TransferBytes.Write(
            record, payment, context, partition, sequence, new HistoryLink(from.LastSequence, from.Available), new HistoryLink(to.LastSequence, to.Available));
        from.LastSequence = to.LastSequence = sequence;
        result.Set(
            Outcome.Accepted, sequence, length, payment.Amount, from.Tenant == context.Tenant ? from.Available : null,
            to.Tenant == context.Tenant ? to.Available : null);
    }

    /// <summary>A transfer with all that may apply to it.</summary>
    private PaymentResult ApplySpending(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record)
    {
        var fees = FeesFor(payer, payee);
        var amount = payment.Amount;
        var refusal = payment.IsUpTo
            ? FindMost(_wallets.Peek(payer), fees, context.Time, ref amount)
            : CheckSpending(_wallets.Peek(payer), amount.Value, fees.Of(amount), context.Time);
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        if (refusal != Outcome.None) return Refuse(payment, refusal, payer, payee, context, record);

        // After this point the transfer must succeed.
        var fee = new Msat(fees.Of(amount));
        CountSpending(_wallets[payer], amount, context.Time);
        var type = payment.IsUpTo ? EntryType.TransferUpTo : fee.IsZero ? EntryType.Transfer : EntryType.TransferCharged;
        Debit(ref _wallets[payer], amount + fee);
        var leg = Pay(payee, type, payment, amount, NextSequence);
        if (!fee.IsZero) Credit(ref _wallets[_operator], fee);
        var entry = Begin(type, context, record);
        PaymentBytes.Write(ref entry.Body, payment, amount);
        if (type != EntryType.Transfer) entry.Body.Amount(fee);
        entry.End(context);
        PaymentBytes.WritePrivate(ref entry.Body, payment);
        entry.Link(ref _wallets[payer]);
        LinkPayee(ref entry, payee, leg);
        if (!fee.IsZero) entry.Link(ref _wallets[_operator]);
        return Result(entry.Finish(), context, payer, payee) with { Amount = amount, Fee = fee };
    }

    /// <summary>Journals a refusal. The id is remembered already.</summary>
    private PaymentResult Refuse(in Payment payment, Outcome refusal, int payer, int payee, in ApplyContext context, Span<byte> record)
    {
        var isPlain = payment.Kind == PaymentKind.Transfer && !payment.IsUpTo;
        var entry = Begin(isPlain ? EntryType.TransferRefused : EntryType.PaymentRefused, context, record);
        if (!isPlain) entry.Body.U8((byte)payment.Kind);
        PaymentBytes.Write(ref entry.Body, payment, payment.Amount);
        entry.End(context, refusal);
        if (!isPlain) PaymentBytes.WritePrivate(ref entry.Body, payment);
        return Result(entry.Finish(), context, payer, payee);
    }

    /// <summary>The state, then the limits, then the funds.</summary>
    /// <param name="msat">May be more than all the money there is, and so may the fee.</param>
    private Outcome CheckSpending(in WalletRow wallet, long msat, long fee, UnixTime now)
    {
        if (CheckState(wallet) is var refusal and not Outcome.None) return refusal;
        if (wallet.Spending > 0 && _spending.Peek(wallet.Spending).Room(now) < msat) return Outcome.LimitExceeded;
        return wallet.Available.Value < msat + fee ? Outcome.InsufficientFunds : Outcome.None;
    }

    /// <summary>Lowers an amount to what limits and funds allow.</summary>
    private Outcome FindMost(in WalletRow wallet, in FeeSchedule fees, UnixTime now, ref Msat amount)
    {
        if (CheckState(wallet) is var refusal and not Outcome.None) return refusal;
        if (wallet.Spending > 0) amount = new Msat(Math.Min(amount.Value, _spending.Peek(wallet.Spending).Room(now)));
        if (amount.IsZero) return Outcome.LimitExceeded;
        amount = Msat.Min(amount, fees.MostWithin(wallet.Available));
        return amount.IsZero ? Outcome.InsufficientFunds : Outcome.None;
    }

    private void CountSpending(in WalletRow wallet, Msat amount, UnixTime now)
    {
        if (wallet.Spending > 0) _spending[wallet.Spending].Count(amount, now);
    }

    private FeeSchedule FeesFor(int payer, int payee)
    {
        var tenant = _wallets.Peek(payer).Tenant;
        return _fees.Count == 0 || tenant == OperatorTenant || payee == _operator ? default : _fees.Of(tenant);
    }

    private static PaymentResult Result(in ApplyResult result) => new(result.Outcome, result.Sequence, result.BytesWritten);

    /// <summary>With the balances that whoever asks may see.</summary>
    private PaymentResult Result(in ApplyResult applied, in ApplyContext context, int payer, int payee)
    {
        PaymentResult result = default;
        result.Set(
            applied.Outcome, applied.Sequence, applied.BytesWritten, Msat.Zero, AvailableFor(payer, context), AvailableFor(payee, context));
        return result;
    }

    private Msat? AvailableFor(int slot, in ApplyContext context) =>
        slot >= 0 && _wallets.Peek(slot).Tenant == context.Tenant ? _wallets.Peek(slot).Available : null;
}
