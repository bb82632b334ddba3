// A payment between two partitions is a debit in one and a credit in the other. The credit travels as a leg: it is
// numbered for each pair of partitions, sent again until it is known to be durable where it arrived, and counted there
// once. Until then its value is in flight, and the sender knows how much that is.

namespace Bitcache.Core;

/// <summary>A credit on its way from one partition to another. It cannot fail: that the payee is there was asked before
/// the debit.</summary>
/// <param name="Source">The partition that debited.</param>
/// <param name="Destination">The payee's.</param>
/// <param name="Number">From 1, without gaps, for this pair of partitions.</param>
/// <param name="Sequence">Of the statement that debited, in its partition.</param>
/// <param name="Type">Of the entry that debited.</param>
/// <param name="Epoch">Epochs that the source had closed by then. A destination that is behind closes its own first, so
/// that balances at the cuts are those of one moment.</param>
/// <param name="Credit">A transfer: whose debit it was, under which id, whom it credits with how much, code and reference.</param>
public readonly record struct Leg(int Source, int Destination, long Number, long Sequence, EntryType Type, long Epoch, Payment Credit);

/// <summary>Where the credit of an entry went, in place of its payee's link.</summary>
public readonly record struct LegName(int Destination, long Number);

/// <summary>A leg that is not known to have arrived. The rest of it stands in the entry of the debit.</summary>
public readonly record struct UnacknowledgedLeg(long Number, long Sequence, Msat Amount, long Epoch);

/// <summary>How far the two lanes between a partition and another are, as the partition knows it.</summary>
/// <param name="Other">The other partition.</param>
/// <param name="Received">The number of the last leg that came from there; 0 before the first.</param>
/// <param name="Sent">That of the last that was sent there.</param>
/// <param name="Acknowledged">That of the last that is known to have arrived there.</param>
public readonly record struct LaneEnds(int Other, long Received, long Sent, long Acknowledged);

/// <summary>Credits a payee with what a wallet of another partition paid.</summary>
public sealed record ReceiveLeg(Leg Leg) : Command
{
    public override void WriteBody(ref ByteWriter writer) => WriteBody(ref writer, Leg);

    internal static void WriteBody(ref ByteWriter writer, in Leg leg)
    {
        writer.U16(leg.Source);
        writer.I64(leg.Number);
        writer.I64(leg.Sequence);
        writer.U8((byte)leg.Type);
        PaymentBytes.Write(ref writer, leg.Credit, leg.Credit.Amount);
    }

    /// <summary>The epoch is left at zero: when an entry was written, no epoch was left to be closed before it.</summary>
    internal static ReceiveLeg Read(ref ByteReader body, int partition)
    {
        var (source, number, sequence, type) = (body.U16(), body.I64(), body.I64(), body.U8<EntryType>());
        var nothing = default(ByteReader);
        var credit = PaymentBytes.Read(PaymentKind.Transfer, upTo: false, ref body, ref nothing, leafOnly: true).ToPayment();
        return new ReceiveLeg(new Leg(source, partition, number, sequence, type, Epoch: 0, credit));
    }
}

/// <summary>Legs up to a number are durable at their destination: they need not be sent again.</summary>
public sealed record AcknowledgeLegs(int Destination, long Through) : Command
{
    public override void WriteBody(ref ByteWriter writer)
    {
        writer.U16(Destination);
        writer.I64(Through);
    }

    public static AcknowledgeLegs Read(ref ByteReader body) => new(body.U16(), body.I64());
}

/// <summary>Moves money of the operator from its account in this partition to that in another. The operator has one in
/// each, so that no fee has to travel.</summary>
public sealed record MoveOperatorFunds(OperationId Id, WalletId Operator, int Destination, Msat Amount) : ClientCommand(Id)
{
    public override bool IsUnderTerm => true;

    public override WalletId Owner => Operator;

    public override bool HasSameTerms(ClientCommand other) =>
        other is MoveOperatorFunds m && m.Destination == Destination && m.Amount == Amount;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Operator);
        writer.U16(Destination);
        writer.Amount(Amount);
    }

    public static MoveOperatorFunds Read(ref ByteReader body) => new(body.Id(), body.Wallet(), body.U16(), body.Msat());
}
