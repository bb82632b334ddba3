// Suspense: what came in and is nobody's yet. It is owed like any balance, and leaves only by the operator's word.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    // The places of deposits that are in suspense now.
    private readonly SortedSet<int> _suspense = [];

    /// <summary>What is in suspense, before a place in the order of arrival, newest first.</summary>
    public RecordPage<Deposit> Suspense(long before, int most)
    {
        if (before <= 0) return new RecordPage<Deposit>([], null);
        var older = before > int.MaxValue ? _suspense : _suspense.GetViewBetween(0, (int)before - 1);
        var places = older.Reverse().Take(most + 1).ToArray();
        return new RecordPage<Deposit>([.. places.Take(most).Select(_deposits.At)], places.Length > most ? places[most - 1] : null);
    }

    private ApplyResult ApplyAssignSuspense(AssignSuspense command, in ApplyContext context, Span<byte> record)
    {
        if (_deposits.Find(command.OutPoint) is not { IsInSuspense: true } deposit) return Refused(Outcome.SuspenseNotFound);
        // Until then a reorganisation may take it back, and the wallet would have to give what was never its own.
        if (deposit.State != DepositState.Final) return Refused(Outcome.SuspenseNotFinal);
        var slot = _wallets.Find(command.Wallet);
        if (slot < 0 && !(command.ExistsElsewhere && IsElsewhere(command.Wallet))) return Refused(Outcome.WalletNotFound);

        // After this point the money is the wallet's.
        Remember(command, forEver: false);
        var amount = deposit.Amount.ToMsat();
        _totals.Suspense -= amount.Value;
        Keep(deposit with { Assigned = new Assignment(command.Wallet, NextSequence) });
        // Nobody pays it: it has no payer.
        var credit = new Payment { Kind = PaymentKind.Transfer, Id = command.Id, Payee = command.Wallet };
        var leg = Pay(slot, EntryType.SuspenseAssigned, credit, amount, NextSequence);
        var entry = Begin(EntryType.SuspenseAssigned, context, record);
        command.WriteBody(ref entry.Body);
        entry.Body.Amount(amount);
        entry.End(context);
        LinkPayee(ref entry, slot, leg);
        return entry.Finish();
    }
}
