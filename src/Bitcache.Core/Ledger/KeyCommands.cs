namespace Bitcache.Core;

/// <summary>Another key signs the log's checkpoints from now on. The key that goes signed it: whoever trusts that one may
/// trust this one.</summary>
/// <param name="OldKey">The Ed25519 public key that signed until now.</param>
/// <param name="NewKey">The one that signs from now on. It is the server's to draw, so a retry names only the operation.</param>
/// <param name="Signature">The old key's, over the text that <see cref="Audit.KeyRotation"/> states.</param>
public sealed record RotateKey(OperationId Id, ByteString OldKey, ByteString NewKey, ByteString Signature) : ClientCommand(Id)
{
    public override bool IsUnderTerm => true;

    /// <summary>What <see cref="WriteBody"/> writes.</summary>
    internal const int BodyBytes = OperationId.Bytes + (2 * Audit.Ed25519.PublicKeyBytes) + Audit.Ed25519.SignatureBytes;

    public ByteString OldKey { get; } = Exactly(Audit.Ed25519.PublicKeyBytes, OldKey);
    public ByteString NewKey { get; } = Exactly(Audit.Ed25519.PublicKeyBytes, NewKey);
    public ByteString Signature { get; } = Exactly(Audit.Ed25519.SignatureBytes, Signature);

    /// <summary>It is the operator's, whose ids are unique under its tenant.</summary>
    public override WalletId Owner => new(Ledger.OperatorTenant);

    public override bool HasSameTerms(ClientCommand other) => other is RotateKey;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Raw(OldKey.Span);
        writer.Raw(NewKey.Span);
        writer.Raw(Signature.Span);
    }

    public static RotateKey Read(ref ByteReader body) => new(
        body.Id(), new ByteString(body.Take(Audit.Ed25519.PublicKeyBytes)), new ByteString(body.Take(Audit.Ed25519.PublicKeyBytes)),
        new ByteString(body.Take(Audit.Ed25519.SignatureBytes)));

    private static ByteString Exactly(int length, ByteString bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, length, nameof(bytes));
        return bytes;
    }
}
