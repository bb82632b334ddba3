// What becomes of one withdrawal: asked for, taken back, given back because its time is over, charged.

namespace Bitcache.Core;

/// <summary>Asks for whole satoshis to be sent to a Bitcoin script.</summary>
/// <param name="Amount">What to send; in an entry that was accepted, what is sent.</param>
/// <param name="Max">Send all whole satoshis that are available, whatever <paramref name="Amount"/> says.</param>
public sealed record RequestWithdrawal(OperationId Id, WalletId Wallet, ByteString Script, Sats Amount, bool Max) : ClientCommand(Id)
{
    /// <summary>Which fields there are behind the amount; it was the flag <see cref="Max"/> alone before there were any.</summary>
    [Flags]
    private enum Marks : byte
    {
        None = 0,
        Max = 1,
        Fee = 2,
        FeeMax = 4,
        Deadline = 8,
        All = Max | Fee | FeeMax | Deadline,
    }

    /// <summary>The wallet of another partition that the script belongs to, if it is one's. Whoever queues the command has
    /// asked there. No part of the terms.</summary>
    public WalletId OwnerElsewhere { get; init; }

    /// <summary>From this amount on it waits for a second person's approval; null for never. In an entry it is there where the
    /// withdrawal waits. No part of the terms.</summary>
    public Sats? ApprovalFrom { get; init; }

    /// <summary>The key that asks, which may not approve it. No part of the terms.</summary>
    public ByteString AskedBy { get; init => field = AtMost(Limits.KeyIdBytesMax, value); }

    /// <summary>What is held on top of the amount for the withdrawal's share of what mining costs, and the most that it is
    /// charged. Whoever queues the command knows what was quoted. No part of the terms; in an entry, what is held.</summary>
    public Sats Fee { get; init; }

    /// <summary>The highest <see cref="Fee"/> that the client accepts; null for any.</summary>
    public Sats? FeeMax { get; init; }

    /// <summary>When the money goes back if no transaction that pays it was signed, or handed to its signer, by then; null for never.</summary>
    public UnixTime? Deadline { get; init; }

    /// <summary>Of an entry from before the withdrawals under way were counted: then there was no bound for them, and the id of one that
    /// was refused was remembered for ever. No part of the terms.</summary>
    public bool IsUncounted { get; init; }

    public ByteString Script { get; } = AtMost(Limits.ScriptBytesMax, Script);

    public override WalletId Owner => Wallet;

    public override bool HasSameTerms(ClientCommand other) =>
        other is RequestWithdrawal w && w.Script == Script && w.Max == Max && (Max || w.Amount == Amount) && w.FeeMax == FeeMax && w.Deadline == Deadline;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
        writer.Short(Script.Span);
        writer.Amount(Amount);
        writer.U8((byte)MarksOf());
        if (Fee > Sats.Zero) writer.Amount(Fee);
        if (FeeMax is { } feeMax) writer.Amount(feeMax);
        if (Deadline is { } deadline) writer.Time(deadline);
    }

    public override void WritePrivate(ref ByteWriter writer)
    {
        if (ApprovalFrom is not null) writer.Short(AskedBy.Span);
    }

    public static RequestWithdrawal Read(ref ByteReader body)
    {
        var (id, wallet, script, amount) = (body.Id(), body.Wallet(), body.Short(Limits.ScriptBytesMax), body.Sats());
        var marks = (Marks)body.U8();
        if (marks > Marks.All) throw new FormatException($"a withdrawal with the unknown marks {marks}");
        var fee = (marks & Marks.Fee) != 0 ? body.Sats() : Sats.Zero;
        if ((marks & Marks.Fee) != 0 && fee == Sats.Zero) throw new FormatException("a fee of nothing that is written");
        return new RequestWithdrawal(id, wallet, script, amount, (marks & Marks.Max) != 0)
        {
            Fee = fee,
            FeeMax = (marks & Marks.FeeMax) != 0 ? body.Sats() : null,
            Deadline = (marks & Marks.Deadline) != 0 ? body.Time() : null,
        };
    }

    private Marks MarksOf() =>
        (Max ? Marks.Max : Marks.None)
        | (Fee > Sats.Zero ? Marks.Fee : Marks.None)
        | (FeeMax is not null ? Marks.FeeMax : Marks.None)
        | (Deadline is not null ? Marks.Deadline : Marks.None);
}

/// <summary>Takes back a withdrawal that no family of transactions holds. It goes by the withdrawal's own id, so that however
/// often it is sent, it has one effect.</summary>
public sealed record CancelWithdrawal(OperationId Id, WalletId Wallet) : ClientCommand(Id)
{
    /// <summary>Under the id the withdrawal itself is remembered.</summary>
    public override bool IsNamed => false;

    public override WalletId Owner => Wallet;

    public override bool HasSameTerms(ClientCommand other) => other is CancelWithdrawal;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
    }

    public static CancelWithdrawal Read(ref ByteReader body) => new(body.Id(), body.Wallet());
}

/// <summary>Gives back a withdrawal that waited past its deadline. The partition's own command, between two batches of others:
/// <see cref="Ledger.NextWithdrawalToExpire"/> says which.</summary>
public sealed record ExpireWithdrawal(WithdrawalKey Withdrawal) : Command
{
    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Withdrawal.Id);
        writer.Wallet(Withdrawal.Wallet);
    }

    public static ExpireWithdrawal Read(ref ByteReader body)
    {
        var id = body.Id();
        return new ExpireWithdrawal(new WithdrawalKey(body.Wallet(), id));
    }
}

/// <summary>Books what a withdrawal costs its wallet, now that its transaction is final, and gives back the rest of what was
/// held for that. <see cref="Ledger.UnchargedWithdrawals"/> says which; an entry of its own for each, so that nobody's
/// statement tells of another's.</summary>
public sealed record ChargeWithdrawal(WithdrawalKey Withdrawal) : Command
{
    public override bool IsUnderTerm => true;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Withdrawal.Id);
        writer.Wallet(Withdrawal.Wallet);
    }

    public static ChargeWithdrawal Read(ref ByteReader body)
    {
        var id = body.Id();
        return new ChargeWithdrawal(new WithdrawalKey(body.Wallet(), id));
    }
}
