// Payments between partitions: the debit is made here and the credit sent, or a credit is received that was debited
// elsewhere (Leg.cs). With one partition none of this ever happens.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly LegTable _legs = new();

    // Where the legs go that entries send; null while nobody carries them, as in a recovery.
    private ICollection<Leg>? _outbox;

    /// <summary>From now on legs that entries send, also those that are replayed, are put here, in their order; null for nowhere.
    /// They may leave once their entries are durable.</summary>
    public void SendTo(ICollection<Leg>? outbox) => _outbox = outbox;

    /// <summary>Legs for a partition that are not known to have arrived, the oldest first.</summary>
    public IReadOnlyCollection<UnacknowledgedLeg> LegsTo(int destination) => _legs.WaitingFor(destination);

    /// <summary>The number of the last leg that a partition is known to have; 0 before the first.</summary>
    public long LegsAcknowledgedBy(int destination) => _legs.AcknowledgedBy(destination);

    /// <summary>The number of the last leg that arrived from a partition; 0 before the first.</summary>
    public long LegsReceivedFrom(int source) => _legs.ReceivedFrom(source);

    /// <summary>How far the lanes are along which anything went, by the other partition's number.</summary>
    public LaneEnds[] LaneEnds() => _legs.Ends();

    /// <summary>The owner of a wallet that was made among the first so many; null if it is not one of them.</summary>
    public uint? OwnerOf(WalletId id, int among) =>
        _wallets.Find(id) is var slot and >= 0 && slot < among ? _wallets.Peek(slot).Tenant : null;

    /// <summary>Credits what another partition sent, once: a leg that arrived before is <see cref="Outcome.Unchanged"/>.</summary>
    public ApplyResult Apply(in Leg leg, in ApplyContext context, Span<byte> record)
    {
        Assert(context.Time >= Time, "time does not run backwards");
        Assert(leg.Destination == partition && leg.Source != partition, "a leg goes from one partition to another");
        var received = _legs.ReceivedFrom(leg.Source);
        if (leg.Number <= received) return Refused(Outcome.Unchanged);
        Assert(leg.Number == received + 1, "legs arrive in the order in which they were sent");
        Assert(leg.Epoch <= _epochs.Count, "an epoch that was closed where a leg comes from is closed here before");
        var payee = _wallets.Find(leg.Credit.Payee);
        Assert(payee >= 0, "the payee's existence was checked before the debit");

        // A credit cannot fail.
        _legs.Receive(leg.Source, leg.Number);
        _totals.FromPartitions += leg.Credit.Amount.Value;
        Credit(ref _wallets[payee], leg.Credit.Amount);
        var entry = Begin(EntryType.LegReceived, context, record);
        ReceiveLeg.WriteBody(ref entry.Body, leg);
        entry.End(context);
        entry.Link(ref _wallets[payee]);
        return entry.Finish();
    }

    private ApplyResult ApplyAcknowledgeLegs(AcknowledgeLegs command, in ApplyContext context, Span<byte> record)
    {
        if (command.Through <= _legs.AcknowledgedBy(command.Destination)) return Refused(Outcome.Unchanged);
        Assert(command.Through <= _legs.AcknowledgedBy(command.Destination) + _legs.WaitingFor(command.Destination).Count, "what arrived was sent");
        _legs.Acknowledge(command.Destination, command.Through);
        return Write(EntryType.LegsAcknowledged, command, context, record).Finish();
    }

    private ApplyResult ApplyMoveOperatorFunds(MoveOperatorFunds command, in ApplyContext context, Span<byte> record)
    {
        Assert(command.Operator == Genesis!.Operator && context.Tenant == OperatorTenant, "the operator moves its own money");
        Assert(command.Destination != partition && command.Destination < Genesis.Partitions, "it goes to another partition");
        if (command.Amount.IsZero) return Refused(Outcome.AmountZero);
        if (CheckOutflow(_wallets[_operator], command.Amount) != Outcome.None) return Refused(Outcome.OperatorFundsLow);

        // After this point the money is on its way.
        Remember(command, forEver: false);
        Debit(ref _wallets[_operator], command.Amount);
        var credit = new Payment
        {
            Kind = PaymentKind.Transfer,
            Id = command.Id,
            Payer = command.Operator,
            Payee = command.Operator,
            Amount = command.Amount,
        };
        var name = Send(command.Destination, EntryType.OperatorFundsMoved, credit, NextSequence);
        var entry = Write(EntryType.OperatorFundsMoved, command, context, record);
        entry.Link(ref _wallets[_operator]);
        entry.Leg(name);
        return entry.Finish();
    }

    /// <summary>Whether a wallet, if there is one of this id, lives in another partition.</summary>
    private bool IsElsewhere(WalletId id) => Genesis!.Partitions > 1 && HomeOf(id) != partition;

    private int HomeOf(WalletId id) => id.PartitionOf(Genesis!.Partitions);

    /// <summary>Gives a payee what its payer was debited with: here, or where it lives.</summary>
    /// <param name="payee">Its slot, or below zero if it lives elsewhere.</param>
    /// <param name="type">Of the entry that is about to be written.</param>
    /// <param name="sequence">Of the statement that says so.</param>
    /// <returns>The leg, if there is one.</returns>
    private LegName? Pay(int payee, EntryType type, in Payment payment, Msat amount, long sequence)
    {
        if (payee >= 0)
        {
            Credit(ref _wallets[payee], amount);
            return null;
        }
        var credit = new Payment
        {
            Kind = PaymentKind.Transfer,
            Id = payment.Id,
            Payer = payment.Payer,
            Payee = payment.Payee,
            Amount = amount,
            Code = payment.Code,
        };
        credit.SetReference(payment.Reference);
        return Send(HomeOf(payment.Payee), type, credit, sequence);
    }

    /// <summary>The payee's link or, where the credit went elsewhere, its leg.</summary>
    /// <param name="part">As in <see cref="EntryWriter.Link"/>.</param>
    private void LinkPayee(ref EntryWriter entry, int payee, LegName? leg, int part = 0)
    {
        if (leg is { } name) entry.Leg(name);
        else entry.Link(ref _wallets[payee], part);
    }

    private LegName Send(int destination, EntryType type, in Payment credit, long sequence)
    {
        Assert(!credit.Amount.IsZero, "a leg carries money");
        _totals.FromPartitions -= credit.Amount.Value;
        var number = _legs.Send(destination, sequence, credit.Amount, _epochs.Count);
        _outbox?.Add(new Leg(partition, destination, number, sequence, type, _epochs.Count, credit));
        return new LegName(destination, number);
    }

    /// <summary>A leg that is to be sent again, from the entry of its debit.</summary>
    /// <param name="debit">The entry, of a split the part, at <see cref="UnacknowledgedLeg.Sequence"/>.</param>
    /// <exception cref="LedgerInvariantException">The entry sent no such leg.</exception>
    public static Leg Resend(in UnacknowledgedLeg leg, Entry debit)
    {
        Assert(debit.Leg is { } name && name.Number == leg.Number && debit.Sequence == leg.Sequence, "what was sent stands in the journal");
        var credit = debit.Sent;
        Assert(credit.Amount == leg.Amount, "a leg carries what was debited");
        return new Leg(debit.Partition, debit.Leg!.Value.Destination, leg.Number, leg.Sequence, debit.Type, leg.Epoch, credit);
    }
}
