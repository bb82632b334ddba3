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
}

/// <summary>The payer's own bytes, inline.</summary>
[InlineArray(Limits.ReferenceBytesMax)]
public struct ReferenceBytes
{
    private byte _first;
}

/// <summary>One payment as it is asked for. The id is unique under the payer.</summary>
public struct Payment
{
    private ReferenceBytes _reference;
    private byte _referenceLength;

    public PaymentKind Kind { get; init; }
    public OperationId Id { get; init; }
    public WalletId Payer { get; init; }
    public WalletId Payee { get; init; }
    public Msat Amount { get; init; }
    /// <summary>A number of the payer's choice.</summary>
    public uint Code { get; init; }

    /// <summary>At most <see cref="Limits.ReferenceBytesMax"/> bytes of the payer's choice.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Reference => ((ReadOnlySpan<byte>)_reference)[.._referenceLength];

    /// <summary>Whether a second payment under the same id asks for the same thing.</summary>
    public readonly bool HasSameTerms(in Payment other) =>
        Kind == other.Kind && Id == other.Id && Payer == other.Payer && Payee == other.Payee && Amount == other.Amount && Code == other.Code
        && Reference.SequenceEqual(other.Reference);

    /// <exception cref="ArgumentException">More than <see cref="Limits.ReferenceBytesMax"/> bytes.</exception>
    public void SetReference(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_reference);
        _referenceLength = (byte)bytes.Length;
    }
}

/// <summary>What came of a payment.</summary>
/// <param name="Sequence">Of the entry: this payment's own or, if it is known, that of the first time.</param>
/// <param name="PayerAvailable">The payer's available balance now; null where the wallet was not looked at.</param>
/// <param name="PayeeAvailable">The same of the payee, if the payer's tenant owns it.</param>
public readonly record struct PaymentResult(Outcome Outcome, long Sequence, int BytesWritten, Msat? PayerAvailable = null, Msat? PayeeAvailable = null)
{
    /// <summary>Whether an entry was written: the payment took effect, or its refusal is remembered.</summary>
    public bool IsJournaled => BytesWritten > 0;

    internal ApplyResult ToApplyResult() => new(Outcome, Sequence, BytesWritten);
}
