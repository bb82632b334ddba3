// What the journals of all partitions say together, read without the ledger's rules: every debit that left a partition has
// one credit with the same terms, no credit is without a debit, and a wallet has what its entries say.

using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Tests.Partitions;

internal sealed class LegAudit
{
    private sealed record Debit(OperationId Id, WalletId Payer, WalletId Payee, Msat Amount, uint Code, string Reference, long Sequence, EntryType Type);

    private readonly Dictionary<(int From, int To, long Number), (Debit Terms, long Epoch)> _debits = [];
    private readonly Dictionary<(int From, int To, long Number), (Debit Terms, long Epoch)> _credits = [];
    private readonly Dictionary<(int Partition, WalletId Wallet), long> _balances = [];
    private readonly HashSet<(WalletId Owner, OperationId Id)> _ids = [];
    // By the wallet that had paid, and the sequence under which it had.
    private readonly Dictionary<(WalletId Payer, long Sequence), long> _refunded = [];
    private WalletId _operator;

    /// <summary>Reads every journal and holds it all together.</summary>
    public static LegAudit Of(IReadOnlyList<Partition> partitions)
    {
        var audit = new LegAudit();
        foreach (var partition in partitions)
        {
            var epoch = 0L;
            partition.ReadRecords(0, partition.DurableSequence + 1, record => audit.Take(partition.Number, record.ToArray(), ref epoch));
        }
        audit.CompareLegs();
        return audit;
    }

    /// <summary>What is inside, and on its way by the tables of its two ends, is what came from Bitcoin.</summary>
    /// <param name="ledgers">Of all partitions, at one moment.</param>
    /// <returns>Legs on their way.</returns>
    public static long CheckMoney(IReadOnlyList<Ledger> ledgers)
    {
        if (ledgers.Any(ledger => ledger.Genesis is null)) return 0;
        long inside = 0, fromBitcoin = 0, onTheWay = 0, legs = 0;
        foreach (var source in ledgers)
        {
            inside += source.Totals.Inside;
            fromBitcoin += source.Totals.FromBitcoin;
            foreach (var destination in ledgers.Where(ledger => ledger != source))
            {
                var received = destination.LegsReceivedFrom(source.Partition);
                Must.Hold(source.LegsAcknowledgedBy(destination.Partition) <= received, "A leg is acknowledged that did not arrive.");
                foreach (var leg in source.LegsTo(destination.Partition).Where(leg => leg.Number > received))
                {
                    onTheWay += leg.Amount.Value;
                    legs++;
                }
            }
        }
        Must.Hold(inside + onTheWay == fromBitcoin, $"P6: {inside} inside and {onTheWay} on its way, {fromBitcoin} from Bitcoin.");
        return legs;
    }

    public int Credits => _credits.Count;

    /// <summary>Every wallet has what its entries brought it, less what they took.</summary>
    public void CompareBalances(IReadOnlyList<Ledger> ledgers)
    {
        foreach (var ((partition, wallet), balance) in _balances)
        {
            var there = ledgers[partition].FindWallet(wallet)!.Value;
            Must.Hold(there.Available.Value + there.Held.Value == balance, $"A wallet has {there.Available} and {there.Held} held, by its entries {balance}.");
        }
    }

    private void Take(int partition, byte[] record, ref long epoch)
    {
        var (first, count) = Entry.SequencesOf(record);
        for (var sequence = first; sequence < first + count; sequence++)
        {
            var entry = Entry.Read(record, sequence);
            if (entry.Outcome == Outcome.Accepted) Book(partition, entry, ref epoch);
            if (sequence == first && entry.Command is ClientCommand { IsNamed: true } named)
                Must.Hold(_ids.Add((named.Owner, named.Id)), "An id has two entries.");
        }
    }

    private void Book(int partition, Entry entry, ref long epoch)
    {
        switch (entry.Command)
        {
            case Genesis genesis:
                _operator = genesis.Operator;
                break;
            case EpochCut cut:
                Must.Hold(cut.Epoch == epoch + 1, "An epoch is closed out of order.");
                epoch = cut.Epoch;
                break;
            case ChangeDeposit { To: DepositState.Credited } deposit:
                Add(partition, _operator, deposit.Amount.ToMsat().Value);
                break;
            case Transfer or CaptureHold or RefundPayment:
                var payment = (PaymentCommand)entry.Command;
                Pay(partition, entry, epoch, payment.Id, payment.Payer, payment.Payee, payment.Amount, payment.Code, payment.Reference);
                if (payment is RefundPayment refund) Refund(refund);
                break;
            case Split split:
                var part = split.Parts[entry.Part];
                Pay(partition, entry, epoch, split.Id, split.Payer, part.Payee, part.Amount, part.Code, part.Reference);
                break;
            case RequestWithdrawal withdrawal:
                Pay(partition, entry, epoch, withdrawal.Id, withdrawal.Wallet, entry.Payee, withdrawal.Amount.ToMsat(), 0, ByteString.Empty);
                break;
            case MoveOperatorFunds move:
                Pay(partition, entry, epoch, move.Id, move.Operator, move.Operator, move.Amount, 0, ByteString.Empty);
                break;
            case ReceiveLeg { Leg: var leg }:
                var terms = new Debit(
                    leg.Credit.Id, leg.Credit.Payer, leg.Credit.Payee, leg.Credit.Amount, leg.Credit.Code, Convert.ToHexString(leg.Credit.Reference), leg.Sequence, leg.Type);
                Must.Hold(_credits.TryAdd((leg.Source, partition, leg.Number), (terms, epoch)), "A leg was credited twice.");
                Add(partition, leg.Credit.Payee, leg.Credit.Amount.Value);
                break;
        }
    }

    private void Pay(int partition, Entry entry, long epoch, OperationId id, WalletId payer, WalletId payee, Msat amount, uint code, ByteString reference)
    {
        var fee = entry.PartFees.Count > 0 ? entry.PartFees[entry.Part] : entry.Fee;
        Add(partition, payer, -(amount + fee).Value);
        Add(partition, _operator, fee.Value);
        if (entry.Leg is not { } leg)
        {
            Add(partition, payee, amount.Value);
            return;
        }
        var debit = new Debit(id, payer, payee, amount, code, Convert.ToHexString(reference.Span), entry.Sequence, entry.Type);
        Must.Hold(_debits.TryAdd((partition, leg.Destination, leg.Number), (debit, epoch)), "Two debits sent one leg.");
    }

    private void Refund(RefundPayment refund)
    {
        var original = (refund.Payee, refund.OriginalSequence);
        _refunded[original] = _refunded.GetValueOrDefault(original) + refund.Amount.Value;
        Must.Hold(_refunded[original] <= refund.OriginalAmount.Value, "More was paid back than had been paid.");
    }

    private void Add(int partition, WalletId wallet, long amount) =>
        _balances[(partition, wallet)] = _balances.GetValueOrDefault((partition, wallet)) + amount;

    private void CompareLegs()
    {
        foreach (var (name, (terms, epoch)) in _credits)
        {
            Must.Hold(_debits.TryGetValue(name, out var debit), $"The credit {name} is without a debit.");
            Must.Hold(debit.Terms == terms, $"The credit {name} has other terms than its debit.");
            Must.Hold(epoch >= debit.Epoch, $"The credit {name} is in an epoch before its debit's.");
        }
        foreach (var name in _debits.Keys) Must.Hold(_credits.ContainsKey(name), $"The debit {name} has no credit.");
    }
}
