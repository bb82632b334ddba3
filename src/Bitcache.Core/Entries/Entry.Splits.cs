// Reading a split: one record, as many statements as it has parts.

namespace Bitcache.Core;

public sealed partial record Entry
{
    /// <summary>Of a split: which of its parts this is, from 0.</summary>
    public int Part { get; init; }

    /// <summary>Of a split: what the payer paid on top of each part. <see cref="Fee"/> is that of <see cref="Part"/>.</summary>
    public IReadOnlyList<Msat> PartFees { get; init; } = [];

    /// <summary>Of a split: whether the operator, which received fees, has a link of its own.</summary>
    public bool HasOperatorLink { get; init; }

    private static bool IsSplit(ReadOnlySpan<byte> statement) => statement.Length > 1 && statement[1] == (byte)EntryType.SplitPaid;

    private static Entry ReadSplit(ReadOnlySpan<byte> record, uint tenant, long? sequence)
    {
        var parts = new Entry[new ByteReader(record[4..]).U16()];
        var end = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = ReadStatement(StatementAt(record, i, out end));
            if (parts[i].Type != EntryType.SplitPaid || !Belongs(parts[i], parts[0])) throw new FormatException("statements of several entries");
        }
        var wanted = sequence is null ? 0 : (int)Math.Clamp(sequence.Value - parts[0].Sequence, 0, parts.Length - 1);
        var first = (Split)parts[0].Command;
        var rest = new ByteReader(record[end..]);
        var entry = parts[wanted] with
        {
            Tenant = tenant,
            Part = wanted,
            PartFees = [.. parts.Select(part => part.Fee)],
            Command = new Split(first.Id, first.Payer, [.. parts.Select(part => ((Split)part.Command).Parts[0])]) { PayeesElsewhereExist = true },
            HasOperatorLink = rest.Flag(),
        };
        if (record[MarksOffset] > Departs) throw new FormatException("a split with unknown marks");
        var departs = record[MarksOffset] == Departs ? rest.I64() : 0;
        entry = entry with { First = new HistoryLink(rest.I64(), rest.Msat()) };
        for (var i = 0; i < parts.Length; i++)
        {
            LegName? leg = (departs >> i & 1) == 1 ? new LegName(rest.U16(), rest.I64()) : null;
            var link = leg is null ? new HistoryLink(rest.I64(), rest.Msat()) : default;
            if (i == wanted) entry = entry with { Leg = leg, Second = link };
        }
        entry = entry with { Third = ReadLink(entry.Sides & HistorySides.Operator, ref rest) };
        rest.End();
        return entry;
    }

    private static bool Belongs(Entry part, Entry first) =>
        part.Command is Split a && first.Command is Split b && (a.Id, a.Payer) == (b.Id, b.Payer);

    private static Split ReadPart(ref ByteReader body, ref ByteReader rest, UInt128 salt)
    {
        var payment = PaymentBytes.Read(PaymentKind.Transfer, upTo: false, ref body, ref rest, leafOnly: true);
        return new Split(
            payment.Id, payment.Payer, [new SplitPart(payment.Payee, payment.Amount, payment.Code, payment.Reference, salt)]);
    }
}
