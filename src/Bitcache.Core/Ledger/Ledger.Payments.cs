// Payments: the same rules as for every command, on a path that allocates nothing.

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

    /// <summary>Applies a payment and writes its record to <paramref name="record"/>, as <see cref="Apply(Command, in ApplyContext, Span{byte})"/>
    /// does for commands.</summary>
    public PaymentResult Apply(in Payment payment, in ApplyContext context, Span<byte> record)
    {
        Assert(context.Time >= Time, "time does not run backwards");
        Assert(Genesis is not null, "the first entry is the genesis entry");
        if (payment.Kind == PaymentKind.None) return Result(Refused(Outcome.Malformed));
        var payer = _wallets.Find(payment.Payer);
        if (Identify(payment.Payer, payer, payment.Id, context) is { Outcome: not Outcome.Accepted } known)
            return known.Outcome == Outcome.Known ? Result(known, payer, _wallets.Find(payment.Payee)) : Result(known);
        return payment.Kind switch
        {
            PaymentKind.Transfer => ApplyTransfer(payment, payer, context, record),
            PaymentKind.None => throw new LedgerInvariantException("a payment of no kind comes to its outcome before"),
        };
    }

    private PaymentResult ApplyTransfer(in Payment payment, int payer, in ApplyContext context, Span<byte> record)
    {
        if (payment.Amount.IsZero) return Result(Refused(Outcome.AmountZero));
        if (payment.Payer == payment.Payee) return Result(Refused(Outcome.SelfTransfer));
        if (payer < 0) return Result(Refused(Outcome.WalletNotFound));
        var payee = _wallets.Find(payment.Payee);
        if (payee < 0) return Result(Refused(Outcome.PayeeNotFound));
        var refusal = CheckOutflow(_wallets[payer], payment.Amount);
        _ids.Add(payer, payment.Id, NextSequence, forEver: false);
        if (refusal != Outcome.None)
        {
            var refused = Begin(EntryType.TransferRefused, context, record);
            refused.Transfer(payment);
            return Result(refused.End(context, refusal).Finish(), payer, payee);
        }

        // After this point the transfer must succeed.
        Debit(ref _wallets[payer], payment.Amount);
        Credit(ref _wallets[payee], payment.Amount);
        var entry = Begin(EntryType.Transfer, context, record);
        entry.Transfer(payment);
        entry.End(context);
        entry.Link(ref _wallets[payer]);
        entry.Link(ref _wallets[payee]);
        return Result(entry.Finish(), payer, payee);
    }

    private PaymentResult Result(in ApplyResult result, int payer = -1, int payee = -1) => new(
        result.Outcome, result.Sequence, result.BytesWritten,
        payer < 0 ? null : _wallets.Peek(payer).Available,
        payee < 0 || _wallets.Peek(payee).Tenant != _wallets.Peek(payer).Tenant ? null : _wallets.Peek(payee).Available);
}
