// One payer, several payees, all or nothing.

namespace Bitcache.Core;

/// <summary>What one payee of a split is paid.</summary>
/// <param name="Code">A number of the payer's choice.</param>
/// <param name="Reference">At most <see cref="Limits.ReferenceBytesMax"/> bytes of the payer's choice.</param>
/// <param name="Salt">Of this part's statement, drawn by the caller; the first part's statement has the salt of the
/// context. No part of the terms.</param>
public sealed record SplitPart(WalletId Payee, Msat Amount, uint Code, ByteString Reference, UInt128 Salt)
{
    /// <summary>Whether it asks for the same.</summary>
    public bool HasSameTerms(SplitPart other) => this with { Salt = 0 } == other with { Salt = 0 };
}

/// <summary>Pays several wallets at once, or none. Each part has a statement and a sequence of its own, so that no payee
/// sees another, and its own fee.</summary>
/// <param name="Parts">From 1 to <see cref="Limits.SplitPayeesMax"/>, each to another payee. Read from a statement
/// alone, the part that it tells of.</param>
public sealed record Split(OperationId Id, WalletId Payer, IReadOnlyList<SplitPart> Parts) : ClientCommand(Id)
{
    private const int PartBytesMin = WalletId.Bytes + 8 + 4 + 1;

    public IReadOnlyList<SplitPart> Parts { get; } = Check(Parts);

    /// <summary>Whether all payees that live in other partitions are there, and their making is durable: whoever queues the
    /// split has asked. No part of the terms.</summary>
    public bool PayeesElsewhereExist { get; init; }

    public override WalletId Owner => Payer;

    public override bool HasSameTerms(ClientCommand other) =>
        other is Split s && s.Parts.Count == Parts.Count && s.Parts.Zip(Parts).All(pair => pair.First.HasSameTerms(pair.Second));

    /// <summary>One part as a payment, as its statement says it.</summary>
    internal Payment ToPayment(int part)
    {
        var (payee, amount, code, reference, _) = Parts[part];
        var payment = new Payment { Kind = PaymentKind.Transfer, Id = Id, Payer = Payer, Payee = payee, Amount = amount, Code = code };
        payment.SetReference(reference.Span);
        return payment;
    }

    /// <summary>The whole, as the statement of a refusal holds it.</summary>
    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Payer);
        writer.U8((byte)Parts.Count);
        foreach (var part in Parts)
        {
            writer.Wallet(part.Payee);
            writer.Amount(part.Amount);
            writer.U32(part.Code);
            writer.Short(part.Reference.Span);
        }
    }

    /// <summary>Reads what <see cref="WriteBody"/> wrote. A refusal needs no salts of its parts.</summary>
    public static Split Read(ref ByteReader body)
    {
        var (id, payer) = (body.Id(), body.Wallet());
        var parts = new SplitPart[body.Items(body.U8(), PartBytesMin, Limits.SplitPayeesMax)];
        if (parts.Length == 0) throw new FormatException("a split without parts");
        for (var i = 0; i < parts.Length; i++)
            parts[i] = new SplitPart(body.Wallet(), body.Msat(), body.U32(), body.Short(Limits.ReferenceBytesMax), Salt: 0);
        // What was journaled, a refusal too, had found its payees.
        return new Split(id, payer, parts) { PayeesElsewhereExist = true };
    }

    private static IReadOnlyList<SplitPart> Check(IReadOnlyList<SplitPart> parts)
    {
        ArgumentOutOfRangeException.ThrowIfZero(parts.Count);
        foreach (var part in parts) AtMost(Limits.ReferenceBytesMax, part.Reference);
        return AtMost(Limits.SplitPayeesMax, parts);
    }
}
