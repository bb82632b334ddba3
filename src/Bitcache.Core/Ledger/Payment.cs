// The commands that come by the million, as one struct: nothing is allocated for a payment between the network and
// the journal. Everything rarer is a Command.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Bitcache.Core;

/// <summary>What a <see cref="Payment"/> asks for. Part of the batch format: a number keeps its meaning for ever.</summary>
public enum PaymentKind : byte
{
    None = 0,
    /// <summary>Moves an amount from payer to payee.</summary>
    Transfer = 1,
    /// <summary>Sets an amount of the payer's aside for the payee, until it is captured, released or expires.</summary>
    Hold = 2,
    /// <summary>Pays the payee out of a hold. Sent by the payer's owner or the payee's.</summary>
    Capture = 3,
    /// <summary>Gives what is left of a hold back to the payer. Sent by the payee's owner.</summary>
    Release = 4,
    /// <summary>Pays back, wholly or in part, what the payer was once paid by the payee.</summary>
    Refund = 5,
}

/// <summary>How a <see cref="Payment"/> is meant. Part of the batch format: a bit keeps its meaning for ever.</summary>
[Flags]
public enum PaymentFlags : byte
{
    None = 0,
    /// <summary>Of a transfer: moves what funds and limits allow, at most the amount.</summary>
    UpTo = 1,
    /// <summary>Of a capture: it is the last, and what it leaves of the hold goes back to the payer.</summary>
    Close = 2,
}

/// <summary>What whoever queues a payment has found out about a payee that lives in another partition.</summary>
[Flags]
public enum PayeeFacts : byte
{
    None = 0,
    /// <summary>There is such a wallet, and its making is durable.</summary>
    Exists = 1,
    /// <summary>It belongs to whoever asks.</summary>
    IsCallers = 2,
    /// <summary>What was journaled had found out what it needed.</summary>
    All = Exists | IsCallers,
}

/// <summary>The payer's own bytes, inline.</summary>
[InlineArray(Limits.ReferenceBytesMax)]
public struct ReferenceBytes
{
    private byte _first;
}

/// <summary>One payment as it is asked for. The id is unique under the payer; for a capture and a release the payer is
/// that of the hold.</summary>
public struct Payment
{
    // In the order of their alignment, so that no byte is lost between them.
    public OperationId Id { get; init; }
    public WalletId Payer { get; init; }
    public WalletId Payee { get; init; }
    /// <summary>The id of the hold that is captured or released, or of the payment that is refunded.</summary>
    public OperationId Target { get; init; }
    /// <summary>What is asked for; of no meaning for a release.</summary>
    public Msat Amount { get; init; }
    /// <summary>What the payment that is refunded moved to its payee, its fee not counted; read with
    /// <see cref="OriginalSequence"/>.</summary>
    public Msat OriginalAmount { get; init; }
    // What a hold and a refund say apart from the rest lies in the same bytes: no payment is both.
    private long _expiresOrOriginal;
    /// <summary>A number of the payer's choice.</summary>
    public uint Code { get; init; }
    public PaymentKind Kind { get; init; }
    public PaymentFlags Flags { get; init; }
    /// <summary>No part of what is asked for; of no meaning for a payee that lives in the payer's partition.</summary>
    public PayeeFacts Facts { get; init; }
    private byte _referenceLength;
    private ReferenceBytes _reference;

    /// <summary>When what is left of a hold goes back; ahead of the batch's time by at most <see cref="Limits.HoldMillisecondsMax"/>.</summary>
    public UnixTime Expires
    {
        readonly get => new(_expiresOrOriginal);
        init => _expiresOrOriginal = value.Milliseconds;
    }

    /// <summary>The entry of the payment that is refunded. Whoever queues a refund has read this entry from the
    /// journal, and found in its <see cref="Entry.Moved"/> the refund's payer as payee and the refund's payee as payer,
    /// the id <see cref="Target"/> and the amount <see cref="OriginalAmount"/>. The ledger cannot check that again.</summary>
    public long OriginalSequence
    {
        readonly get => _expiresOrOriginal;
        init => _expiresOrOriginal = value;
    }

