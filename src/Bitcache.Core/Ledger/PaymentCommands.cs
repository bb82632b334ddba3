// Payments as commands: what an entry of the journal is read into, and what is asked for one at a time.

namespace Bitcache.Core;

/// <summary>What every payment says.</summary>
/// <param name="Amount">What is asked for; in an entry that was accepted, what was moved.</param>
/// <param name="Code">A number of the payer's choice.</param>
/// <param name="Reference">At most <see cref="Limits.ReferenceBytesMax"/> bytes of the payer's choice.</param>
public abstract record PaymentCommand(
    OperationId Id, WalletId Payer, WalletId Payee, Msat Amount, uint Code, ByteString Reference) : ClientCommand(Id)
{
    public ByteString Reference { get; } = AtMost(Limits.ReferenceBytesMax, Reference);

    public override WalletId Owner => Payer;

    /// <summary>The same as the ledger takes it.</summary>
    public Payment ToPayment()
    {
        var payment = ToTerms();
        payment.SetReference(Reference.Span);
        return payment;
    }

    /// <summary>A payment as a command, to hold it against the entry of an earlier one.</summary>
    /// <exception cref="ArgumentException">The payment is of no kind.</exception>
    public static PaymentCommand From(in Payment p)
    {
        var reference = new ByteString(p.Reference);
        return p.Kind switch
        {
            PaymentKind.Transfer => new Transfer(p.Id, p.Payer, p.Payee, p.Amount, p.Code, reference) { UpTo = p.IsUpTo ? p.Amount : null },
            PaymentKind.Hold => new PlaceHold(p.Id, p.Payer, p.Payee, p.Amount, p.Code, reference, p.Expires),
            PaymentKind.Capture => new CaptureHold(p.Id, p.Payer, p.Payee, p.Amount, p.Code, reference, p.Target, p.IsClosing),
            PaymentKind.Release => new ReleaseHold(p.Id, p.Payer, p.Payee, p.Amount, p.Code, reference, p.Target),
            PaymentKind.Refund => new RefundPayment(
                p.Id, p.Payer, p.Payee, p.Amount, p.Code, reference, p.OriginalSequence, p.OriginalAmount, p.Target),
            PaymentKind.None => throw new ArgumentException("a payment of no kind", nameof(p)),
        };
    }

    public override void WriteBody(ref ByteWriter writer) => PaymentBytes.Write(ref writer, ToPayment(), Amount);

    public override void WritePrivate(ref ByteWriter writer) => PaymentBytes.WritePrivate(ref writer, ToPayment());

    public override bool HasSameTerms(ClientCommand other) =>
        other is PaymentCommand p && p.GetType() == GetType() && p.Payee == Payee && p.Code == Code && p.Reference == Reference;

    /// <summary>The payment without its reference.</summary>
    private protected abstract Payment ToTerms();
}

/// <summary>Pays from one wallet to another.</summary>
public sealed record Transfer(
    OperationId Id, WalletId Payer, WalletId Payee, Msat Amount, uint Code, ByteString Reference)
    : PaymentCommand(Id, Payer, Payee, Amount, Code, Reference)
{
    /// <summary>Pays what there is, up to this, whatever <see cref="PaymentCommand.Amount"/> says. Stands outside the
    /// statement, where the payee could tell from it what the payer had; read from a statement alone it is zero.</summary>
    public Msat? UpTo { get; init; }

    public override bool HasSameTerms(ClientCommand other) =>
        base.HasSameTerms(other) && other is Transfer t && t.UpTo == UpTo && (UpTo is not null || t.Amount == Amount);

    private protected override Payment ToTerms() => new()
    {
        Kind = PaymentKind.Transfer,
        Flags = UpTo is null ? PaymentFlags.None : PaymentFlags.UpTo,
        Id = Id,
        Payer = Payer,
        Payee = Payee,
        Amount = UpTo ?? Amount,
        Code = Code,
    };
}

