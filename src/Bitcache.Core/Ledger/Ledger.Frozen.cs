// Deposits that left the chain and are in no other state yet: they wait for the chain, or for the operator's word.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>Deposits that are frozen, before a place in the order of arrival, newest first. It costs what is open, which is
    /// what came in within the last blocks.</summary>
    public RecordPage<Deposit> FrozenDeposits(long before, int most)
    {
        var places = _openDeposits.Reverse().Where(place => place < before && _deposits.At(place).State == DepositState.Frozen).Take(most + 1).ToArray();
        return new RecordPage<Deposit>([.. places.Take(most).Select(_deposits.At)], places.Length > most ? places[most - 1] : null);
    }

    private ApplyResult ApplySettleDeposit(SettleDeposit command, in ApplyContext context, Span<byte> record)
    {
        if (_deposits.Find(command.OutPoint) is not { State: DepositState.Frozen } deposit) return Refused(Outcome.FrozenNotFound);
        // It would be a first credit, for which the chain's confirmations are needed.
        if (command.Released && !deposit.Booked) return Refused(Outcome.DepositNotCredited);
        CheckRoom(deposit);

        // After this point the deposit is what the operator says, whatever the node says later.
        Remember(command, forEver: false);
        // Of one that was never booked, or was booked to suspense, no wallet has anything.
        var isWallets = deposit is { Booked: true, Suspense: false };
        deposit = command.Released ? Book(deposit) with { State = DepositState.Final } : Reverse(deposit) with { State = DepositState.Reversed };
        Keep(deposit);
        var entry = Begin(EntryType.DepositSettled, context, record);
        command.WriteBody(ref entry.Body);
        entry.Body.Amount(isWallets ? deposit.Amount.ToMsat() : Msat.Zero);
        entry.End(context);
        command.WritePrivate(ref entry.Body);
        if (isWallets) entry.Link(ref WalletOf(deposit));
        return entry.Finish();
    }
}
