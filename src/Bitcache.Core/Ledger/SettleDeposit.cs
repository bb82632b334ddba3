namespace Bitcache.Core;

/// <summary>Ends the waiting of a deposit that is frozen, by the operator's word. The chain says by itself what becomes of one, as
/// long as the node knows its transaction; of one that the node forgot it says nothing, for ever.</summary>
/// <param name="Released">Whether the coin is there: then the deposit is final, and what was set aside is the wallet's again.
/// Otherwise the deposit is reversed: it is gone, and what was spent of it is owed.</param>
/// <param name="By">The key of whoever says so; not shown in the log.</param>
/// <param name="Reason">Why, in the operator's words; not shown in the log either.</param>
public sealed record SettleDeposit(OperationId Id, OutPoint OutPoint, bool Released, ByteString By, ByteString Reason) : ClientCommand(Id)
{
    public ByteString By { get; } = AtMost(Limits.KeyIdBytesMax, By);
    public ByteString Reason { get; } = AtMost(Limits.ReferenceBytesMax, Reason);

    /// <summary>Which partition decides is known when all were asked: nobody else may send one under the same id meanwhile.</summary>
    public override bool IsUnderTerm => true;

    /// <summary>It is the operator's, whose ids are unique under its tenant.</summary>
    public override WalletId Owner => new(Ledger.OperatorTenant);

    /// <summary>Whoever sends it again may do so with another key.</summary>
    public override bool HasSameTerms(ClientCommand other) =>
        other is SettleDeposit s && (s.OutPoint, s.Released) == (OutPoint, Released) && s.Reason == Reason;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Hash(OutPoint.Txid.Hash);
        writer.U32(OutPoint.Index);
        writer.Flag(Released);
    }

    public override void WritePrivate(ref ByteWriter writer)
    {
        writer.Short(By.Span);
        writer.Short(Reason.Span);
    }

    /// <param name="leafOnly">Whether only the statement is there, which tells neither who nor why.</param>
    internal static SettleDeposit Read(ref ByteReader body, ref ByteReader rest, bool leafOnly)
    {
        var (id, output, released) = (body.Id(), new OutPoint(new Txid(body.Hash()), body.U32()), body.Flag());
        return leafOnly
            ? new SettleDeposit(id, output, released, ByteString.Empty, ByteString.Empty)
            : new SettleDeposit(id, output, released, rest.Short(Limits.KeyIdBytesMax), rest.Short(Limits.ReferenceBytesMax));
    }
}
