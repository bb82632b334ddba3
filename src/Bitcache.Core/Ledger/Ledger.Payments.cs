// Payments: the same rules as for every command, on a path that allocates nothing.
//
// The fee is paid by the payer on top of the amount and goes to the operator in the same entry. The operator's own
// tenant pays none, and nobody pays one for paying the operator.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    // How many payments ahead of the one that is applied memory is asked for: first the cells of the indexes, then,
    // when these are there, the rows that they point to.
    private const int CellsAhead = 16;
    private const int RowsAhead = 8;

    /// <summary>Applies payments in order, as far as there is room for their records.</summary>
    /// <param name="salts">One for each payment.</param>
    /// <param name="context">Its salt is not used.</param>
    /// <param name="results">As long as <paramref name="payments"/>.</param>
    /// <param name="bytes">What was written to <paramref name="records"/>.</param>
    /// <returns>How many were applied: all of them, or as many as found <see cref="Limits.PaymentRecordBytesMax"/> free bytes each.</returns>
    public int Apply(
        ReadOnlySpan<Payment> payments, in ApplyContext context, ReadOnlySpan<UInt128> salts, Span<PaymentResult> results, Span<byte> records, out int bytes)
    {
        bytes = 0;
        for (var i = 0; i < Math.Min(CellsAhead, payments.Length); i++) PrefetchCells(payments[i]);
        for (var i = 0; i < Math.Min(RowsAhead, payments.Length); i++) PrefetchRows(payments[i]);
        for (var i = 0; i < payments.Length; i++)
        {
            if (records.Length - bytes < Limits.PaymentRecordBytesMax) return i;
            if (i + CellsAhead < payments.Length) PrefetchCells(payments[i + CellsAhead]);
            if (i + RowsAhead < payments.Length) PrefetchRows(payments[i + RowsAhead]);
            results[i] = Apply(payments[i], context with { Salt = salts[i] }, records[bytes..]);
            bytes += results[i].BytesWritten;
        }
        return payments.Length;
    }

    private void PrefetchCells(in Payment payment)
    {
        _wallets.PrefetchCell(payment.Payer);
        _wallets.PrefetchCell(payment.Payee);
    }

    private void PrefetchRows(in Payment payment)
    {
        _wallets.PrefetchRow(payment.Payee);
        if (_wallets.PrefetchRow(payment.Payer) is var payer and >= 0) _ids.PrefetchCell(payer, payment.Id);
    }

    private readonly Dictionary<uint, FeeSchedule> _fees = [];
    private readonly SpendingTable _spending = new();

    /// <summary>What a tenant's wallets pay for their payments.</summary>
    public FeeSchedule FeesOf(uint tenant) => _fees.GetValueOrDefault(tenant);

    /// <summary>A wallet's spending limits; all zero if it has none.</summary>
    public SpendingLimits LimitsOf(WalletId id) =>
        _wallets.Find(id) is var slot and >= 0 && _wallets[slot].Spending is var number and > 0 ? _spending[number].Limits : default;

    /// <summary>Applies a payment and writes its record to <paramref name="record"/>, as <see cref="Apply(Command, in ApplyContext, Span{byte})"/>
    /// does for commands.</summary>
    /// <remarks>What acts on a hold may be sent by the payee's owner, too. So the answer to a known id must be held
    /// against its entry, payee included, before it is given: under a payer's id, the owner of another payee is told
    /// that it was used, and no more.</remarks>
    /// <exception cref="ArgumentException">The payment is not well-formed.</exception>
    public PaymentResult Apply(in Payment payment, in ApplyContext context, Span<byte> record)
    {
        Assert(context.Time >= Time, "time does not run backwards");
        Assert(Genesis is not null, "the first entry is the genesis entry");
        if (!payment.IsWellFormed) return new PaymentResult(Outcome.Malformed, 0, 0);
        var (payer, payee) = (_wallets.Find(payment.Payer), _wallets.Find(payment.Payee));
        // As for commands: a stranger learns nothing.
        var mayAsk = payer < 0 || IsOwn(payer, context) || (payment.IsOnHold && payee >= 0 && IsOwn(payee, context));
        if (!mayAsk) return Result(Refused(Outcome.WalletNotFound));
        if (Identify(OwnerKey(payment.Payer, payer), payment.Id, context) is { Outcome: not Outcome.Accepted } known)
            return known.Outcome == Outcome.Known ? Result(known, context, payer, payee) : Result(known);
        if (CheckNames(payment, payer, payee) is var wrong and not Outcome.None) return Result(Refused(wrong));
        return payment.Kind switch
        {
            PaymentKind.Transfer => ApplyTransfer(payment, payer, payee, context, record),
            PaymentKind.Hold => ApplyPlaceHold(payment, payer, payee, context, record),
            PaymentKind.Capture => ApplyCapture(payment, payer, payee, context, record),
            PaymentKind.Release => ApplyRelease(payment, payer, payee, context, record),
            PaymentKind.Refund => ApplyRefund(payment, payer, payee, context, record),
            PaymentKind.None => throw new LedgerInvariantException("a payment of no kind is refused before"),
        };
    }

    /// <summary>The shape of a payment, then what it names.</summary>
    private static Outcome CheckNames(in Payment payment, int payer, int payee)
    {
        if (payment.Amount.IsZero && payment.Kind != PaymentKind.Release) return Outcome.AmountZero;
        if (payment.Payer == payment.Payee) return Outcome.SelfTransfer;
        if (payer < 0) return Outcome.WalletNotFound;
        return payee < 0 ? Outcome.PayeeNotFound : Outcome.None;
    }

    private PaymentResult ApplyTransfer(in Payment payment, int payer, int payee, in ApplyContext context, Span<byte> record)
    {
        var fees = FeesFor(payer, payee);
        var amount = payment.Amount;
        var refusal = payment.IsUpTo
            ? FindMost(_wallets[payer], fees, context.Time, ref amount)
            : CheckSpending(_wallets[payer], amount.Value, fees.Of(amount), context.Time);
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        if (refusal != Outcome.None) return Refuse(payment, refusal, payer, payee, context, record);

        // After this point the transfer must succeed.
        var fee = new Msat(fees.Of(amount));
        CountSpending(_wallets[payer], amount, context.Time);
        Debit(ref _wallets[payer], amount + fee);
        Credit(ref _wallets[payee], amount);
        if (!fee.IsZero) Credit(ref _wallets[_operator], fee);
        var type = payment.IsUpTo ? EntryType.TransferUpTo : fee.IsZero ? EntryType.Transfer : EntryType.TransferCharged;
        var entry = Begin(type, context, record);
        PaymentBytes.Write(ref entry.Body, payment, amount);
        if (type != EntryType.Transfer) entry.Body.Amount(fee);
        entry.End(context);
        PaymentBytes.WritePrivate(ref entry.Body, payment);
        entry.Link(ref _wallets[payer]);
        entry.Link(ref _wallets[payee]);
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
    private Outcome CheckSpending(in Wallet wallet, long msat, long fee, UnixTime now)
    {
        if (CheckState(wallet) is var refusal and not Outcome.None) return refusal;
        if (wallet.Spending > 0 && _spending[wallet.Spending].Room(now) < msat) return Outcome.LimitExceeded;
        return wallet.Available.Value < msat + fee ? Outcome.InsufficientFunds : Outcome.None;
    }

    /// <summary>Lowers an amount to what limits and funds allow.</summary>
    private Outcome FindMost(in Wallet wallet, in FeeSchedule fees, UnixTime now, ref Msat amount)
    {
        if (CheckState(wallet) is var refusal and not Outcome.None) return refusal;
        if (wallet.Spending > 0) amount = new Msat(Math.Min(amount.Value, _spending[wallet.Spending].Room(now)));
        if (amount.IsZero) return Outcome.LimitExceeded;
        amount = Msat.Min(amount, fees.MostWithin(wallet.Available));
        return amount.IsZero ? Outcome.InsufficientFunds : Outcome.None;
    }

    private void CountSpending(in Wallet wallet, Msat amount, UnixTime now)
    {
        if (wallet.Spending > 0) _spending[wallet.Spending].Count(amount, now);
    }

    private FeeSchedule FeesFor(int payer, int payee)
    {
        var tenant = _wallets[payer].Tenant;
        return _fees.Count == 0 || tenant == OperatorTenant || payee == _operator ? default : _fees.GetValueOrDefault(tenant);
    }

    private static PaymentResult Result(in ApplyResult result) => new(result.Outcome, result.Sequence, result.BytesWritten);

    /// <summary>With the balances that whoever asks may see.</summary>
    private PaymentResult Result(in ApplyResult result, in ApplyContext context, int payer, int payee) => new(
        result.Outcome, result.Sequence, result.BytesWritten, AvailableFor(payer, context), AvailableFor(payee, context));

    private Msat? AvailableFor(int slot, in ApplyContext context) =>
        slot >= 0 && _wallets.Peek(slot).Tenant == context.Tenant ? _wallets.Peek(slot).Available : null;
}