    /// <summary>At most <see cref="Limits.ReferenceBytesMax"/> bytes of the payer's choice.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Reference => ((ReadOnlySpan<byte>)_reference)[.._referenceLength];

    public readonly bool IsUpTo => (Flags & PaymentFlags.UpTo) != 0;
    public readonly bool IsClosing => (Flags & PaymentFlags.Close) != 0;

    /// <summary>Whether it acts on a hold, as the payee's owner may, too.</summary>
    public readonly bool IsOnHold => Kind is PaymentKind.Capture or PaymentKind.Release;

    /// <summary>Whether there is such a kind, and its flags are its own. What comes from outside is refused otherwise,
    /// before it is queued.</summary>
    public readonly bool IsWellFormed => Kind switch
    {
        PaymentKind.Transfer => (Flags & ~PaymentFlags.UpTo) == 0,
        PaymentKind.Capture => (Flags & ~PaymentFlags.Close) == 0,
        PaymentKind.Hold or PaymentKind.Release or PaymentKind.Refund => Flags == PaymentFlags.None,
        _ => false,
    };

    /// <exception cref="ArgumentException">More than <see cref="Limits.ReferenceBytesMax"/> bytes.</exception>
    public void SetReference(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_reference);
        _referenceLength = (byte)bytes.Length;
    }
}

/// <summary>What came of a payment.</summary>
public record struct PaymentResult
{
    // One more than the balance, or 0 where it is not told.
    private long _payerAvailable;
    private long _payeeAvailable;

    public PaymentResult(Outcome outcome, long sequence = 0, int bytesWritten = 0) =>
        (Outcome, Sequence, BytesWritten) = (outcome, sequence, bytesWritten);

    public Outcome Outcome { get; private set; }

    /// <summary>Of the entry: this payment's own or, if it is known, that of the first time; 0 where there is none.</summary>
    public long Sequence { get; private set; }

    /// <summary>Of the record.</summary>
    public int BytesWritten { get; private set; }

    /// <summary>What was moved, held or given back; zero where nothing was. That of a known payment is in its entry.</summary>
    public Msat Amount { get; internal set; }

    /// <summary>What the payer paid on top, or what is held for that.</summary>
    public Msat Fee { get; internal set; }

    /// <summary>What went back to the payer because a hold was closed, by its last capture or by its release.</summary>
    public Msat Released { get; internal set; }

    /// <summary>The payer's available balance now, if whoever asks owns the wallet.</summary>
    public readonly Msat? PayerAvailable => _payerAvailable == 0 ? null : new Msat(_payerAvailable - 1);

    /// <summary>The same of the payee.</summary>
    public readonly Msat? PayeeAvailable => _payeeAvailable == 0 ? null : new Msat(_payeeAvailable - 1);

    /// <summary>Whether an entry was written: the payment took effect, or its refusal is remembered.</summary>
    public readonly bool IsJournaled => BytesWritten > 0;

    /// <summary>The same with what came of it the first time, as its entry tells.</summary>
    public readonly PaymentResult Recalled(Entry first) =>
        this with { Outcome = first.Outcome, Amount = first.AmountMoved, Fee = first.Fee, Released = first.Released };

    /// <summary>Sets everything in place: a result that is passed from method to method costs more than the decision.</summary>
    internal void Set(Outcome outcome, long sequence, int bytesWritten, Msat amount, Msat? payerAvailable, Msat? payeeAvailable)
    {
        (Outcome, Sequence, BytesWritten) = (outcome, sequence, bytesWritten);
        (Amount, Fee, Released) = (amount, Msat.Zero, Msat.Zero);
        _payerAvailable = payerAvailable is { } payer ? payer.Value + 1 : 0;
        _payeeAvailable = payeeAvailable is { } payee ? payee.Value + 1 : 0;
    }

    internal readonly ApplyResult ToApplyResult() => new(Outcome, Sequence, BytesWritten);
}
