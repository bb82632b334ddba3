// Splits. They count as one payment of their sum under the payer's limits, and as one payment each for their fees.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>A sum that is more than all the money there is says so, too, when it is cut off here.</summary>
    private const long SumMax = long.MaxValue / 2;

    private ApplyResult ApplySplit(Split command, in ApplyContext context, Span<byte> record)
    {
        if (CheckShape(command) is var wrong and not Outcome.None) return Refused(wrong);
        var payer = FindOwn(command.Payer, context);
        if (payer < 0) return Refused(Outcome.WalletNotFound);
        var payees = command.Parts.Select(part => _wallets.Find(part.Payee)).ToArray();
        if (command.Parts.Where((part, i) => payees[i] < 0 && !(command.PayeesElsewhereExist && IsElsewhere(part.Payee))).Any()) return Refused(Outcome.PayeeNotFound);
        var charged = command.Parts.Select((part, i) => FeesFor(payer, payees[i]).Of(part.Amount)).ToArray();
        var refusal = CheckSpending(_wallets.Peek(payer), Sum(command.Parts.Select(part => part.Amount.Value)), Sum(charged), context.Time);
        Remember(command, forEver: false);
        if (refusal != Outcome.None) return Write(EntryType.SplitRefused, command, context, record, refusal).Finish();
        Assert(command.Parts.Skip(1).All(part => part.Salt != 0), "every statement has a salt that was drawn");

        // After this point the whole split must succeed.
        var (amount, fee) = (new Msat(Sum(command.Parts.Select(part => part.Amount.Value))), new Msat(Sum(charged)));
        CountSpending(_wallets[payer], amount, context.Time);
        Debit(ref _wallets[payer], amount + fee);
        var legs = payees.Select((payee, i) => Pay(payee, EntryType.SplitPaid, command.ToPayment(i), command.Parts[i].Amount, NextSequence + i)).ToArray();
        if (!fee.IsZero) Credit(ref _wallets[_operator], fee);
        return WriteSplit(command, charged, payer, payees, legs, context, record);
    }

    private static Outcome CheckShape(Split command)
    {
        if (command.Parts.Any(part => part.Amount.IsZero)) return Outcome.AmountZero;
        if (command.Parts.Any(part => part.Payee == command.Payer)) return Outcome.SelfTransfer;
        return command.Parts.DistinctBy(part => part.Payee).Count() < command.Parts.Count ? Outcome.PayeeTwice : Outcome.None;
    }

    /// <summary>A statement for each part, then the links: the payer's, the payees' and, if it received fees and is not
    /// among these, the operator's. Payer and operator find the split at its first sequence, each payee at its own.</summary>
    private ApplyResult WriteSplit(
        Split command, long[] fees, int payer, int[] payees, LegName?[] legs, in ApplyContext context, Span<byte> record)
    {
        var entry = Begin(EntryType.SplitPaid, context, record);
        for (var i = 0; i < fees.Length; i++)
        {
            if (i > 0) BeginStatement(ref entry, EntryType.SplitPaid, context);
            PaymentBytes.Write(ref entry.Body, command.ToPayment(i), command.Parts[i].Amount);
            entry.Body.I64(fees[i]);
            entry.End(i == 0 ? context.Salt : command.Parts[i].Salt);
        }
        var forOperator = fees.Any(fee => fee > 0) && !payees.Contains(_operator);
        entry.Body.Flag(forOperator);
        // One bit for each part, the first part's the lowest: which of them have a leg in place of a link.
        if (legs.Any(leg => leg is not null)) entry.Body.I64(legs.Select((leg, i) => leg is null ? 0 : 1L << i).Aggregate((a, b) => a | b));
        entry.Link(ref _wallets[payer]);
        for (var i = 0; i < payees.Length; i++) LinkPayee(ref entry, payees[i], legs[i], part: i);
        if (forOperator) entry.Link(ref _wallets[_operator]);
        return entry.Finish();
    }

    private static long Sum(IEnumerable<long> amounts) => (long)Int128.Min(SumMax, amounts.Aggregate((Int128)0, (sum, amount) => sum + amount));
}