/// <summary>Sets an amount aside for a payee.</summary>
/// <param name="Expires">When what is left of it goes back.</param>
public sealed record PlaceHold(
    OperationId Id, WalletId Payer, WalletId Payee, Msat Amount, uint Code, ByteString Reference, UnixTime Expires)
    : PaymentCommand(Id, Payer, Payee, Amount, Code, Reference)
{
    public override bool HasSameTerms(ClientCommand other) =>
        base.HasSameTerms(other) && other is PlaceHold h && h.Amount == Amount && h.Expires == Expires;

    private protected override Payment ToTerms() => new()
    {
        Kind = PaymentKind.Hold,
        Id = Id,
        Payer = Payer,
        Payee = Payee,
        Amount = Amount,
        Code = Code,
        Expires = Expires,
    };
}

/// <summary>Pays out of a hold, of which it names payer, payee and id.</summary>
/// <param name="Close">Whether what it leaves of the hold goes back to the payer.</param>
public sealed record CaptureHold(
    OperationId Id, WalletId Payer, WalletId Payee, Msat Amount, uint Code, ByteString Reference, OperationId Hold, bool Close)
    : PaymentCommand(Id, Payer, Payee, Amount, Code, Reference)
{
    public override bool HasSameTerms(ClientCommand other) =>
        base.HasSameTerms(other) && other is CaptureHold c && c.Amount == Amount && c.Hold == Hold && c.Close == Close;

    private protected override Payment ToTerms() => new()
    {
        Kind = PaymentKind.Capture,
        Flags = Close ? PaymentFlags.Close : PaymentFlags.None,
        Id = Id,
        Payer = Payer,
        Payee = Payee,
        Amount = Amount,
        Code = Code,
        Target = Hold,
    };
}

/// <summary>Gives what is left of a hold back to its payer.</summary>
/// <param name="Amount">Of no meaning; in an entry, what went back.</param>
public sealed record ReleaseHold(
    OperationId Id, WalletId Payer, WalletId Payee, Msat Amount, uint Code, ByteString Reference, OperationId Hold)
    : PaymentCommand(Id, Payer, Payee, Amount, Code, Reference)
{
    public override bool HasSameTerms(ClientCommand other) => base.HasSameTerms(other) && other is ReleaseHold r && r.Hold == Hold;

    private protected override Payment ToTerms() => new()
    {
        Kind = PaymentKind.Release,
        Id = Id,
        Payer = Payer,
        Payee = Payee,
        Code = Code,
        Target = Hold,
    };
}

/// <summary>Pays back a payment or a capture, wholly or in part. What it says of the original, the caller has read from
/// the journal: see <see cref="Payment.OriginalSequence"/>.</summary>
public sealed record RefundPayment(
    OperationId Id, WalletId Payer, WalletId Payee, Msat Amount, uint Code, ByteString Reference,
    long OriginalSequence, Msat OriginalAmount, OperationId Original)
    : PaymentCommand(Id, Payer, Payee, Amount, Code, Reference)
{
    public override bool HasSameTerms(ClientCommand other) =>
        base.HasSameTerms(other) && other is RefundPayment r && r.Amount == Amount
        && r.OriginalSequence == OriginalSequence && r.Original == Original;

    private protected override Payment ToTerms() => new()
    {
        Kind = PaymentKind.Refund,
        Id = Id,
        Payer = Payer,
        Payee = Payee,
        Amount = Amount,
        Code = Code,
        Target = Original,
        OriginalSequence = OriginalSequence,
        OriginalAmount = OriginalAmount,
    };
}

/// <summary>Gives what is left of a hold back because its time is over. The partition's own command, between two batches
/// of others: <see cref="Ledger.NextHoldToExpire"/> says which.</summary>
public sealed record ExpireHold(WalletId Payer, OperationId Hold) : Command
{
    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Wallet(Payer);
        writer.Id(Hold);
    }

    public static ExpireHold Read(ref ByteReader body) => new(body.Wallet(), body.Id());
}
